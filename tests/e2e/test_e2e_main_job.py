"""The main job: four workers, one file, a worker killed, the service restarted, and a real Prometheus."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as prometheus_families

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = pytest.mark.e2e

Wait = Callable[[Callable[[], bool], str], None]

WORKERS = 4
FLUSH_INTERVAL = 0.5
ORDERS = range(10_000)
HALF = len(ORDERS) // 2
COUNTED = 'http_server_request_duration_seconds_count{method="POST",route="/orders/{number}",status="200"}'
PARSERS: dict[str, Callable[[str], Iterable[Metric]]] = {
    "text/plain;version=0.0.4": prometheus_families,
    "application/openmetrics-text;version=1.0.0": openmetrics_families,
}


@pytest.fixture(scope="module")
def service(serve: "Callable[..., Server]", wait: Wait) -> "Server":
    """10,000 answered orders; a worker was killed half-way, and the service restarted at the end."""
    server = serve(workers=WORKERS, flush_interval=FLUSH_INTERVAL)
    answered = server.order(ORDERS[:HALF])
    time.sleep(2 * server.flush_interval)  # what was answered longer ago than that survives the worker
    with server.clients() as clients:
        victim = next(iter(clients))
        os.kill(victim, signal.SIGKILL)
    wait(lambda: is_gone(victim), "the supervisor notices that its worker is dead")
    answered += server.order(ORDERS[HALF:])
    with server.clients() as clients:
        assert victim not in clients
    assert answered == list(ORDERS)
    server.terminate()
    server.start()
    return server


def is_gone(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(scope="module")
def bodies(service: "Server") -> list[tuple[str, str]]:
    """What every worker answers, in both formats, each with the format that was asked for."""
    with service.clients() as clients:
        return [(accept, client.get("/metrics", Accept=accept)) for client in clients.values() for accept in PARSERS]


def value(body: str, series: str) -> str:
    [found] = [line for line in body.splitlines() if line.startswith(f"{series} ")]
    return found.removeprefix(f"{series} ").split()[0]


@pytest.mark.parametrize("series", ["orders_total", COUNTED])
def test_every_worker_says_exactly_what_was_answered(bodies: list[tuple[str, str]], series: str) -> None:
    assert [float(value(body, series)) for _, body in bodies] == [len(ORDERS)] * WORKERS * len(PARSERS)


def test_the_log_gives_each_access_entry_once(service: "Server") -> None:
    entries = [json.loads(line) for line in service.entries("after=start")]
    paths = Counter(
        entry["attributes"]["path"] for entry in entries if entry["attributes"].get("route") == "/orders/{number}"
    )

    assert paths == Counter(f"/orders/{number}" for number in ORDERS)


def test_what_is_excluded_and_our_own_endpoints_left_no_trace(service: "Server", bodies: list[tuple[str, str]]) -> None:
    routes = {match for _, body in bodies for match in re.findall(r'route="([^"]*)"', body)}

    assert routes == {"/orders/{number}"}


@pytest.mark.parametrize("accept", PARSERS)
def test_the_official_parsers_accept_every_body(bodies: list[tuple[str, str]], accept: str) -> None:
    families = [{family.name for family in PARSERS[accept](body)} for form, body in bodies if form == accept]
    collected = ("process_", "python", "observabilipy_")  # what is there without being asked for
    recorded = [{name for name in names if not name.startswith(collected)} for names in families]

    assert recorded == [{"orders", "http_server_active_requests", "http_server_request_duration_seconds"}] * WORKERS
    python = "python" if "openmetrics" in accept else "python_info"
    assert all({"process_cpu_seconds", python, "observabilipy_workers"} <= names for names in families)


def test_series_are_unique(bodies: list[tuple[str, str]]) -> None:
    for accept, body in bodies:
        samples = [sample for family in PARSERS[accept](body) for sample in family.samples]
        repeated = Counter((sample.name, *sorted(sample.labels.items())) for sample in samples)

        assert set(repeated.values()) == {1}


def test_families_are_contiguous(bodies: list[tuple[str, str]]) -> None:
    for _, body in bodies:
        families = [line.split()[2] for line in body.splitlines() if line.startswith("# TYPE ")]
        owners = [
            max((name for name in families if sample.startswith(name)), key=len)
            for sample in body.splitlines()
            if not sample.startswith("#")
        ]
        runs = [owner for before, owner in zip(["", *owners], owners, strict=False) if owner != before]

        assert runs == families


@pytest.mark.parametrize("accept", PARSERS)
def test_buckets_are_cumulative_and_the_last_is_the_count(bodies: list[tuple[str, str]], accept: str) -> None:
    for form, body in bodies:
        if form != accept:
            continue
        [family] = [one for one in PARSERS[accept](body) if one.name == "http_server_request_duration_seconds"]
        buckets = [sample.value for sample in family.samples if sample.name.endswith("_bucket")]
        bounds = [sample.labels["le"] for sample in family.samples if sample.name.endswith("_bucket")]
        [count] = [sample.value for sample in family.samples if sample.name.endswith("_count")]

        assert (buckets, bounds[-1], buckets[-1]) == (sorted(buckets), "+Inf", count)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH: apt-get install prometheus")
def test_promtool_finds_nothing(bodies: list[tuple[str, str]]) -> None:
    body = next(body for accept, body in bodies if PARSERS[accept] is prometheus_families)

    check = subprocess.run(["promtool", "check", "metrics"], input=body.encode(), capture_output=True, check=False)

    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


CONFIGURATION = """\
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: token
    authorization: {{credentials: "{token}"}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: password
    basic_auth: {{username: prometheus, password: "{token}"}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """What Prometheus' HTTP API says."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/api/v1"

    def _data(self, target: str) -> dict[str, list[dict[str, str]]]:
        with urlopen(f"{self._address}/{target}", timeout=30) as response:
            data: dict[str, list[dict[str, str]]] = json.load(response)["data"]
            return data

    def targets(self) -> list[dict[str, str]]:
        try:
            return self._data("targets")["activeTargets"]
        except OSError:  # it has not come up yet
            return []

    def values(self, query: str) -> list[str]:
        return [found["value"][1] for found in self._data(f"query?query={quote(query)}")["result"]]


@pytest.fixture(scope="module")
def prometheus(
    service: "Server", tmp_path_factory: pytest.TempPathFactory, unused_port: int, token: str
) -> Iterator[Prometheus]:
    directory: Path = tmp_path_factory.mktemp("prometheus")
    configuration = directory / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(port=service.port, token=token), encoding="utf-8")
    options = [f"--config.file={configuration}", f"--storage.tsdb.path={directory / 'data'}"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *options, f"--web.listen-address=127.0.0.1:{unused_port}"], stdout=log, stderr=log
        )
    try:
        yield Prometheus(unused_port)
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not on PATH: apt-get install prometheus")
def test_a_real_prometheus_scrapes_the_same_numbers(prometheus: Prometheus, wait: Wait) -> None:
    wait(
        lambda: [target["health"] for target in prometheus.targets()] == ["up", "up"],
        "Prometheus reaches its target, with the token as Bearer and as a password",
    )

    assert (prometheus.values("orders_total"), prometheus.values(COUNTED)) == (["10000"] * 2, ["10000"] * 2)
