"""The history in stretches: what is packed and thinned is what was sampled."""

import asyncio
import math
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from observabilipy.models import (
    Matcher,
    MetricQuery,
    MetricSample,
    SeriesHistory,
    SeriesValue,
    counter,
    gauge,
)
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.frames import frame_of
from observabilipy_sqlite.history import Reading, store
from observabilipy_sqlite.packing import Packer
from observabilipy_sqlite.tiers import Tiers
from observabilipy_sqlite.values import Plain

START = 1_800_014_400.0  # where windows of two and of twelve hours begin
HISTORY = {0: 86_400, 60: 30 * 86_400, 3_600: 730 * 86_400}
FOR_EVER = dict.fromkeys(HISTORY, 10_000 * 86_400)

Point = tuple[float, SeriesValue | None]


def opened(path: Path, clock: FakeClock, **options: Any) -> SQLiteStorage:
    return SQLiteStorage(path / "obs.db", clock=clock, history=options.pop("history", HISTORY), **options)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def storage(tmp_path: Path, clock: FakeClock) -> Iterable[SQLiteStorage]:
    storage = opened(tmp_path, clock)
    yield storage
    storage.close()


def layout(storage: SQLiteStorage) -> list[tuple[int, ...]]:
    """Step, whether it is sealed, times and points of each stretch, and the number of frames."""

    def rows(connection: Any) -> list[tuple[int, ...]]:
        found = connection.execute(
            "SELECT step, sealed, times, points FROM stretch WHERE state = 1 ORDER BY step, oldest"
        ).fetchall()
        return [*found, *connection.execute("SELECT count(*) FROM frame").fetchall()]

    return storage._database.read(rows)


def settle(storage: SQLiteStorage, packer: Packer | None = None) -> None:
    """Maintain until there is nothing more to do."""
    packer = storage._packer if packer is None else packer
    while True:
        packer.work(storage._now())
        if packer._steps is None and packer._next(storage._now()) is None:
            break


def values_of(*numbers: Plain | None) -> list[tuple[int, Plain]]:
    """A frame's values: the first number is that of series 1; None is a series that is not there."""
    return [(series, value) for series, value in enumerate(numbers, 1) if value is not None]


def put(storage: SQLiteStorage, seconds: float, *numbers: Plain | None) -> None:
    """Sample so many seconds after START."""
    frame = frame_of(round((START + seconds) * 1_000_000), values_of(*numbers))
    storage._database.write(lambda connection: store(connection, frame))


async def read(storage: SQLiteStorage, query: MetricQuery) -> list[SeriesHistory]:
    return [series async for series in storage.read_history(query)]


async def points(storage: SQLiteStorage, name: str = "c_total", **query: Any) -> tuple[Point, ...]:
    (found,) = await read(storage, MetricQuery(name, **query))
    return found.points


async def begin(storage: SQLiteStorage, *samples: MetricSample) -> None:
    """Let series 1, 2, ... be these."""
    for sample in samples or (counter("c_total"),):
        await storage.write_samples([sample])


async def test_frames_become_a_stretch_when_there_are_enough(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage)
    for number in range(130):
        put(storage, 10 * number, number)
        clock.advance(10)
        storage.maintain()

    assert layout(storage) == [(0, 0, 60, 60), (0, 0, 60, 60), (10,)]
    assert await points(storage) == tuple((START + 10 * number, number) for number in range(130))
    assert await storage.count_samples() == 130


async def test_a_window_that_is_over_is_packed_as_one_and_thinned(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage)
    for number in range(725):
        put(storage, 10 * number, number)
        clock.advance(10)
    settle(storage)

    assert layout(storage) == [(0, 1, 720, 720), (60, 0, 120, 120), (5,)]
    assert await points(storage) == tuple((START + 10 * number, number) for number in range(725))
    thinned = [(START + 60 * minute + 50, 6 * minute + 5) for minute in range(120)]
    assert await points(storage, step=60) == (*thinned, *((START + 7_200 + 10 * one, 720 + one) for one in range(5)))
    assert await storage.count_samples() == 845


