"""Totals: what the contract does not ask of every storage."""

import asyncio
import math
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    Matcher,
    MetricKind,
    MetricQuery,
    MetricSample,
    Series,
    counter,
    gauge,
    histogram,
)
from observabilipy.ports import Batch, Worker
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage, sampling
from observabilipy_sqlite.frames import Frame
from observabilipy_sqlite.writer import Writer

_DAY = 86_400.0
_A = Worker("worker-a")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def storage(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db", clock=clock)
    yield storage
    await storage.aclose()


async def _series(storage: SQLiteStorage) -> list[Series]:
    return [series async for family in storage.totals() for series in family.series]


async def test_the_newest_exemplar_of_each_bucket_is_kept(storage: SQLiteStorage) -> None:
    def observed(*values: float, trace: str) -> MetricSample:
        exemplars = tuple(Exemplar({"trace_id": trace}, value, 5.0) for value in values)
        return MetricSample("h", HistogramValue.of((1, 2), values), {}, MetricKind.HISTOGRAM, 5.0, exemplars=exemplars)

    await storage.write_samples([observed(0.5, 1.5, trace="old"), observed(1.25, 9.0, trace="new")])
    (before,) = await _series(storage)
    await storage.register([Family("h", MetricKind.HISTOGRAM, "H.", bounds=(2, 10))])
    (after,) = await _series(storage)

    assert [(e.labels["trace_id"], e.value) for e in before.exemplars] == [("old", 0.5), ("new", 1.25), ("new", 9.0)]
    assert [e.value for e in after.exemplars] == [1.25, 9.0]


@pytest.mark.parametrize("names", [None, ["h"]])
async def test_an_exemplar_from_under_older_bounds_hides_no_newer_one(
    storage: SQLiteStorage, names: list[str] | None
) -> None:
    for bounds, moment in (((1.0, 2.0, 3.0), 5.0), ((9.0,), 6.0)):
        await storage.register([Family("h", MetricKind.HISTOGRAM, "H.", bounds=bounds)])
        exemplar = Exemplar({"trace_id": "abc"}, 2.5, moment)
        value = HistogramValue.of(bounds, [2.5])
        await storage.write_samples([MetricSample("h", value, {}, MetricKind.HISTOGRAM, moment, exemplars=(exemplar,))])
    (family,) = [family async for family in storage.totals(names)]

    assert [exemplar.timestamp for exemplar in family.series[0].exemplars] == [6.0]


async def test_a_counter_keeps_its_newest_exemplar(storage: SQLiteStorage) -> None:
    for trace in "ab":
        exemplar = Exemplar({"trace_id": trace}, 1)
        await storage.write_samples([MetricSample("a_total", 1, {}, MetricKind.COUNTER, 5.0, exemplars=(exemplar,))])
    (series,) = await _series(storage)

    assert series.exemplars == (Exemplar({"trace_id": "b"}, 1),)


async def test_series_idle_for_thirty_days_end_when_the_store_is_maintained(
    storage: SQLiteStorage, clock: FakeClock
) -> None:
    storage.commit(Batch(_A, 1, (), (counter("idle_total"), counter("busy_total")), (gauge("g", 1),)))
    clock.advance(20 * _DAY)
    storage.commit(Batch(_A, 2, (), (counter("busy_total"),)))
    clock.advance(11 * _DAY)
    storage.heartbeat(_A)
    storage.maintain()

    assert {family.name async for family in storage.totals()} == {"busy_total"}


async def test_a_gauge_that_its_living_worker_never_changed_is_not_idle(
    storage: SQLiteStorage, clock: FakeClock
) -> None:
    patient = Worker("worker-a", lifetime=40 * _DAY)
    storage.commit(Batch(patient, 1, gauges=(gauge("g", 1),)))
    clock.advance(35 * _DAY)
    storage.maintain()

    assert [series.value for series in await _series(storage)] == [1]


async def test_gauges_whose_workers_are_gone_make_room_for_others(storage: SQLiteStorage, clock: FakeClock) -> None:
    family = Family("g", MetricKind.GAUGE, "G.", aggregate="sum", series_limit=1)
    storage.commit(Batch(_A, 1, gauges=(gauge("g", 1, labels={"x": "1"}),), families=(family,)))
    clock.advance(60)
    storage.maintain()
    report = storage.commit(Batch(Worker("worker-b"), 1, gauges=(gauge("g", 2, labels={"x": "2"}),)))

    assert (report.refused, [series.labels for series in await _series(storage)]) == ({}, [{"x": "2"}])


async def test_a_name_stays_known_for_as_long_as_the_history_mentions_it(
    storage: SQLiteStorage, clock: FakeClock
) -> None:
    async def points() -> list[int]:
        return [len(each.points) async for each in storage.read_history(MetricQuery("a_total"))]

    await storage.write_samples([counter("a_total"), counter("b_total")])
    storage.sample_history(clock())
    clock.advance(10)
    await storage.delete_series([Matcher("__name__", "a_total")])
    storage.maintain()
    before = await points()
    clock.advance(10)
    storage.sample_history(clock())
    await storage.delete_history_before(clock())
    storage.maintain()
    (rows,) = storage._database.read(lambda connection: connection.execute("SELECT count(*) FROM series").fetchone())

    assert (before, await points(), rows) == ([1], [], 1)


async def test_a_long_history_is_read_in_pages(storage: SQLiteStorage, clock: FakeClock) -> None:
    await storage.write_samples([counter("a_total")])
    for _ in range(250):
        clock.advance(10)
        await asyncio.to_thread(storage.sample_history, clock())
    (got,) = [each async for each in storage.read_history(MetricQuery("a_total"))]

    assert [moment for moment, _ in got.points] == [1_800_000_010.0 + 10 * number for number in range(250)]


async def test_a_histogram_defined_without_bounds_takes_those_of_its_first_report(storage: SQLiteStorage) -> None:
    bare = Family("h", MetricKind.HISTOGRAM, "H.")
    await storage.register([bare])
    await storage.write_samples(
        [histogram("h", HistogramValue.of((1,), [2])), histogram("h", HistogramValue.of((5,), [2]))]
    )
    await storage.register([bare])
    (series,) = await _series(storage)

    assert series.value == HistogramValue((1,), (0, 2), 4)


async def test_a_gauge_whose_definition_comes_later_is_not_lost(storage: SQLiteStorage) -> None:
    storage.commit(Batch(_A, 1, gauges=(gauge("g", 3),)))
    storage.commit(Batch(Worker("worker-b"), 1, gauges=(gauge("g", 4),)))
    await storage.register([Family("g", MetricKind.GAUGE, "G.", aggregate="sum")])

    assert [series.value for series in await _series(storage)] == [7]


async def test_series_are_counted_once_for_all_that_begin_in_a_commit(storage: SQLiteStorage) -> None:
    await storage.register([Family("c_total", MetricKind.COUNTER, "C.", series_limit=3)])
    counted: list[str] = []
    with closing(sqlite3.connect(storage.path)) as connection:
        connection.set_trace_callback(lambda sql: counted.append(sql) if "count(*)" in sql else None)
        writer = Writer(connection, 1)
        writer.add([counter("c_total", labels={"a": str(number)}) for number in range(5)])

    assert (len(counted), writer.report().overflowed) == (1, {"c_total": 2})


async def test_others_write_while_the_totals_are_read_for_the_history(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.write_samples([counter("c_total", 2)])
    read = sampling.sample

    def watched(connection: sqlite3.Connection, timestamp: int, now: int) -> Frame:
        with closing(sqlite3.connect(storage.path, timeout=0)) as other, other:
            other.execute("UPDATE total SET value = 3")
        return read(connection, timestamp, now)

    monkeypatch.setattr("observabilipy_sqlite.storage.sample", watched)
    storage.sample_history(1.0)
    storage.sample_history(2.0)
    (found,) = [series async for series in storage.read_history(MetricQuery("c_total"))]

    assert [value for _, value in found.points] == [2, 3]


async def test_the_history_has_what_is_shown_at_its_moment(storage: SQLiteStorage) -> None:
    samples = [
        counter("big_total", 2**60 + 1),
        gauge("nan", math.nan),
        gauge("tenth", 0.1),
        gauge("open", 3),
        histogram("h", HistogramValue.of((1, 2), [0.5, 1.5])),
        gauge("was_gauge", 1),
    ]
    await storage.register([Family("open", MetricKind.GAUGE, "O.", aggregate="sum")])
    await storage.write_samples(samples)
    await storage.register(
        [
            Family("h", MetricKind.HISTOGRAM, "H.", bounds=(2.0,)),
            Family("was_gauge", MetricKind.HISTOGRAM, "H.", bounds=(2.0,)),
        ]
    )
    storage.sample_history(5.0)
    points = {
        name: [
            point for series in [s async for s in storage.read_history(MetricQuery(name))] for point in series.points
        ]
        for name in ("big_total", "nan", "tenth", "open", "h", "was_gauge")
    }

    assert repr(points) == repr(
        {
            "big_total": [(5.0, 2**60 + 1)],
            "nan": [(5.0, math.nan)],
            "tenth": [(5.0, 0.1)],
            "open": [(5.0, 3)],
            "h": [(5.0, HistogramValue((2.0,), (2, 0), 2.0))],
            "was_gauge": [],
        }
    )
