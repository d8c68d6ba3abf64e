"""The ring buffers: the newest, and never more."""

import pytest

from observabilipy.errors import ConfigurationError
from observabilipy.models import LogEntry, LogQuery, MetricQuery, SeriesHistory, counter
from observabilipy.storage import RingBufferLogStorage, RingBufferMetricsStorage


async def test_a_ring_keeps_the_newest_entries() -> None:
    storage = RingBufferLogStorage(3)
    await storage.write_logs([LogEntry.info(f"{number}") for number in range(10)])

    assert [entry.message async for entry in storage.read_logs(LogQuery())] == ["7", "8", "9"]


async def test_a_reader_of_a_ring_that_turned_goes_on_at_the_oldest() -> None:
    storage = RingBufferLogStorage(3)
    await storage.write_logs([LogEntry.info("a")])
    (first,) = [entry async for entry in storage.read_logs(LogQuery())]
    await storage.write_logs([LogEntry.info(name) for name in "bcde"])

    assert [entry.message async for entry in storage.read_logs(LogQuery(after=first.cursor))] == ["c", "d", "e"]


async def test_a_read_goes_on_while_the_ring_turns() -> None:
    storage = RingBufferLogStorage(1_000)
    await storage.write_logs([LogEntry.info(f"{number}") for number in range(1_000)])
    reading = storage.read_logs(LogQuery())
    await anext(reading)
    await storage.write_logs([LogEntry.info("new")] * 900)

    got = [int(entry.message) async for entry in reading]
    assert got == [*range(1, 500), *range(900, 1_000)]


async def test_a_ring_keeps_the_newest_points_of_the_history() -> None:
    storage = RingBufferMetricsStorage(5)
    await storage.write_samples([counter("a_total"), counter("b_total")])
    for second in range(10):
        storage.sample_history(second)

    got = [await _history(storage, name) for name in ("a_total", "b_total")]
    assert [[moment for moment, _ in history.points] for (history,) in got] == [[7, 8, 9], [8, 9]]
    assert await storage.count_samples() == 5


async def test_a_ring_smaller_than_one_sampling_keeps_no_more_than_it_may() -> None:
    storage = RingBufferMetricsStorage(2)
    await storage.write_samples([counter("a_total", labels={"x": f"{number}"}) for number in range(5)])
    storage.sample_history(1)

    assert await storage.count_samples() == 2


async def test_a_ring_never_touches_the_totals() -> None:
    storage = RingBufferMetricsStorage(1)
    for second in range(5):
        await storage.write_samples([counter("a_total"), counter("b_total")])
        storage.sample_history(second)

    assert [family.series[0].value async for family in storage.totals()] == [5, 5]


@pytest.mark.parametrize("size", [0, -1, 2.0, "3", None, False])
def test_a_ring_refuses_a_size_that_is_no_positive_whole_number(size: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^max_entries must be a whole number of 1 or more, got {size!r}: "):
        RingBufferLogStorage(size)  # type: ignore[arg-type] # the mistake under test
    with pytest.raises(ConfigurationError, match=rf"^max_samples must be a whole number of 1 or more, got {size!r}: "):
        RingBufferMetricsStorage(size)  # type: ignore[arg-type] # the mistake under test


async def _history(storage: RingBufferMetricsStorage, name: str) -> list[SeriesHistory]:
    return [history async for history in storage.read_history(MetricQuery(name))]
