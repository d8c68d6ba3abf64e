"""The history against a list: whatever is packed, thinned, deleted or reopened, what is read is what was sampled."""

import asyncio
import math
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from observabilipy.models import (
    HistogramValue,
    MetricQuery,
    MetricSample,
    SeriesHistory,
    SeriesValue,
    counter,
    gauge,
    histogram,
)
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.frames import frame_of
from observabilipy_sqlite.history import store
from observabilipy_sqlite.values import Plain

START = 1_800_014_400.0  # where windows of two and of twelve hours begin
HISTORY = {0: 86_400, 60: 30 * 86_400, 3_600: 730 * 86_400}
FOR_EVER = dict.fromkeys(HISTORY, 10_000 * 86_400)

Point = tuple[float, SeriesValue | None]


def opened(path: Path, clock: FakeClock, **options: Any) -> SQLiteStorage:
    return SQLiteStorage(path / "obs.db", clock=clock, history=options.pop("history", HISTORY), **options)


def settle(storage: SQLiteStorage) -> None:
    """Maintain until there is nothing more to do."""
    packer = storage._packer
    while True:
        packer.work(storage._now())
        if packer._steps is None and packer._next(storage._now()) is None:
            break


def put(storage: SQLiteStorage, seconds: float, *numbers: Plain | None) -> None:
    """Sample so many seconds after START."""
    frame = frame_of(
        round((START + seconds) * 1_000_000),
        [(series, value) for series, value in enumerate(numbers, 1) if value is not None],
    )
    storage._database.write(lambda connection: store(connection, frame))


async def begin(storage: SQLiteStorage, *samples: MetricSample) -> None:
    """Let series 1, 2, ... be these."""
    for sample in samples or (counter("c_total"),):
        await storage.write_samples([sample])


async def read(storage: SQLiteStorage, query: MetricQuery) -> list[SeriesHistory]:
    return [series async for series in storage.read_history(query)]


numbers = (
    st.integers(-(2**70), 2**70)
    | st.integers(0, 5)
    | st.floats(width=16)
    | st.floats()
    | st.sampled_from([0.125, 1e300, -1e300, math.inf, 1.5])
)
histograms = st.sampled_from([(1.0,), (1.0, 2.0), (0.5, 3.0)]).flatmap(
    lambda bounds: st.tuples(
        st.just(bounds),
        st.lists(st.integers(0, 2**66) | st.integers(0, 9), min_size=len(bounds) + 1, max_size=len(bounds) + 1),
        numbers,
    )
)
frames = st.tuples(st.none() | numbers, st.none() | numbers, st.none() | histograms)
gaps = st.sampled_from([1, 10, 10, 10, 61, 700, 3_600, 7_200, 50_000])
actions = st.tuples(st.just("sample"), gaps, frames) | st.tuples(
    st.sampled_from(["pack", "maintain", "delete", "reopen"]), gaps, st.just((None, None, None))
)
NAMES = ("c_total", "g", "h")


@settings(deadline=None, max_examples=60)
@given(st.lists(actions, max_size=40))
def test_the_history_is_a_list(script: list[tuple[str, int, tuple[Any, ...]]]) -> None:
    clock = FakeClock(START)
    model: dict[float, tuple[Any, ...]] = {}
    with TemporaryDirectory() as directory:
        storage = opened(Path(directory), clock, history=FOR_EVER)
        asyncio.run(begin(storage, counter("c_total"), gauge("g", 0), histogram("h", HistogramValue.of((1,), []))))
        for action, gap, values in script:
            clock.advance(gap)
            if action == "sample":
                put(storage, clock() - START, *values)
                model[clock()] = values
            elif action == "pack":
                settle(storage)
            elif action == "maintain":
                storage.maintain()
            elif action == "delete":
                floor = clock() - 3 * gap
                asyncio.run(storage.delete_history_before(floor))
                model = {moment: values for moment, values in model.items() if moment >= floor}
            else:
                storage.close()
                storage = opened(Path(directory), clock, history=FOR_EVER)
        got = [asyncio.run(read(storage, MetricQuery(name))) for name in NAMES]
        storage.close()

    for index, found in enumerate(got):
        expected = expected_points(model, index)
        assert [same(one.points) for one in found] == ([same(expected)] if expected else [])


def expected_points(model: dict[float, tuple[Any, ...]], index: int) -> list[Point]:
    expected: list[Point] = []
    for moment, values in sorted(model.items()):
        value = values[index]
        if value is not None:
            expected.append((moment, HistogramValue(*value) if isinstance(value, tuple) else value))
        elif expected and expected[-1][1] is not None:
            expected.append((moment, None))
    return expected


def same(some: Iterable[Point]) -> list[tuple[float, object]]:
    """Equal for equal points, NaN being itself."""
    return [(moment, comparable(value)) for moment, value in some]


def comparable(value: SeriesValue | None) -> object:
    if isinstance(value, HistogramValue):
        return (value.bounds, value.counts, comparable(value.sum))
    return "NaN" if value != value else value  # noqa: PLR0124 - only NaN is not itself


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from([1, 7, 10, 30, 61]), st.none() | st.integers(0, 99)), min_size=1, max_size=60)
)
def test_thinned_points_are_the_last_or_the_mean_of_their_minute(samples: list[tuple[int, int | None]]) -> None:
    clock = FakeClock(START)
    minutes: dict[int, list[tuple[float, int | None]]] = {}
    with TemporaryDirectory() as directory:
        storage = opened(Path(directory), clock)
        asyncio.run(begin(storage, counter("c_total"), gauge("g", 0)))
        for gap, value in samples:
            put(storage, clock() - START, value, value)
            minutes.setdefault(int(clock() // 60), []).append((clock(), value))
            clock.advance(gap)
        clock.advance(7_200)
        settle(storage)
        last, mean = [asyncio.run(read(storage, MetricQuery(name, step=60))) for name in ("c_total", "g")]
        storage.close()

    values = {some[-1][0]: [value for _, value in some if value is not None] for some in minutes.values()}
    assert thinned(last) == [(moment, some[-1]) for moment, some in values.items() if some]
    assert thinned(mean) == [(moment, sum(some) / len(some)) for moment, some in values.items() if some]
    assert [one for series in mean for one in series.ranges if one is not None] == [
        (min(some), max(some)) for some in values.values() if some
    ]


def thinned(found: list[SeriesHistory]) -> list[Point]:
    return [point for series in found for point in series.points if point[1] is not None]
