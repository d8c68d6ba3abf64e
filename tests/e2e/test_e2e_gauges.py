"""What several workers on one file make of their instruments: living, stopped, killed, suspended, replaced."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from observabilipy.models import Family, HistogramValue
from observabilipy_sqlite import SQLiteStorage

pytestmark = pytest.mark.e2e

Wait = Callable[[Callable[[], bool], str], None]

PROGRAM = textwrap.dedent("""
    import sys
    from observabilipy import EmbeddedRuntime
    from observabilipy_sqlite import SQLiteStorage

    runtime = EmbeddedRuntime(
        SQLiteStorage(sys.argv[1]), flush_interval=0.05, heartbeat_interval=0.3, close_storage=True
    )
    define = runtime.registry
    gauges = {
        how: define.gauge(f"{how}_g", "G.", (), aggregate=how) for how in ("last", "sum", "min", "max")
    }

    def set_all(value):
        for gauge in gauges.values():
            gauge.set(value)

    for line in sys.stdin:
        exec(line)
        print(runtime.flush(), flush=True)
    runtime.close()
""")


class Worker:
    """A process that does what it is told, and has it committed."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def do(self, *statements: str) -> None:
        """Run these statements."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for statement in statements:
            self.process.stdin.write(f"{statement}\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "True\n"

    def end(self) -> None:
        """In good order."""
        _, _ = self.process.communicate(timeout=30)

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "obs.db"


@pytest.fixture
def start(path: Path) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def begin() -> Worker:
        workers.append(Worker(path))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()


def families(path: Path) -> dict[str, Family]:
    """What is shown, by name."""

    async def read() -> list[Family]:
        storage = SQLiteStorage(path)
        found = [family async for family in storage.totals()]
        await storage.aclose()
        return found

    return {family.name: family for family in asyncio.run(read())}


def gauges(path: Path) -> dict[str, object]:
    """The one value of each gauge."""
    return {name[:-2]: family.series[0].value for name, family in families(path).items() if name.endswith("_g")}


def rows(path: Path, name: str) -> list[tuple[dict[str, str], object]]:
    """Labels and value of each series."""
    return [(dict(row.labels), row.value) for row in families(path)[name].series]


def test_gauges_count_the_workers_that_live_and_last_outlives_them(path: Path, start: Callable[[], Worker]) -> None:
    one, other = start(), start()
    one.do("set_all(5)")
    other.do("set_all(3)")
    both = gauges(path)
    other.end()

    assert (both, gauges(path)) == (
        {"last": 3, "sum": 8, "min": 3, "max": 5},
        {"last": 3, "sum": 5, "min": 5, "max": 5},
    )


def test_a_worker_that_is_killed_counts_no_more_once_its_lifetime_is_over(
    path: Path, start: Callable[[], Worker], wait: Wait
) -> None:
    one, other = start(), start()
    one.do("set_all(5)")
    other.do("set_all(3)")
    other.signal(signal.SIGKILL)

    wait(lambda: gauges(path) == {"last": 3, "sum": 5, "min": 5, "max": 5}, "the dead worker is gone")


def test_a_worker_that_was_suspended_for_longer_than_it_may_live_counts_again_when_it_comes_back(
    path: Path, start: Callable[[], Worker], wait: Wait
) -> None:
    one, other = start(), start()
    one.do("set_all(3)")
    other.do("set_all(5)")
    one.signal(signal.SIGSTOP)
    wait(lambda: gauges(path) == {"last": 5, "sum": 5, "min": 5, "max": 5}, "the suspended worker is gone")
    one.signal(signal.SIGCONT)

    # Not "last": while it was away, others may have set a newer value.
    wait(lambda: gauges(path) == {"last": 5, "sum": 8, "min": 3, "max": 5}, "it is back")


def test_a_gauge_of_a_script_is_there_when_it_has_ended_and_after_the_next_run(
    path: Path, start: Callable[[], Worker]
) -> None:
    values = []
    for value in (1763826000, 1763912400):
        script = start()
        script.do(f"set_all({value})")
        script.end()
        values.append(gauges(path))

    assert values == [{"last": 1763826000}, {"last": 1763912400}]


def test_an_info_shows_both_versions_while_a_deploy_rolls_and_the_new_one_afterwards(
    path: Path, start: Callable[[], Worker], wait: Wait
) -> None:
    old, killed, new = start(), start(), start()
    old.do("define.info_metric('build', 'B.', {'version': '1'}); set_all(1)")
    killed.do("define.info_metric('build', 'B.', {'version': '2'}); set_all(1)")
    new.do("define.info_metric('build', 'B.', {'version': '3'}); set_all(1)")
    during = rows(path, "build")
    old.end()
    killed.signal(signal.SIGKILL)

    assert during == [({"version": version}, 1) for version in "123"]
    wait(lambda: rows(path, "build") == [({"version": "3"}, 1)], "the new version alone is shown")


def test_a_rolling_deploy_that_changes_a_definition_loses_no_count(
    path: Path, start: Callable[[], Worker], wait: Wait
) -> None:
    old, new = start(), start()
    old.do(
        "jobs = define.counter('jobs_total', 'Old help.', ('tier',)); jobs.labels('a').inc(3)",
        "wait = define.histogram('wait', 'W.', (), buckets=(1, 5)); wait.observe(3)",
        "size = define.gauge('size', 'S.', ()); size.set(7)",
    )
    new.do(
        "jobs = define.counter('jobs_total', 'New help.', ('tier', 'city')); jobs.labels('a', 'b').inc(4)",
        "wait = define.histogram('wait', 'W.', (), buckets=(1, 2, 5)); wait.observe(1.5)",
        "size = define.histogram('size', 'S.', (), buckets=(1,)); size.observe(0.5)",
    )
    old.do("jobs.labels('a').inc()", "wait.observe(1.5)", "size.set(8)")  # it has not been replaced yet
    shown = families(path)

    assert shown["jobs_total"].help == "New help."
    assert sorted(rows(path, "jobs_total"), key=str) == [
        ({"city": "b", "tier": "a"}, 4),
        ({"tier": "a"}, 4),
    ]
    assert shown["wait"].series[0].value == HistogramValue((1, 2, 5), (0, 1, 2, 0), 6.0)
    assert rows(path, "size") == [({}, HistogramValue((1,), (1, 0), 0.5))]
    wait(lambda: "observabilipy_hidden_samples_total" in families(path), "what is hidden is counted")


def test_label_values_over_the_limit_are_counted_together_whichever_worker_names_them(
    path: Path, start: Callable[[], Worker]
) -> None:
    for worker, values in ((start(), "abc"), (start(), "bcde")):
        worker.do(
            "jobs = define.counter('jobs_total', 'J.', ('tier',), series_limit=3)",
            *(f"jobs.labels({value!r}).inc()" for value in values),
        )

    assert rows(path, "jobs_total") == [
        ({"tier": "__overflow__"}, 2),
        ({"tier": "a"}, 1),
        ({"tier": "b"}, 2),
        ({"tier": "c"}, 2),
    ]


def test_a_series_that_idled_out_begins_anew(path: Path, start: Callable[[], Worker]) -> None:
    worker = start()
    worker.do("jobs = define.counter('jobs_total', 'J.', ('tier',)); jobs.labels('a').inc(5); jobs.labels('b').inc(5)")

    async def prune() -> int:
        storage = SQLiteStorage(path)
        (newest,) = [max(row.created or 0 for row in family.series) async for family in storage.totals(["jobs_total"])]
        gone = await storage.delete_series([], idle_since=newest + 3600)
        await storage.aclose()
        return gone

    gone = asyncio.run(prune())
    worker.do("jobs.labels('a').inc(2)")

    assert (gone >= 2, rows(path, "jobs_total")) == (True, [({"tier": "a"}, 2)])
