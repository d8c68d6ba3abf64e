"""What NdjsonPort promises, sentence by sentence, of a log storage that has it."""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

import asyncio
import inspect
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, Protocol

from observabilipy.encoding.ndjson import encode_entry
from observabilipy.models import LogEntry, LogQuery
from observabilipy.ports import LogStoragePort, NdjsonPage, NdjsonPort
from observabilipy.testing.contract import Contract
from observabilipy.testing.entries import MANY, NOON, entry_of, read

__all__ = ["NdjsonContract", "NdjsonStorage"]


class NdjsonStorage(LogStoragePort, NdjsonPort, Protocol):
    """A log storage with the optional port."""


_PAGE_BYTES = 65_536
_HOSTILE = [
    LogEntry(NOON, "INFO", "plain", {"tier": "gold", "n": 1, "f": 1.5, "b": True, "none": None}),
    LogEntry(NOON + 0.000001, "INFO", 'quotes "\\" and \\u0041', {'quo"te': "\\", "a.b": [1, {"c": "d"}]}),
    LogEntry(0, "INFO", "".join(map(chr, range(32))) + "\x7f", {"\x00": "\x00\n\x1b[31m"}),
    LogEntry(-0.000001, "DEBUG", "before 1970: \x85 \u2028 \u2029", {"\u2028": "\x85"}),
    LogEntry(-62_135_596_800, "INFO", "%s %d {} {0} '; DROP TABLE log; --", {"%s": "%d", "'": "''"}),
    LogEntry(253_402_300_799.5, 'OWN "LEVEL"\x00\u2028\\', "zwölf € 🎉 日本 \U0010ffff", {"ключ": "значение"}),
    LogEntry(1, "AUDIT'", "", {"big": 2**63, "bigger": 2**200, "tiny": 5e-324, "negative": -(2**63), "": ""}),
    LogEntry(NOON, "ERROR", "cursor", {"cursor": "x-1", "timestamp": 1, "level": "x", "attributes": {}}),
]  # fmt: skip


