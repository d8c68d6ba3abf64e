"""examples/prometheus.yml, word for word but for the port: promtool takes it, and a real Prometheus scrapes with it."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        shutil.which("prometheus") is None or shutil.which("promtool") is None,
        reason="prometheus and promtool are not on PATH: apt-get install prometheus",
    ),
]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def service(serve: "Callable[..., Server]") -> "Server":
    return serve(workers=2, source=EXAMPLES / "fastapi_example.py")


@pytest.fixture(scope="module")
def configuration(service: "Server", token: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("prometheus")
    (directory / "token").write_text(token, encoding="utf-8")
    text = (EXAMPLES / "prometheus.yml").read_text(encoding="utf-8")
    assert ("127.0.0.1:8000" in text, "scrape_interval: 15s" in text) == (True, True)
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{service.port}").replace("15s", "1s")  # tests are in a hurry
    (directory / "prometheus.yml").write_text(text, encoding="utf-8")
    return directory / "prometheus.yml"


@pytest.fixture
def prometheus(configuration: Path, unused_port: int) -> Iterator[Callable[[str], list[str]]]:
    """Ask it; nothing as long as it has not come up."""
    options = [f"--config.file={configuration.name}", f"--web.listen-address=127.0.0.1:{unused_port}"]
    with (configuration.parent / "log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *options], cwd=configuration.parent, stdout=log, stderr=log)

    def values(query: str) -> list[str]:
        try:
            with urlopen(f"http://127.0.0.1:{unused_port}/api/v1/query?query={query}", timeout=30) as response:
                return [found["value"][1] for found in json.load(response)["data"]["result"]]
        except OSError:
            return []

    try:
        yield values
    finally:
        process.terminate()
        process.wait(60)


def test_promtool_takes_it(configuration: Path) -> None:
    check = subprocess.run(
        ["promtool", "check", "config", configuration], capture_output=True, encoding="utf-8", check=False
    )

    assert (check.returncode, "SUCCESS" in check.stdout) == (0, True), check


def test_prometheus_has_the_orders_of_all_workers(
    service: "Server", prometheus: Callable[[str], list[str]], wait: Callable[[Callable[[], bool], str], None]
) -> None:
    for _ in range(8):
        with service.client() as client:
            client.ask("POST", "/orders/gold")

    wait(lambda: prometheus("orders_total") == ["8"], f"Prometheus has counted eight orders: {service.log()}")
