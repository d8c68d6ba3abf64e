"""The example that the README begins with, word for word."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = pytest.mark.e2e

README = Path(__file__).parents[2] / "README.md"


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
