"""Snapshots of all totals: what is remembered between two of them is never shown when it is not true any more."""

import json
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observabilipy.encoding.exposition import encode_family
from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    LabelSets,
    Matcher,
    MetricKind,
    MetricSample,
    SeriesColumns,
    counter,
    gauge,
    histogram,
)
from observabilipy.ports import Batch, Worker
from observabilipy.storage import InMemoryMetricsStorage
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def storage(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db", clock=clock)
    yield storage
    await storage.aclose()


async def totals(storage: SQLiteStorage, names: list[str] | None = None) -> list[Family]:
    return [family async for family in storage.totals(names)]


async def labels_of(storage: SQLiteStorage) -> list[LabelSets]:
    return [family.series.labels async for family in storage.totals() if isinstance(family.series, SeriesColumns)]


def rows(families: list[Family]) -> list[tuple[str, list[tuple[str, object, float | None]]]]:
    return [(f.name, [(json.dumps(dict(s.labels)), s.value, s.created) for s in f.series]) for f in families]


async def test_the_labels_of_the_same_series_are_the_same_object(storage: SQLiteStorage) -> None:
    await storage.write_samples([counter("a_total", labels={"x": x}) for x in "ba"] + [counter("b_total")])
    first, other = await labels_of(storage)
    await storage.write_samples([counter("a_total", 5, labels={"x": "a"}), counter("b_total", labels={"y": "new"})])
    later, changed = await labels_of(storage)

    assert (later is first, list(first), changed is other) == (True, [{"x": "a"}, {"x": "b"}], False)


async def test_a_series_that_begins_anew_has_its_new_beginning(storage: SQLiteStorage, clock: FakeClock) -> None:
    await storage.write_samples([counter("a_total", 5), counter("b_total", 7)])
    await totals(storage)
    await storage.delete_series([Matcher("__name__", "a_total")])
    clock.advance(10)
    await storage.write_samples([counter("a_total", 1)])

    now = clock()
    assert rows(await totals(storage)) == [("a_total", [("{}", 1, now)]), ("b_total", [("{}", 7, now - 10)])]


async def test_what_took_the_place_of_another_series_has_its_own_labels(storage: SQLiteStorage) -> None:
    await storage.write_samples([counter("a_total", 5, labels={"x": "old"})])
    await totals(storage)
    await storage.delete_series([Matcher("x", "old")])
    storage.maintain()  # forgets the series: the clock stands still, so a new one could be taken for it
    await storage.write_samples([counter("a_total", 6, labels={"x": "new"})])

    assert [(dict(s.labels), s.value) for f in await totals(storage) for s in f.series] == [({"x": "new"}, 6)]


async def test_all_values_come_back_as_they_are(storage: SQLiteStorage) -> None:
    numbers = [
        0,
        -1,
        2**53 + 1,
        2**63 - 1,
        0.1,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        math.inf,
        -math.inf,
        math.nan,
        1e15,
    ]
    samples = [gauge("a", number, labels={"n": f"{place:02}"}) for place, number in enumerate(numbers)]
    await storage.write_samples([*samples, histogram("h", HistogramValue.of((0.1, 1), (0.05, 0.3)))])

    values = [repr(series.value) for family in await totals(storage) for series in family.series]
    assert values == [*map(repr, numbers), repr(HistogramValue((0.1, 1.0), (1, 1, 0), 0.35))]


async def test_more_totals_than_one_statement_reads(storage: SQLiteStorage) -> None:
    await storage.register([Family("a", MetricKind.GAUGE, "A.", series_limit=10_000)])
    numbers = [place + 0.5 if place % 3 else place for place in range(8_500)]
    await storage.write_samples([gauge("a", number, labels={"n": f"{at:04}"}) for at, number in enumerate(numbers)])
    (family,) = await totals(storage)

    assert [series.value for series in family.series] == numbers


async def test_a_file_that_was_replaced_is_another_one(storage: SQLiteStorage, tmp_path: Path) -> None:
    await storage.write_samples([counter("a_total", 5, labels={"x": "old"})])
    await totals(storage)
    other = SQLiteStorage(tmp_path / "other.db", clock=FakeClock())
    await other.write_samples([counter("a_total", 6, labels={"x": "new"})])
    await other.aclose()
    for name in ("obs.db", "obs.db-wal", "obs.db-shm"):
        (tmp_path / name).unlink()
    (tmp_path / "other.db").rename(tmp_path / "obs.db")

    assert [dict(s.labels) for f in await totals(storage) for s in f.series] == [{"x": "new"}]


async def test_one_family_reads_like_all_of_them(storage: SQLiteStorage) -> None:
    exemplar = Exemplar({"trace_id": "a"}, 0.3, 5.0)
    observed = HistogramValue.of((0.1, 1), (0.05, 0.3))
    await storage.write_samples(
        [
            MetricSample("h", observed, {"x": x}, MetricKind.HISTOGRAM, 5.0, exemplars=(exemplar,) if x == "b" else ())
            for x in "abc"
        ]
    )
    await storage.register([Family("g", MetricKind.GAUGE, "G.", aggregate="sum")])
    storage.commit(Batch(Worker("w"), 1, gauges=(gauge("g", 2.5), gauge("g", 3, labels={"x": "y"}))))

    everything = await totals(storage)
    assert [family.name for family in everything] == ["g", "h"]
    assert everything == await totals(storage, ["g", "h"])


COUNTER_LABELS = st.sampled_from([{"x": "a"}, {"x": '"'}])
GAUGE_LABELS = st.sampled_from([{}, {"x": "%"}])
OBSERVED = st.sampled_from([HistogramValue.of(bounds, (0.5, 2)) for bounds in ((1,), (1, 3))])
STEPS = st.lists(
    st.one_of(
        st.builds(counter, st.sampled_from(["a_total", "b_total"]), st.integers(0, 9), labels=COUNTER_LABELS),
        st.builds(gauge, st.just("g"), st.floats(), labels=GAUGE_LABELS),
        st.builds(histogram, st.just("h"), OBSERVED),
        st.sampled_from(["delete a", "delete x", "maintain", "bounds", "help", "tick"]),
    ),
    max_size=12,
)


@pytest.mark.properties
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(STEPS)
async def test_scrapes_show_what_a_store_shows_that_was_never_scraped(tmp_path: Path, steps: list[object]) -> None:
    """After each step a store is scraped, by templates; at the end memory, asked for the first time, says the same."""
    clock = FakeClock()
    path = next(_paths(tmp_path))
    storage, model = SQLiteStorage(path, clock=clock), InMemoryMetricsStorage(clock=clock)
    try:
        for number, step in enumerate(steps):
            await _take(step, number, clock, storage, model)
            bodies = [[encode_family(family) for family in await totals(storage)] for _ in range(2)]
            assert (
                bodies[0]
                == bodies[1]
                == [encode_family(f) for f in await totals(storage, ["a_total", "b_total", "g", "h"])]
            )
        expected = [_by_labels(family) async for family in model.totals()]
        assert [_by_labels(family) for family in await totals(storage)] == expected
    finally:
        await storage.aclose()


async def _take(step: object, number: int, clock: FakeClock, *storages: SQLiteStorage | InMemoryMetricsStorage) -> None:
    if step == "tick":
        clock.advance(1)
    for storage in storages:
        if isinstance(step, MetricSample):
            await storage.write_samples([step])
        elif step == "delete a":
            await storage.delete_series([Matcher("__name__", "a_total")])
        elif step == "delete x":
            await storage.delete_series([Matcher("x", "a")])
        elif step == "bounds":
            await storage.register([Family("h", MetricKind.HISTOGRAM, "H.", bounds=(1.0, 2.0 + number))])
        elif step == "help":
            await storage.register([Family("a_total", MetricKind.COUNTER, f"Help {number}.")])
        elif step == "maintain" and isinstance(storage, SQLiteStorage):
            storage.maintain()


def _paths(directory: Path) -> Iterator[Path]:
    number = len(list(directory.iterdir()))
    yield directory / f"{number}.db"


def _by_labels(family: Family) -> object:
    found = sorted((sorted(s.labels.items()), repr(s.value), s.created) for s in family.series)
    return family.name, family.help, family.bounds, found


async def test_ids_are_not_used_again(storage: SQLiteStorage, tmp_path: Path) -> None:
    for number in range(3):
        await storage.write_samples([counter("a_total", labels={"x": str(number)})])
        await storage.delete_series([Matcher("x", str(number))])
        storage.maintain()
    await storage.aclose()
    with closing(connect(tmp_path / "obs.db")) as connection:
        assert connection.execute("SELECT id, labels FROM series").fetchall() == [(3, '{"x":"2"}')]
