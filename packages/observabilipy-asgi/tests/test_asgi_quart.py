"""Quart's routes and exceptions."""

from collections.abc import AsyncIterator

import pytest

quart = pytest.importorskip("quart", reason="Quart is not installed here")

from observabilipy import LogQuery, Observability  # noqa: E402 - not without Quart
from observabilipy_asgi import ObservabilityMiddleware  # noqa: E402
from observabilipy_asgi.protocol import ASGIApp  # noqa: E402
from observabilipy_asgi.quart import name_routes  # noqa: E402
from observabilipy_asgi.testing import fetch  # noqa: E402


@pytest.fixture
async def obs() -> AsyncIterator[Observability]:
    async with Observability(handle_sigterm=False, flush_interval=3600) as made:
        yield made


def shop(obs: Observability) -> ASGIApp:
    app = quart.Quart("shop")
    name_routes(app)

    @app.get("/items/<int:item>")  # type: ignore[untyped-decorator]  # skipped without Quart, so untyped
    async def read(item: int) -> dict[str, int]:
        return {"item": item}

    @app.get("/boom")  # type: ignore[untyped-decorator]
    async def boom() -> None:
        raise RuntimeError("on purpose")

    return ObservabilityMiddleware(app, obs)


@pytest.mark.parametrize(
    ("request_line", "told"),
    [
        ("GET /items/7", ("/items/{item}", 200, None)),
        ("POST /items/7", ("/items/{item}", 405, None)),
        ("GET /items/x", ("__unmatched__", 404, None)),
        ("GET /boom", ("/boom", 500, "RuntimeError")),
    ],
)
async def test_a_request_has_its_route_and_its_exception(
    obs: Observability, request_line: str, told: tuple[object, ...]
) -> None:
    await fetch(shop(obs), request_line)
    await obs.aflush()

    assert [
        tuple(entry.attributes.get(name) for name in ("route", "status", "exception.type"))
        async for entry in obs.storage.read_logs(LogQuery())
    ] == [told]
