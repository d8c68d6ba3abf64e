"""Following a log that others write and shorten all the time: each entry once, in order, or a gap that is told."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.http import Endpoints, Limits, Request
from observabilipy.models import LogEntry, LogFacts, LogQuery, parse_cursor
from observabilipy.ports import NdjsonPage
from observabilipy.storage.memory import MemoryStorage

pytestmark = pytest.mark.properties

Step = tuple[int, int]
"""Entries that are written, and then entries that are deleted."""

STEPS = st.lists(
    st.one_of(
        st.just((0, 0)), st.tuples(st.integers(0, 5), st.just(0)), st.tuples(st.integers(0, 5), st.integers(0, 8))
    ),
    max_size=60,
)


class Busy(MemoryStorage):
    """Something happens before each read, after it, and while time passes."""

    def __init__(self, steps: Iterator[Step]) -> None:
        super().__init__(max_entries=None)
        self.steps = steps
        self.quiet = False
        self.written = 0
        self.now = 0.0

    async def step(self) -> None:
        step = next(self.steps, None)
        self.quiet = step is None
        written, deleted = step or (0, 0)
        numbers = range(self.written + 1, self.written + written + 1)
        await self.write_logs([LogEntry(0, "INFO", "odd" if number % 2 else "even") for number in numbers])
        self.written += written
        await self.delete_oldest_logs(deleted)

    async def wait(self, seconds: float) -> None:
        self.now += seconds
        await self.step()

    async def log_facts(self) -> LogFacts:
        facts = await super().log_facts()
        await self.step()
        return facts

    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        pages = [page async for page in super().read_ndjson(query)]
        await self.step()
        for page in pages:
            yield page
        await self.step()


def matching(low: int, high: int, text: str) -> set[int]:
    """Positions from the one to the other, both excluded, whose entries match. The first position is 1, an odd one."""
    return {position for position in range(low + 1, high) if text == "" or position % 2 == 1}


@given(
    steps=STEPS,
    text=st.sampled_from(["", "odd"]),
    begin=st.sampled_from(["limit=3", "after=start", "after=now"]),
    seconds=st.sampled_from([0.3, 1.0, 25.0]),
)
async def test_a_client_that_comes_back_with_its_last_cursor_gets_each_entry_once_or_is_told(
    steps: list[Step], text: str, begin: str, seconds: float
) -> None:
    storage = Busy(iter(steps))
    limits = Limits(follow_seconds=seconds)
    endpoints = Endpoints(storage, auth="public", limits=limits, monotonic=lambda: storage.now, sleep=storage.wait)
    last: int | None = None
    quiet = False
    repeated, missed = [], set[int]()
    while not quiet:
        quiet = storage.quiet  # once more when nothing happens any longer
        response = await endpoints.handle(Request("GET", "/logs", f"follow=1&{begin}&q={text}".encode()))
        headers = dict(response.headers)
        told = b"x-observabilipy-gap" in headers
        found = [json.loads(line)["cursor"] async for chunk in response.body for line in chunk.splitlines() if line]
        for position in [parse_cursor(cursor).position for cursor in found]:
            if last is not None and position <= last:
                repeated.append(position)
            if last is not None and not told:
                missed |= matching(last, position, text)
            last, told = position, False
        if found:
            begin = f"after={found[-1]}"
        elif last is None:  # no cursor of its own yet: by the link
            begin = "after=" + headers[b"link"].decode().partition("&after=")[2].partition(">")[0]

    facts = await storage.log_facts()
    unseen = {position for position in matching(last or 0, storage.written + 1, text) if position >= facts.oldest}
    assert (repeated, missed, unseen if last else set()) == ([], set(), set())
