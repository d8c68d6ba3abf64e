"""The example that the README begins with, word for word, and the services in examples/, by their commands."""

import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = pytest.mark.e2e

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = Path(__file__).parents[2] / "examples"
LIST = (EXAMPLES / "README.md").read_text(encoding="utf-8")
COMMANDS = dict(re.findall(r"^\| \[([^]]+)\].*`([^`]+)` \|$", LIST, re.MULTILINE))
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


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


def test_every_example_is_listed_with_a_command_that_it_tells_itself() -> None:
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".yml"}} | {"django_project/"}

    untold = [
        name
        for name, command in COMMANDS.items()
        if command not in (EXAMPLES / name.replace("/", "/manage.py")).read_text("utf-8")
    ]
    assert (set(COMMANDS), untold) == (files, [])


# What is said besides, to be at a port of the test's own, and where the endpoints are.
SERVICES = {
    "fastapi_example.py": ("--port {port}", ""),
    "flask_example.py": ("--port {port}", ""),
    "bottle_example.py": ("{port}", "/observability"),
    "asgi_example.py": ("--port {port}", "/observability"),
    "django_project/": ("--noreload {port}", "/observability"),
    "gunicorn.conf.py": ("--bind 127.0.0.1:{port}", "/observability"),
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_counts_and_logs_every_order_once(serve: "Callable[..., Server]", name: str) -> None:
    here, prefix = SERVICES[name]
    place, _, command = COMMANDS[name].rpartition(" && ")
    shell = f"{place or ':'} && exec {command} {here}"
    server = serve(command=["sh", "-c", shell], workers=4, files=EXAMPLES, environment={"PATH": PATH})

    def order(_: int) -> int:
        with server.client() as client:
            return client.ask("POST", "/orders/gold")[0]

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(order, range(40)))
    server.terminate()
    server.start()
    with server.client() as client:
        metrics, logs = client.get(f"{prefix}/metrics"), client.get(f"{prefix}/logs")

    assert (statuses, 'orders_total{tier="gold"} 40' in metrics, logs.count("order placed")) == ([200] * 40, True, 40)


def test_the_configuration_of_gunicorn_starts_four_workers(
    serve: "Callable[..., Server]", wait: Callable[[Callable[[], bool], str], None]
) -> None:
    shell = f"exec {COMMANDS['gunicorn.conf.py']} --bind 127.0.0.1:{{port}}"
    server = serve(command=["sh", "-c", shell], workers=4, files=EXAMPLES, environment={"PATH": PATH})

    wait(lambda: server.log().count("Booting worker") == 4, "gunicorn has started four workers")