async def test_a_thinned_gauge_has_mean_and_range(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage, gauge("g", 1))
    for number in range(720):
        put(storage, 10 * number, (1, 5, 2.5, 9, 0, math.nan)[number % 6])
    clock.advance(7_200)
    settle(storage)
    (found,) = await read(storage, MetricQuery("g", step=60))
    (whole,) = await read(storage, MetricQuery("g"))

    assert found.points == tuple((START + 60 * minute + 50, 3.5) for minute in range(120))
    assert found.ranges == ((0, 9),) * 120
    assert (len(whole.points), whole.ranges) == (720, ())


async def test_each_step_is_kept_for_its_own_age(tmp_path: Path, clock: FakeClock) -> None:
    storage = opened(tmp_path, clock, history={0: 7_200, 60: 43_200, 3_600: 10 * 86_400})
    await begin(storage)
    last = 3 * 43_200 // 60
    for number in range(last):
        put(storage, 60 * number, number)
    clock.advance(3 * 43_200)
    settle(storage)
    found = await points(storage)
    storage.close()

    hours = [(START + 3_600 * hour - 60, 60 * hour - 1) for hour in range(1, 25)]
    minutes = [(START + 60 * number, number) for number in range(2 * 43_200 // 60, last)]
    assert found == (*hours, *minutes)


async def test_points_are_deleted_exactly_wherever_they_are(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage)
    for number in range(800):
        put(storage, 10 * number, number)
    clock.advance(8_000)
    settle(storage)
    counted = await storage.count_samples()
    gone = [await storage.delete_history_before(START + moment) for moment in (65, 65, 7_000, 7_985)]
    left = await points(storage)

    assert (counted, gone) == (800 + 120, [7 + 1, 0, 693 + 115, 99 + 4])
    assert left == ((START + 7_990, 799),)
    assert await storage.count_samples() == 1


async def test_a_series_that_ended_has_a_mark_at_every_step(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage, counter("c_total"), counter("d_total"))
    for number in range(722):
        put(storage, 10 * number, *([number] if number < 100 or 200 <= number < 720 else [None]), number)
    clock.advance(7_220)
    settle(storage)
    whole, thin = await points(storage), await points(storage, step=60)
    before = [(START + 10 * number, number) for number in range(100)]
    after = [(START + 10 * number, number) for number in range(200, 720)]

    assert whole == (*before, (START + 1_000, None), *after, (START + 7_200, None))
    assert [moment - START for moment, value in thin if value is None] == [1_070, 7_200]
    assert thin[16] == (START + 1_010, 99)


async def test_a_series_stays_known_while_any_step_has_it(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage, counter("c_total"), counter("d_total"))
    put(storage, 0, 1, 1)
    await storage.delete_series([Matcher("__name__", "c_total")])
    clock.advance(20 * 86_400)
    settle(storage)
    storage.maintain()
    known = len(await read(storage, MetricQuery("c_total")))
    await storage.delete_history_before(START + 1)
    storage.maintain()

    assert (known, await read(storage, MetricQuery("c_total"))) == (1, [])
    assert storage._database.read(lambda one: one.execute("SELECT name FROM series").fetchall()) == [("d_total",)]


async def test_what_is_sampled_late_is_neither_lost_nor_twice(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage)
    for number in range(0, 720, 2):
        put(storage, 10 * number, number)
    clock.advance(7_200)
    settle(storage)
    for number in (1, 3, 3, 719):
        put(storage, 10 * number, number)
    put(storage, 40, 1_000)
    expected = {number: number for number in (*range(0, 720, 2), 1, 3, 719)} | {4: 1_000}
    before = await points(storage)
    settle(storage)

    assert before == tuple((START + 10 * number, expected[number]) for number in sorted(expected))
    assert await points(storage) == before


async def test_two_maintainers_pack_everything_once(tmp_path: Path, clock: FakeClock) -> None:
    storages = [opened(tmp_path, clock), opened(tmp_path, clock)]
    await begin(storages[0], *(counter("c_total", labels={"i": f"{index:03}"}) for index in range(200)))
    for number in range(725):
        put(storages[0], 10 * number, *range(number, number + 200))
    clock.advance(7_250)
    failed: list[BaseException] = []

    def work(storage: SQLiteStorage) -> None:
        try:
            settle(storage)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failed.append(error)

    threads = [threading.Thread(target=work, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = await read(storages[0], MetricQuery("c_total"))
    settled = layout(storages[0])
    for storage in storages:
        storage.close()

    assert failed == []
    assert settled == [(0, 1, 720, 720 * 200), (60, 0, 120, 120 * 200), (5,)]
    assert [[value for _, value in one.points] for one in found] == [
        list(range(index, index + 725)) for index in range(200)
    ]


async def test_one_statement_stores_a_chunk(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage, *(counter("c_total", labels={"i": f"{index:03}"}) for index in range(500)))
    for number in range(60):
        put(storage, 10 * number, *range(500))
    written: list[list[str]] = []
    write = storage._database.write

    def watched(function: Callable[[Any], Any]) -> Any:
        def traced(connection: Any) -> Any:
            statements: list[str] = []
            written.append(statements)
            connection.set_trace_callback(statements.append)
            try:
                return function(connection)
            finally:
                connection.set_trace_callback(None)

        return write(traced)

    storage._database.write = watched  # type: ignore[method-assign] # to see what it is given
    settle(storage)

    assert len(written) >= 500 // 64
    assert max(map(len, written)) <= 4


async def test_reading_goes_on_while_stretches_are_replaced(storage: SQLiteStorage, clock: FakeClock) -> None:
    await begin(storage, *(counter("c_total", labels={"i": f"{index:03}"}) for index in range(100)))
    for number in range(720):
        put(storage, 10 * number, *range(number, number + 100))
    clock.advance(7_200)
    packing = asyncio.to_thread(settle, storage)
    done = asyncio.ensure_future(packing)
    seen = []
    while not done.done():
        seen.append([len(one.points) for one in await read(storage, MetricQuery("c_total"))])
    await done

    assert all(one == [720] * 100 for one in seen)
    assert layout(storage) == [(0, 1, 720, 72_000), (60, 0, 120, 12_000), (0,)]


def test_more_than_fits_in_memory_is_packed_some_slices_at_a_time(
    storage: SQLiteStorage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observabilipy_sqlite.packing._MOST_VALUES", 6_000)
    asyncio.run(begin(storage, *(counter("c_total", labels={"i": f"{index:03}"}) for index in range(300))))
    for number in range(60):
        put(storage, 10 * number, *range(number, number + 300 + number // 30))
    settle(storage)
    found = asyncio.run(read(storage, MetricQuery("c_total")))

    assert layout(storage) == [(0, 0, 60, 18_030), (0,)]
    assert [[value for _, value in one.points] for one in found] == [
        list(range(index, index + 60)) for index in range(300)
    ]


def test_a_packer_of_other_settings_leaves_what_is_there(tmp_path: Path, clock: FakeClock) -> None:
    storage = opened(tmp_path, clock)
    asyncio.run(begin(storage))
    for number in range(720):
        put(storage, 10 * number, number)
    clock.advance(7_200)
    settle(storage)
    clock.advance(86_400)
    settle(storage, Packer(storage._database, Tiers({0: 10 * 86_400, 300: 20 * 86_400})))
    left = layout(storage)
    storage.close()

    assert left == [(0, 1, 720, 720), (60, 1, 120, 120), (300, 0, 24, 24), (0,)]


@pytest.mark.parametrize("pages", range(1, 7))
async def test_what_is_replaced_between_two_pages_is_read_from_where_it_is_then(
    storage: SQLiteStorage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr("observabilipy_sqlite.history._CHUNKS_A_PAGE", 1)
    await begin(storage, *(counter("c_total", labels={"i": f"{index:03}"}) for index in range(150)))
    for number in range(125):
        put(storage, 10 * number, *range(number, number + 150))
    settle(storage)
    expected = await read(storage, MetricQuery("c_total"))
    reading = Reading(storage._database, MetricQuery("c_total")).pages()
    early = [next(reading) for _ in range(pages)]
    clock.advance(7_200)
    settle(storage)
    late = list(reading)

    assert early == [None] * pages
    assert [[len(one.points) for one in found] for found in late if found is not None] == [[125] * 150]
    assert late[-1] == expected
