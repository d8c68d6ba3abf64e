"""A store in memory behind several workers: each of them says that it is alone with what it records."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = pytest.mark.e2e

BINARIES = Path(sys.executable).parent
GUNICORN = [f"{BINARIES / 'gunicorn'}", "--bind", "127.0.0.1:{port}", "servers_wsgi:app"]
UVICORN = [f"{BINARIES / 'uvicorn'}", "--port", "{port}", "orders_service:app"]


@pytest.mark.parametrize(
    ("command", "environment", "warns"),
    [
        ([*GUNICORN, "--workers", "2"], {}, True),
        ([*GUNICORN, "-w2", "--preload"], {}, True),
        (GUNICORN, {"WEB_CONCURRENCY": "2"}, True),
        (GUNICORN, {"GUNICORN_CMD_ARGS": "--workers=2"}, True),
        (GUNICORN, {}, False),
        ([*UVICORN, "--workers", "2"], {}, True),
        ([*UVICORN, "--reload"], {}, False),
        (UVICORN, {}, False),
    ],
    ids=lambda value: " ".join(value[3:]) if isinstance(value, list) else None,
)
def test_workers_warn_that_memory_is_not_shared(
    serve: "Callable[..., Server]", command: list[str], environment: dict[str, str], warns: bool
) -> None:
    server = serve(
        command=command,
        workers=1,
        environment={"ORDERS_STORAGE": "memory://", "PYTHONPATH": str(Path(__file__).parent), **environment},
    )
    with server.client() as client:
        status, _, _ = client.ask("POST", "/orders/1")
    server.terminate()

    assert (status, 'use "sqlite:///observability.db" to have all of them counted together' in server.log()) == (
        200,
        warns,
    )
