"""The example that the README begins with, word for word, and those in examples/."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = pytest.mark.e2e

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = Path(__file__).parents[2] / "examples"
PYTHON = Path(sys.executable)


def test_the_example_counts_its_orders_over_two_workers(serve: "Callable[..., Server]", tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    source = tmp_path / "shop.py"
    source.write_text(next(example for example in examples if "instrument(" in example), encoding="utf-8")
    server = serve(workers=2, source=source)

    statuses = []
    for _ in range(8):
        with server.client() as client:
            statuses.append(client.ask("POST", "/orders")[0])
    server.terminate()
    server.start()
    with server.client() as client:
        metrics, logs = client.get("/metrics"), client.get("/logs")

    assert (statuses, 'orders_total{tier="gold"} 8' in metrics, logs.count("order placed")) == ([200] * 8, True, 8)


@pytest.mark.parametrize(
    ("command", "prefix"),
    [
        (
            [PYTHON.with_name("gunicorn"), "--bind", "127.0.0.1:{port}", "--chdir", EXAMPLES, "flask_example:app"],
            "",
        ),
        (
            [PYTHON, EXAMPLES / "django_example.py", "runserver", "--noreload", "127.0.0.1:{port}"],
            "/observability",
        ),
    ],
    ids=["Flask", "Django"],
)
def test_an_example_counts_and_logs_what_it_is_asked(
    serve: "Callable[..., Server]", command: list[object], prefix: str, tmp_path: Path
) -> None:
    # Their store is a relative path.
    place = [str(part).replace(str(EXAMPLES), str(tmp_path)) for part in command]
    for example in EXAMPLES.glob("*.py"):
        (tmp_path / example.name).write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    server = serve(command=place, workers=1)

    with server.client() as client:
        statuses = [client.ask("POST", "/orders/gold")[0] for _ in range(3)]
        metrics, logs = client.get(f"{prefix}/metrics"), client.get(f"{prefix}/logs")

    assert (statuses, 'orders_total{tier="gold"} 3' in metrics, logs.count("order placed")) == ([200] * 3, True, 3)
