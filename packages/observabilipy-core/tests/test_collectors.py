"""Collectors: the process, Python and the library itself, read now and then and recorded like anything else."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable

import pytest

from observabilipy import ConfigurationError, EmbeddedRuntime, Family, HistogramValue, LogQuery, Observability, Series
from observabilipy.collectors import Collectors
from observabilipy.collectors.library import LibraryCollector, StoreCollector
from observabilipy.collectors.process import ProcessCollector
from observabilipy.collectors.python import PythonCollector
from observabilipy.collectors.reading import ProcessReading, python_labels
from observabilipy.instruments import Registry
from observabilipy.models import LevelFacts, LogFacts
from observabilipy.storage.memory import MemoryStorage
from observabilipy.testing import FakeClock


def reported(registry: Registry) -> dict[tuple[str, ...], object]:
    """What is reported at a commit: increments of counters, values of gauges."""
    collection = registry.collect(1.0)
    collection.confirm()
    return {(s.name, *s.labels.values()): s.value for s in (*collection.samples, *collection.gauges)}


def nothing() -> list[float]:
    return []


def collectors(names: str, registry: Registry, clock: Callable[[], float] = time.monotonic) -> Collectors:
    return Collectors(names.split(), registry, commits=nothing, waiting=lambda: 0, interval=5.0, monotonic=clock)


class Readings:
    """A process that tells what a test says."""

    def __init__(self, *readings: ProcessReading) -> None:
        self._readings = list(readings)

    def __call__(self) -> ProcessReading:
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


def process_collector(registry: Registry, *readings: ProcessReading) -> ProcessCollector:
    """One that is not the first of its process: it counts from the first of the readings on."""
    ProcessCollector(Registry(), Readings(ProcessReading(0.0)))
    return ProcessCollector(registry, Readings(*readings))


def test_cpu_time_is_reported_as_increments_and_memory_as_it_is() -> None:
    registry = Registry()
    collector = process_collector(
        registry, ProcessReading(2.0), ProcessReading(2.5, 10, 20, 3, 99, 7.0), ProcessReading(4.5, 11, 20, 3, 99, 7.0)
    )
    collector.look()
    first = reported(registry)
    collector.look()

    assert (first, reported(registry)) == (
        {
            ("process_cpu_seconds_total",): 0.5,
            ("process_resident_memory_bytes",): 10,
            ("process_virtual_memory_bytes",): 20,
            ("process_open_fds",): 3,
            ("process_max_fds",): 99,
            ("process_start_time_seconds",): 7.0,
        },
        {("process_cpu_seconds_total",): 2, ("process_resident_memory_bytes",): 11},
    )


def test_what_a_system_does_not_tell_is_missing() -> None:
    registry = Registry()
    process_collector(registry, ProcessReading(2.0), ProcessReading(3.0, open_fds=4)).look()

    assert reported(registry) == {("process_cpu_seconds_total",): 1, ("process_open_fds",): 4}


def test_a_forked_child_counts_its_own_cpu_time_from_0_and_tells_all_gauges() -> None:
    registry = Registry()
    collector = process_collector(
        registry, ProcessReading(2.0), ProcessReading(9.0, 10, 20, 3, 99, 7.0), ProcessReading(0.25, 10, 20, 3, 99, 8.0)
    )
    collector.look()
    reported(registry)
    registry.begin_anew()
    collector.begin_anew()
    collector.look()

    assert reported(registry) == {
        ("process_cpu_seconds_total",): 0.25,
        ("process_resident_memory_bytes",): 10,
        ("process_virtual_memory_bytes",): 20,
        ("process_open_fds",): 3,
        ("process_max_fds",): 99,
        ("process_start_time_seconds",): 8.0,
    }


def test_cpu_time_that_began_anew_unseen_is_all_new() -> None:
    registry = Registry()
    collector = process_collector(registry, ProcessReading(2.0), ProcessReading(0.5), ProcessReading(0.75))
    collector.look()
    collector.look()

    assert reported(registry) == {("process_cpu_seconds_total",): 0.75}


def test_a_store_that_is_opened_twice_by_one_process_gets_no_cpu_time_twice() -> None:
    storage = MemoryStorage()
    for _ in range(2):
        obs = Observability(storage, handle_sigterm=False, collectors=["process"])
        obs.info("begin")
        obs.close()

    [cpu] = asyncio.run(families(storage, "process_cpu_seconds_total"))[0].series
    assert isinstance(cpu.value, float)
    assert 0 < cpu.value <= time.process_time()


def test_garbage_collections_are_counted_from_the_beginning_of_the_collector_on() -> None:
    stats = [{"collections": 5, "collected": 50, "uncollectable": 1}]
    registry = Registry()
    collector = PythonCollector(registry, lambda: stats)
    collector.look()
    first = reported(registry)
    stats = [{"collections": 7, "collected": 50, "uncollectable": 4}]
    collector.look()

    assert (first, reported(registry)) == (
        {
            ("python_gc_collections_total", "0"): 0,
            ("python_gc_objects_collected_total", "0"): 0,
            ("python_gc_objects_uncollectable_total", "0"): 0,
            ("python", *(text for _, text in sorted(python_labels().items()))): 1,
        },
        {("python_gc_collections_total", "0"): 2, ("python_gc_objects_uncollectable_total", "0"): 3},
    )


def test_a_forked_child_does_not_count_the_collections_of_its_parent() -> None:
    stats = [{"collections": 5, "collected": 50, "uncollectable": 1}]
    registry = Registry()
    collector = PythonCollector(registry, lambda: stats)
    collector.look()
    reported(registry)
    stats = [{"collections": 9, "collected": 50, "uncollectable": 1}]
    registry.begin_anew()
    collector.begin_anew()
    stats = [{"collections": 10, "collected": 50, "uncollectable": 1}]
    collector.look()

    assert reported(registry) == {
        ("python_gc_collections_total", "0"): 1,
        ("python", *(text for _, text in sorted(python_labels().items()))): 1,
    }


def test_every_generation_of_this_python_is_there() -> None:
    registry = Registry()
    PythonCollector(registry)
    generations = {key[1] for key in reported(registry) if key[0] == "python_gc_collections_total"}

    assert generations == {str(number) for number in range(len(gc.get_stats()))}


def test_the_library_tells_its_commits_its_workers_and_what_waits() -> None:
    registry = Registry()
    LibraryCollector(registry, lambda: [0.002, 0.3], lambda: 12).look()
    found = reported(registry)
    took = found.pop(("observabilipy_commit_duration_seconds",))

    assert isinstance(took, HistogramValue)
    assert (took.count, took.sum, found) == (
        2,
        0.302,
        {("observabilipy_workers",): 1, ("observabilipy_log_entries_waiting",): 12},
    )


def test_commits_that_a_parent_has_not_told_yet_are_not_told_by_its_child() -> None:
    registry = Registry()
    times = [0.002]

    def commits() -> list[float]:
        taken = times[:]
        times.clear()
        return taken

    collector = LibraryCollector(registry, commits, lambda: 0)
    reported(registry)
    registry.begin_anew()
    collector.begin_anew()
    collector.look()

    assert ("observabilipy_commit_duration_seconds",) not in reported(registry)


def test_stored_entries_are_told_by_level_and_foreign_levels_are_one() -> None:
    registry = Registry()
    one = LevelFacts(3, 0, 0, 30)
    StoreCollector(registry).look(LogFacts("g", 0, 0, {"INFO": one, "AUDIT": one, "NOTICE": one}), 4096)

    assert reported(registry) == {
        ("observabilipy_log_entries", "DEBUG"): 0,
        ("observabilipy_log_entries", "INFO"): 3,
        ("observabilipy_log_entries", "WARNING"): 0,
        ("observabilipy_log_entries", "ERROR"): 0,
        ("observabilipy_log_entries", "CRITICAL"): 0,
        ("observabilipy_log_entries", "other"): 6,
        ("observabilipy_log_bytes",): 90,
        ("observabilipy_storage_bytes",): 4096,
    }


@pytest.mark.parametrize(
    ("passed", "asked", "looked"), [(0.5, True, False), (1.0, True, True), (4.9, False, False), (5.0, False, True)]
)
def test_it_is_looked_every_five_seconds_or_for_who_asks_once_a_second(
    passed: float, asked: bool, looked: bool
) -> None:
    clock, registry = FakeClock(), Registry()
    made = collectors("library", registry, clock)
    made.look(asked=asked)
    reported(registry)
    clock.advance(passed)
    made._collectors["library"].begin_anew()  # whatever it tells is told anew
    made.look(asked=asked)

    assert bool(reported(registry)) is looked


def test_a_collector_that_fails_is_counted_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    made = collectors("process library", registry)

    def broken() -> ProcessReading:
        raise PermissionError("no /proc for you")

    made._collectors["process"] = collector = ProcessCollector.__new__(ProcessCollector)
    collector._read = broken
    for _ in range(2):
        made.look(asked=False, last=True)
    found = reported(registry)

    assert (found["observabilipy_failures_total", "reading the process metrics"], found["observabilipy_workers",]) == (
        2,
        1,
    )
    assert len(caplog.records) == 1


@pytest.mark.parametrize("names", ["process", ["proces"], [["process"]], 7, None])
def test_collectors_that_there_are_not_are_refused(names: object) -> None:
    with pytest.raises(ConfigurationError, match=r"collectors must be some of 'process', 'python', 'library', got"):
        Observability(collectors=names)  # type: ignore[arg-type]  # on purpose


def test_an_interval_must_be_positive() -> None:
    with pytest.raises(ConfigurationError, match="collect_interval must be a positive number, got 0"):
        EmbeddedRuntime(MemoryStorage(), collect_interval=0)


async def families(storage: MemoryStorage, *names: str) -> list[Family]:
    return [family async for family in storage.totals(names or None)]


def test_a_program_that_asks_for_none_gets_none() -> None:
    with Observability(handle_sigterm=False, collectors=()) as obs:
        obs.info("m")
        obs.flush()

        assert asyncio.run(families(obs.storage)) == []  # type: ignore[arg-type]  # it is one


def test_a_program_gets_all_of_them_with_its_first_record() -> None:
    with Observability(handle_sigterm=False) as obs:
        obs.info("m")
        obs.flush()
        found = {family.name for family in asyncio.run(families(obs.storage))}  # type: ignore[arg-type]  # it is one

    assert {name for name in found if not name.startswith(("process_", "observabilipy_"))} == {
        "python_gc_collections_total",
        "python_gc_objects_collected_total",
        "python_gc_objects_uncollectable_total",
        "python",
    }
    assert {"process_cpu_seconds_total", "observabilipy_workers", "observabilipy_commit_duration_seconds"} <= found


def test_a_program_that_records_nothing_starts_no_worker_and_leaves_nothing() -> None:
    class Untouched(MemoryStorage):
        def commit(self, batch: object) -> object:  # type: ignore[override]  # never called
            raise AssertionError("nothing was recorded")

    Observability(Untouched(), handle_sigterm=False).close()


def test_an_idle_program_does_not_commit_for_its_collectors_between_two_looks() -> None:
    commits = []

    class Counted(MemoryStorage):
        def commit(self, batch):  # type: ignore[no-untyped-def]  # as it is
            commits.append(batch)
            return super().commit(batch)

    with Observability(Counted(), handle_sigterm=False, flush_interval=0.001) as obs:
        obs.info("m")
        obs.flush()
        looks = len(commits)
        for _ in range(20):
            obs.flush()

        assert len(commits) == looks


async def test_a_program_may_rest_and_stays_asleep() -> None:
    with Observability(handle_sigterm=False) as obs:
        obs.info("m")
        await obs.runtime.arest()

        assert (obs.runtime._thread, [e.message async for e in obs.storage.read_logs(LogQuery())]) == (None, ["m"])


async def test_what_is_stored_is_told_by_the_one_that_looks_after_the_storage() -> None:
    storage = MemoryStorage()
    runtime = EmbeddedRuntime(storage, collectors=["library"], flush_interval=0.01, retention_interval=0.02)
    with runtime:
        while not (found := await families(storage, "observabilipy_log_entries")):
            await asyncio.sleep(0.005)

    levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    assert [series.labels["level"] for series in found[0].series] == levels


def test_the_last_look_is_at_the_end() -> None:
    storage = MemoryStorage()
    obs = Observability(storage, handle_sigterm=False, collectors=["process"])
    obs.info("m")
    obs.flush()
    before = _cpu(storage)
    spun = time.process_time() + 0.02
    while time.process_time() < spun:
        pass
    obs.close()

    assert _cpu(storage) - before >= 0.02


def _cpu(storage: MemoryStorage) -> float:
    [family] = asyncio.run(families(storage, "process_cpu_seconds_total"))
    [series] = family.series
    assert isinstance(series, Series)
    assert isinstance(series.value, int | float)
    return series.value


def test_collectors_are_not_imported_before_somebody_wants_them() -> None:
    import subprocess

    program = (
        "import sys, observabilipy; o = observabilipy.Observability(collectors=(), handle_sigterm=False);"
        "print([n for n in sys.modules if 'collectors' in n])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", check=True)

    assert done.stdout == "[]\n"
