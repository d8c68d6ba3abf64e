"""Process metrics of several real processes on one file: killed, started again, forked."""

import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from observabilipy import Family, LogEntry
from observabilipy.ports import Batch, SizePort
from observabilipy.ports import Worker as StoredWorker
from observabilipy_sqlite import SQLiteStorage

_WORKER = """
import os, sys, time
from observabilipy import EmbeddedRuntime, Observability
from observabilipy_sqlite import SQLiteStorage

def runtime(**options):
    made = EmbeddedRuntime(
        SQLiteStorage(sys.argv[1]), flush_interval=0.02, heartbeat_interval=0.2,
        collectors=["process", "python", "library"], collect_interval=0.05, **options)
    made.start()
    return made

def tell(*words):
    print(*words, flush=True)

def status(name):
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")

_HOLD = """
held = bytearray(int(sys.argv[2]))
made = runtime()
tell("ready")
while True:
    sum(range(1000))
    time.sleep(0.001)
"""


class Worker:
    """A process on the file, that is gone at the end of the test."""

    def __init__(self, path: Path, script: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _WORKER + textwrap.dedent(script), str(path), *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def started(script: str, *arguments: object) -> Worker:
        workers.append(Worker(tmp_path / "o.db", script, *arguments))
        return workers[-1]

    yield started
    for worker in workers:
        worker.end()


def totals(path: Path) -> dict[str, float]:
    """The values of all series without labels, as any process sees them."""

    async def read() -> dict[str, float]:
        storage = SQLiteStorage(path)
        try:
            return {
                family.name: series.value
                async for family in storage.totals()
                for series in family.series
                if not series.labels and isinstance(series.value, int | float)
            }
        finally:
            await storage.aclose()

    return asyncio.run(read())


def until(path: Path, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """What is stored, as soon as it is so."""
    while not holds(found := totals(path)):
        time.sleep(0.02)
    return found


def test_memory_is_that_of_the_living_and_cpu_time_never_goes_down(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    path, much = tmp_path / "o.db", 64 * 2**20
    first, second = start(_HOLD, much), start(_HOLD, much)
    assert (first.line(), second.line()) == ("ready", "ready")
    both = until(path, lambda found: found.get("observabilipy_workers") == 2)
    resident = [_resident(worker.process.pid) for worker in (first, second)]

    second.end()
    one = until(path, lambda found: found.get("observabilipy_workers") == 1)
    third = start(_HOLD, much)
    third.line()
    again = until(path, lambda found: found.get("observabilipy_workers") == 2)

    assert both["process_resident_memory_bytes"] == pytest.approx(sum(resident), rel=0.2)
    assert one["process_resident_memory_bytes"] == pytest.approx(resident[0], rel=0.2)
    assert (
        0 < both["process_cpu_seconds_total"] <= one["process_cpu_seconds_total"] < again["process_cpu_seconds_total"]
    )
    assert (
        both["process_start_time_seconds"] == one["process_start_time_seconds"] == again["process_start_time_seconds"]
    )


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def test_cpu_time_adds_up_over_processes_that_ended(tmp_path: Path, start: Callable[..., Worker]) -> None:
    used = 0.0
    for _ in range(2):
        worker = start("""
            made = runtime()
            end = time.process_time() + 0.05
            while time.process_time() < end: pass
            made.close()
            tell(time.process_time())
            """)
        used += float(worker.line())
        worker.process.wait(60)

    assert totals(tmp_path / "o.db")["process_cpu_seconds_total"] == pytest.approx(used, rel=0.2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")
def test_a_forked_child_is_a_worker_of_its_own_and_repeats_nothing_of_its_parent(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    worker = start("""
        made = runtime()
        end = time.process_time() + 0.3
        while time.process_time() < end: pass
        made.flush()
        child = os.fork()
        if child == 0:
            made.start()
            end = time.process_time() + 0.02
            while time.process_time() < end: pass
            made.close()
            tell(time.process_time())
            os._exit(0)
        os.waitpid(child, 0)
        made.close()
        tell(time.process_time())
        """)
    child, parent = float(worker.line()), float(worker.line())
    worker.process.wait(60)

    assert child < 0.3 <= parent
    assert totals(tmp_path / "o.db")["process_cpu_seconds_total"] == pytest.approx(child + parent, rel=0.2)


def test_workers_that_all_ended_leave_their_cpu_time_only(tmp_path: Path, start: Callable[..., Worker]) -> None:
    worker = start("made = runtime(); made.flush(); made.close(); tell('closed')")
    worker.line()

    found = totals(tmp_path / "o.db")
    assert {name for name in found if name.startswith("process_")} == {"process_cpu_seconds_total"}
    assert "observabilipy_workers" not in found


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH: apt install prometheus")
def test_promtool_finds_nothing_to_complain_about(tmp_path: Path, start: Callable[..., Worker]) -> None:
    start(_HOLD, 0).line()
    path = tmp_path / "o.db"
    until(path, lambda found: "observabilipy_log_bytes" in found or found.get("observabilipy_workers") == 1)

    async def body() -> bytes:
        from observabilipy import encode_metrics

        storage = SQLiteStorage(path)
        try:
            return b"".join([chunk async for chunk in encode_metrics(storage.totals())])
        finally:
            await storage.aclose()

    check = subprocess.run(
        ["promtool", "check", "metrics"], input=asyncio.run(body()), capture_output=True, check=False
    )

    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_the_size_is_that_of_the_database_and_its_wal(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "o.db")
    before = storage.size_bytes()
    storage.commit(Batch(StoredWorker("w"), 1, (LogEntry(0, "INFO", "x" * 10_000),)))
    size = storage.size_bytes()
    files = [(tmp_path / name).stat().st_size for name in ("o.db", "o.db-wal")]
    storage.close()

    assert (isinstance(storage, SizePort), before, size) == (True, 0, sum(files))
    assert size > 10_000


def test_the_size_of_the_storage_is_told_by_the_one_that_looks_after_it(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    start(_HOLD.replace("runtime()", "runtime(retention_interval=0.05)"), 0).line()
    found = until(tmp_path / "o.db", lambda found: found.get("observabilipy_storage_bytes", 0) > 0)

    assert found["observabilipy_log_bytes"] == 0


def test_families_are_read_by_both_parsers(tmp_path: Path, start: Callable[..., Worker]) -> None:
    prometheus = pytest.importorskip("prometheus_client.parser")
    openmetrics = pytest.importorskip("prometheus_client.openmetrics.parser")
    from observabilipy.encoding.exposition import encode_family

    start(_HOLD, 0).line()
    path = tmp_path / "o.db"
    until(path, lambda found: found.get("observabilipy_workers") == 1)

    async def read() -> list[Family]:
        storage = SQLiteStorage(path)
        try:
            return [family async for family in storage.totals()]
        finally:
            await storage.aclose()

    families = asyncio.run(read())
    text = "".join(encode_family(family).decode() for family in families)
    modern = "".join(encode_family(family, "openmetrics").decode() for family in families) + "# EOF\n"
    names = {family.name for family in families}

    assert {m.name for m in openmetrics.text_string_to_metric_families(modern)} == {
        name.removesuffix("_total") for name in names
    }
    assert len(list(prometheus.text_string_to_metric_families(text))) == len(names)
