"""Pages of NDJSON: cut from lines, or made from the entries of a storage that has none."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.ndjson import encode_stored
from observabilipy.models import LogEntry, LogFacts, LogQuery
from observabilipy.ports import NdjsonPage, NdjsonPort
from observabilipy.storage import InMemoryLogStorage, MemoryStorage, PlainStorage
from observabilipy.storage.ndjson import PAGE_BYTES, ndjson_pages, pages_of


class OnlyEntries:
    """A log storage with the plain port alone; ``closed`` says whether its last read was."""

    def __init__(self, entries: int) -> None:
        self.storage = InMemoryLogStorage()
        self.entries = entries
        self.read = 0
        self.closed = False

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        try:
            for number in range(self.entries):
                self.read += 1
                yield LogEntry(number, "INFO", "x" * 1_000, cursor=f"a-{number}")
        finally:
            self.closed = True

    async def write_logs(self, entries: object) -> None: ...
    async def count_logs(self, query: LogQuery) -> int:
        return self.entries

    async def log_facts(self) -> LogFacts:
        return await self.storage.log_facts()

    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        return 0

    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        return 0

    async def aclose(self) -> None: ...


def lines_of(*sizes: int) -> bytes:
    return b"".join(encode_stored(f"a-{n}", 0, "INFO", "x" * size, "{}") for n, size in enumerate(sizes))


def test_no_lines_give_no_page() -> None:
    assert list(pages_of(b"")) == []


def test_few_lines_are_one_page() -> None:
    assert list(pages_of(lines_of(1, 2, 3))) == [NdjsonPage(lines_of(1, 2, 3), 3, "a-0", "a-2")]


@given(st.lists(st.integers(0, 70_000) | st.sampled_from([65_461, 65_462, 65_463, 65_464]), max_size=8))
def test_pages_are_the_lines_and_end_with_the_one_that_reaches_64_kib(sizes: list[int]) -> None:
    pages = list(pages_of(lines_of(*sizes)))
    numbers = iter(range(len(sizes)))
    named = [[f"a-{next(numbers)}" for _ in range(page.count)] for page in pages]

    assert b"".join(page.lines for page in pages) == lines_of(*sizes)
    assert [(page.first, page.last) for page in pages] == [(cursors[0], cursors[-1]) for cursors in named]
    assert sum(map(len, named)) == len(sizes)
    for page in pages:
        assert len(page.lines) - len(page.lines.splitlines(keepends=True)[-1]) < PAGE_BYTES
    for page in pages[:-1]:
        assert len(page.lines) >= PAGE_BYTES


async def test_entries_of_a_storage_without_the_port_are_encoded_a_page_at_a_time() -> None:
    storage = OnlyEntries(200)

    pages = ndjson_pages(storage, LogQuery())
    first = await anext(pages)
    read = storage.read
    rest = [page async for page in pages]

    assert (read, first.count, [page.count for page in rest]) == (61, 61, [61, 61, 17])
    assert (first.first, rest[-1].last, storage.closed) == ("a-0", "a-199", True)


async def test_a_read_that_is_closed_early_closes_that_of_the_storage() -> None:
    storage = OnlyEntries(200)
    pages = ndjson_pages(storage, LogQuery())
    await anext(pages)
    await pages.aclose()  # type: ignore[attr-defined] # an async generator

    assert storage.closed


@pytest.mark.parametrize("text", [None, "order 1", "nowhere"])
async def test_other_tasks_get_their_turns_while_many_entries_are_looked_at(text: str | None) -> None:
    storage = InMemoryLogStorage()
    await storage.write_logs([LogEntry(number, "INFO", f"order {number}") for number in range(5_000)])
    turns = 0
    done = asyncio.Event()

    async def count() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async for _ in storage.read_ndjson(LogQuery(text=text)):
        pass
    done.set()
    await counting

    assert turns >= 5_000 // 128


async def test_other_tasks_get_a_turn_after_each_large_entry() -> None:
    storage = InMemoryLogStorage()
    await storage.write_logs([LogEntry(number, "INFO", "x" * 70_000) for number in range(20)])
    seen: list[int] = []

    async def write() -> None:
        await storage.write_logs([LogEntry(0, "INFO", "late")])

    async for page in storage.read_ndjson(LogQuery()):
        seen.append(page.count)
        await asyncio.create_task(write())

    assert seen == [1] * 20


@pytest.mark.parametrize(
    "storage", [InMemoryLogStorage(), MemoryStorage(), PlainStorage(MemoryStorage()), PlainStorage(OnlyEntries(3))]
)
async def test_the_port_is_there_where_it_works(storage: NdjsonPort) -> None:
    assert isinstance(storage, NdjsonPort)
    assert [page.count async for page in storage.read_ndjson(LogQuery(limit=3))] in ([], [3])


def test_a_storage_of_entries_alone_is_not_taken_for_one_with_the_port() -> None:
    assert not isinstance(OnlyEntries(0), NdjsonPort)
