"""Scan: a log looked through in stretches that leave nothing out, however fast the store is."""

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.http.scan import Span, scan
from observabilipy.models import LogEntry, LogQuery, parse_cursor
from observabilipy.ports import NdjsonPage
from observabilipy.storage.memory import MemoryStorage

LOW, HIGH = 7, 3_000_007


class Asked(MemoryStorage):
    """Holds nothing and remembers which positions it was asked about, both ends included."""

    def __init__(self) -> None:
        super().__init__()
        self.stretches: list[tuple[int, int]] = []

    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        assert query.after is not None
        assert query.before is not None
        self.stretches.append((parse_cursor(query.after).position + 1, parse_cursor(query.before).position - 1))
        nothing: tuple[NdjsonPage, ...] = ()
        for page in nothing:
            yield page


def clock_of(durations: Iterator[float]) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += next(durations, 0.1)
        yield now


async def looked(storage: Asked, order: str, durations: list[float]) -> list[int]:
    moments = clock_of(iter(durations))
    query = LogQuery(text="x", order="desc" if order == "desc" else "asc")
    steps = scan(storage, query, Span("k3f9", LOW, HIGH), lambda: next(moments))
    return [parse_cursor(at).position async for _, at in steps]


@pytest.mark.properties
@given(durations=st.lists(st.sampled_from([0.0, 0.01, 0.5, 3.0, 100.0]), max_size=40))
async def test_stretches_from_the_oldest_up_touch_and_tell_where_they_end(durations: list[float]) -> None:
    storage = Asked()
    places = await looked(storage, "asc", durations)
    stretches = storage.stretches

    assert (stretches[0][0], [low - 1 for low, _ in stretches[1:]], stretches[-1][1]) == (LOW, places, HIGH - 1)
    assert [high for _, high in stretches[:-1]] == places


@pytest.mark.properties
@given(durations=st.lists(st.sampled_from([0.0, 0.01, 0.5, 3.0, 100.0]), max_size=40))
async def test_stretches_from_the_newest_down_touch_and_tell_where_they_end(durations: list[float]) -> None:
    storage = Asked()
    places = await looked(storage, "desc", durations)
    stretches = storage.stretches

    assert (stretches[0][1], [high + 1 for _, high in stretches[1:]], stretches[-1][0]) == (HIGH - 1, places, LOW)
    assert [low for low, _ in stretches[:-1]] == places


@pytest.mark.parametrize(
    ("duration", "lengths"),
    [
        pytest.param(0.0, [20_000, 80_000, 320_000], id="at-once"),
        pytest.param(0.25, [20_000, 40_000, 80_000], id="fast"),
        pytest.param(0.5, [20_000, 20_000, 20_000], id="as-wanted"),
        pytest.param(1.0, [20_000, 10_000, 5_000], id="slow"),
        pytest.param(60.0, [20_000, 5_000, 1_250], id="very-slow"),
    ],
)
async def test_a_stretch_is_as_long_as_what_half_a_second_is_enough_for(duration: float, lengths: list[int]) -> None:
    storage = Asked()
    await looked(storage, "asc", [duration] * 3)

    assert [high - low + 1 for low, high in storage.stretches[:3]] == lengths


async def test_a_stretch_ends_a_scan_that_found_what_was_asked_for() -> None:
    storage = MemoryStorage(max_entries=None)
    await storage.write_logs([LogEntry(0, "INFO", "x") for _ in range(30_000)])

    steps = [page async for page, _ in scan(storage, LogQuery(text="x", limit=5))]

    assert [None if page is None else page.count for page in steps] == [5]


async def test_a_plain_query_is_not_cut_into_stretches() -> None:
    storage = MemoryStorage(max_entries=None)
    await storage.write_logs([LogEntry(0, "INFO", "x") for _ in range(30_000)])

    steps = [step async for step in scan(storage, LogQuery())]

    assert (sum(page.count for page, _ in steps if page), all(page and page.last == at for page, at in steps)) == (
        30_000,
        True,
    )