class NdjsonContract(Contract[NdjsonStorage]):
    """Tests for every storage with NdjsonPort, beside LogStorageContract: override ``make_storage``."""

    async def test_it_fills_both_ports(self) -> None:
        async with self.opened() as storage:
            assert isinstance(storage, LogStoragePort), type(storage)
            assert isinstance(storage, NdjsonPort), type(storage)

    async def test_read_ndjson_is_a_plain_function_that_gives_an_async_iterator(self) -> None:
        async with self.opened() as storage:
            got = storage.read_ndjson(LogQuery())

            assert not inspect.iscoroutine(got), got
            assert [page async for page in got] == []

    # Bytes

    async def test_lines_are_the_very_bytes_of_encode_entry(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(_HOSTILE)
            for order in _ORDERS:
                wanted = await _lines_of_entries(storage, LogQuery(order=order))
                got = await _lines(storage, LogQuery(order=order))

                assert got == wanted, (order, got)

    async def test_each_line_is_one_line_for_every_reader(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(_HOSTILE)
            lines = [line.decode() for line in await _lines(storage)]
            seen = "".join(lines).splitlines(keepends=True)

            assert seen == lines, seen
            assert _messages(line.encode() for line in lines) == [entry.message for entry in _HOSTILE], lines

    async def test_every_filter_gives_the_lines_of_what_read_logs_gives(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(_HOSTILE)
            await storage.write_logs(
                [LogEntry(NOON + n, ("INFO", "ERROR")[n % 2], f"Order {n}", {"tier": n % 3}) for n in range(30)]
            )
            cursors = [entry.cursor for entry in await read(storage)]
            for query in _filters(cursors):
                wanted = await _lines_of_entries(storage, query)
                got = await _lines(storage, query)

                assert got == wanted, (query, got, wanted)

    # Pages

    async def test_a_page_tells_its_entries(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            for order in _ORDERS:
                entries = await read(storage, LogQuery(order=order))
                start = 0
                for page in await _pages(storage, LogQuery(order=order)):
                    those = entries[start : start + page.count]
                    wanted = NdjsonPage(_joined(those), len(those), those[0].cursor or "", those[-1].cursor or "")
                    start += page.count

                    assert page == wanted, (order, page.first, page.last, page.count)
                assert start == MANY, (order, start)

    async def test_where_nothing_matches_there_is_no_page(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            queries = (LogQuery(levels={"ERROR"}), LogQuery(text="nowhere"), LogQuery(attributes={"a": "b"}))
            got = [await _pages(storage, query) for query in queries]

            assert got == [[], [], []], got

    async def test_where_little_matches_no_page_is_empty(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            pages = await _pages(storage, LogQuery(text="99"))

            assert all(page.count and page.lines for page in pages), pages
            assert sum(page.count for page in pages) == len(await read(storage, LogQuery(text="99")))

    async def test_a_page_ends_at_the_latest_with_the_line_that_reaches_64_kib(self) -> None:
        sizes = [10, 300_000, 5, 65_000, 600, 70_000, 70_000, *[40] * 900, 200_000]
        hostile = "\x00" * 30_000  # six bytes each
        entries = [LogEntry(NOON, "INFO", "x" * size, {"more": "y" * size}) for size in sizes]
        async with self.opened() as storage:
            await storage.write_logs([*entries, *[entry_of(hostile)] * 7])
            for query in (LogQuery(), LogQuery(order="desc"), LogQuery(attributes={"more": "y" * 40})):
                pages = await _pages(storage, query)
                before_last = [len(page.lines) - len(page.lines.splitlines(keepends=True)[-1]) for page in pages]

                assert max(before_last) < _PAGE_BYTES, (query, before_last)
                assert b"".join(page.lines for page in pages) == _joined(await read(storage, query)), query

    async def test_limit_counts_entries_over_pages(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            for limit in (1, 999, MANY - 1, MANY, MANY + 1):
                for query in (LogQuery(limit=limit), LogQuery(limit=limit, text="1", order="desc")):
                    wanted = await _lines_of_entries(storage, query)
                    got = await _lines(storage, query)

                    assert got == wanted, (query, len(got), len(wanted))

    async def test_after_the_last_cursor_of_a_page_reading_goes_on(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            wanted = await _lines_of_entries(storage)
            got: list[bytes] = []
            after = None
            while page := await _first_page(storage, LogQuery(after=after, limit=100)):
                assert len(got) < MANY, f"after {after} there is {page.first}"
                got += page.lines.splitlines(keepends=True)
                after = page.last

            assert got == wanted, (len(got), len(wanted))

    # Several at once

    async def test_a_read_that_pauses_holds_back_no_writer(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            reading = storage.read_ndjson(LogQuery())
            pages = [await anext(reading)]
            await asyncio.wait_for(asyncio.to_thread(asyncio.run, storage.write_logs([entry_of("new")])), timeout=30)
            pages += [page async for page in reading]
            got = _messages(page.lines for page in pages)

            assert got[:MANY] == [str(number) for number in range(MANY)], len(got)

    async def test_entries_that_stay_are_read_once_while_others_come_and_go(self) -> None:
        for order in _ORDERS:
            async with self.opened() as storage:
                await storage.write_logs(
                    [entry_of(f"{number}", level=("INFO", "DEBUG")[number % 2]) for number in range(MANY)]
                )
                reading = storage.read_ndjson(LogQuery(order=order))
                lines = [(await anext(reading)).lines]
                await storage.delete_oldest_logs(MANY, "DEBUG")
                await storage.write_logs([entry_of("new")])
                lines += [page.lines async for page in reading]
                got = [message for message in _messages(lines) if message != "new"]
                stayed = [message for message in got if int(message) % 2 == 0]

                assert len(got) == len(set(got)), f"{len(got) - len(set(got))} entries were read twice ({order})"
                assert sorted(stayed, key=int) == [f"{number}" for number in range(0, MANY, 2)], (order, len(stayed))

    async def test_a_read_that_is_closed_early_leaves_everything_as_it_was(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            for query in (LogQuery(), LogQuery(text="1"), LogQuery(order="desc")):
                reading = storage.read_ndjson(query)
                await anext(reading)
                await getattr(reading, "aclose", _nothing)()
            gone = await storage.delete_oldest_logs(MANY)
            await storage.write_logs([entry_of("new")])
            got = _messages(await _lines(storage))

            assert (gone, got) == (MANY, ["new"]), (gone, got)

    async def test_two_event_loops_in_two_threads_read_at_once(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            got = await asyncio.gather(
                asyncio.to_thread(asyncio.run, _lines(storage)), asyncio.to_thread(asyncio.run, _lines(storage))
            )
            wanted = await _lines_of_entries(storage)

            assert [lines == wanted for lines in got] == [True, True], [len(lines) for lines in got]


_ORDERS: tuple[Literal["asc", "desc"], ...] = ("asc", "desc")


def _filters(cursors: Sequence[str | None]) -> list[LogQuery]:
    levels = [{"INFO"}, {"error", 'own "level"\x00\u2028\\'}, ()]
    texts = ["order 1", "ORDER", '"', "\\", "\n", "\x00", "%", "'", "€ 🎉", "\u2028", "u0000", "N", ""]
    attributes = [{"tier": "1"}, {"tier": "gold"}, {"n": "1"}, {"f": "1.5"}, {"b": "true"}, {"none": "null"},
                  {'quo"te': "\\"}, {"\x00": "\x00\n\x1b[31m"}, {"'": "''"}, {"": ""}, {"tiny": "5e-324"},
                  {"bigger": str(2**200)}, {"a.b": '[1, {"c": "d"}]'}, {"tier": "gold", "n": "2"}]  # fmt: skip
    queries = [
        *[LogQuery(levels=some) for some in levels],
        *[LogQuery(min_level=name) for name in ("DEBUG", "INFO", "ERROR")],
        *[LogQuery(text=text) for text in texts],
        *[LogQuery(attributes=wanted) for wanted in attributes],
        LogQuery(since=NOON + 3, until=NOON + 20),
        LogQuery(until=0),
        LogQuery(since=NOON + 3, levels={"INFO"}, text="order", attributes={"tier": "1"}),
        LogQuery(after=cursors[5]),
        LogQuery(before=cursors[-5]),
        LogQuery(after=cursors[3], before=cursors[-5], text="order"),
        LogQuery(after="a-1" if cursors[0] != "a-1" else "b-1"),
    ]
    return [replace(query, order=order) for query in queries for order in _ORDERS]


async def _pages(storage: NdjsonPort, query: LogQuery) -> list[NdjsonPage]:
    return [page async for page in storage.read_ndjson(query)]


async def _first_page(storage: NdjsonPort, query: LogQuery) -> NdjsonPage | None:
    return next(iter(await _pages(storage, query)), None)


async def _lines(storage: NdjsonPort, query: LogQuery | None = None) -> list[bytes]:
    pages = await _pages(storage, query or LogQuery())
    return [line for page in pages for line in page.lines.splitlines(keepends=True)]


async def _lines_of_entries(storage: LogStoragePort, query: LogQuery | None = None) -> list[bytes]:
    return [encode_entry(entry) for entry in await read(storage, query)]


async def _nothing() -> None:
    """What is closed where an iterator cannot be."""


def _joined(entries: Sequence[LogEntry]) -> bytes:
    return b"".join(map(encode_entry, entries))


def _messages(lines: Iterable[bytes]) -> list[str]:
    return [json.loads(line)["message"] for line in b"".join(lines).splitlines()]
