"""Maintenance: what a wrong clock does not delete, and what is looked for without keeping writers waiting."""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from observabilipy.models import Family, Matcher, MetricKind, MetricQuery, counter, to_micros
from observabilipy.ports import Batch, Worker
from observabilipy.retention import PatientClock
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.history import Reading, matching_series
from observabilipy_sqlite.maintenance import Maintenance
from observabilipy_sqlite.tiers import DEFAULT_HISTORY, Tiers

START = 1_800_014_400.0
YEARS = 3 * 365 * 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def storage(tmp_path: Path, clock: FakeClock) -> Iterable[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db", clock=clock)
    yield storage
    storage.close()


def settle(maintenance: Maintenance) -> None:
    for _ in range(20):
        maintenance.work()


async def values(storage: SQLiteStorage) -> list[Any]:
    return [series.value async for family in storage.totals() for series in family.series]


async def kept(storage: SQLiteStorage) -> int:
    return len([point async for one in storage.read_history(MetricQuery("c_total")) for point in one.points])


async def test_a_clock_that_jumps_ahead_for_a_moment_takes_neither_history_nor_totals(
    storage: SQLiteStorage, clock: FakeClock
) -> None:
    running = FakeClock(0.0)
    patient = PatientClock(clock, running)
    maintenance = Maintenance(
        storage._database, Tiers(DEFAULT_HISTORY), lambda: to_micros(clock()), lambda: to_micros(patient())
    )

    def passes(seconds: float) -> None:
        clock.advance(seconds)
        running.advance(seconds)

    await storage.write_samples([counter("c_total", 3)])
    for _ in range(130):
        storage.sample_history(clock())
        passes(10)
    settle(maintenance)
    clock.advance(YEARS)
    settle(maintenance)
    passes(1_800)
    settle(maintenance)
    during = await values(storage), await kept(storage)
    clock.advance(-YEARS)
    settle(maintenance)
    after = await values(storage), await kept(storage)
    clock.advance(YEARS)
    settle(maintenance)
    passes(3_601)  # an hour later it is believed
    settle(maintenance)
    settle(maintenance)

    assert during == after == ([3], 130)
    assert (await values(storage), await kept(storage)) == ([], 0)


async def test_series_that_end_are_looked_for_while_others_may_write(storage: SQLiteStorage, clock: FakeClock) -> None:
    await storage.register([Family("c_total", MetricKind.COUNTER, series_limit=10_000)])
    storage.sample_history(clock())
    await storage.write_samples([counter("c_total", labels={"i": str(number)}) for number in range(2_000)])
    await storage.delete_series([Matcher("i", "0", "!=")])
    clock.advance(60)
    storage.maintain()
    locked = steps_of_writes(storage)
    clock.advance(60)
    storage.maintain()

    # To find out that there is nothing to do reads all of the series.
    assert sum(locked) < 20


async def test_what_begins_does_not_look_at_all_that_ended(storage: SQLiteStorage, clock: FakeClock) -> None:
    def begin(storage: SQLiteStorage, number: int) -> None:
        storage.commit(Batch(Worker("a"), number, samples=(counter("c_total", labels={"j": str(number)}),)))

    storage.sample_history(clock())
    begin(storage, 1)
    await storage.register([Family("c_total", MetricKind.COUNTER, series_limit=10_000)])
    await storage.write_samples([counter("c_total", labels={"i": str(number)}) for number in range(5_000)])
    await storage.delete_series([Matcher("i", "", "!=")])
    locked = steps_of_writes(storage)
    begin(storage, 2)
    storage.sample_history(clock() + 10)
    storage.maintain()

    assert sum(locked) < 20


def steps_of_writes(storage: SQLiteStorage) -> list[int]:
    """Thousands of steps of SQLite's machine from now on, of each transaction that has the write lock."""
    steps: list[int] = []
    write = storage._database.write

    def counted(function: Callable[[Any], Any]) -> Any:
        def inner(connection: sqlite3.Connection) -> Any:
            steps.append(0)

            def step() -> None:
                steps[-1] += 1

            connection.set_progress_handler(step, 1_000)
            try:
                return function(connection)
            finally:
                connection.set_progress_handler(None, 0)

        return write(inner)

    storage._database.write = counted  # type: ignore[method-assign]
    return steps


async def test_series_that_come_and_go_are_forgotten_with_the_history(storage: SQLiteStorage, clock: FakeClock) -> None:
    await storage.register([Family("c_total", MetricKind.COUNTER, series_limit=10_000)])
    for day in range(30):
        for number in range(20):
            await storage.write_samples([counter("c_total", labels={"pod": f"{day}-{number}"})])
            storage.sample_history(clock())
            await storage.delete_series([Matcher("pod", f"{day}-{number}")])
        await storage.delete_history_before(clock() - 2 * 86_400)
        storage.maintain()
        clock.advance(86_400)

    ((number,),) = storage._database.read(lambda one: one.execute("SELECT count(*) FROM series").fetchall())
    assert number <= 80


async def test_a_series_may_be_forgotten_while_its_history_is_read(storage: SQLiteStorage, clock: FakeClock) -> None:
    await storage.write_samples([counter("c_total", labels={"x": "a"}), counter("c_total", labels={"x": "b"})])
    for _ in range(150):
        storage.sample_history(clock())
        clock.advance(10)
    await storage.delete_series([Matcher("x", "a")])
    clock.advance(10)
    storage.sample_history(clock())
    pages = Reading(storage._database, MetricQuery("c_total")).pages()
    assert next(pages) is None
    await storage.delete_history_before(clock())
    storage.maintain()
    found = None
    while found is None:
        found = next(pages)

    assert sorted(one.labels["x"] for one in found) == ["a", "b"]


async def test_what_ended_long_before_a_query_is_not_looked_at(storage: SQLiteStorage, clock: FakeClock) -> None:
    for name in "abc":
        await storage.write_samples([counter("c_total", labels={"x": name})])
        storage.sample_history(clock())
        if name != "c":
            await storage.delete_series([Matcher("x", name)])
        clock.advance(2 * 86_400)

    def names(since: float | None) -> list[str]:
        found = storage._database.read(lambda one: matching_series(one, MetricQuery("c_total", since=since)))
        return [labels["x"] for _, _, labels in found.values()]

    assert names(None) == ["a", "b", "c"]
    assert names(START + 3_600) == ["a", "b", "c"]
    assert names(START + 2 * 86_400) == ["b", "c"]
    assert names(START + 9 * 86_400) == ["c"]
