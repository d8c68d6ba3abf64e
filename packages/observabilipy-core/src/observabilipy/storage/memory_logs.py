"""Log storages in this process's memory."""

import json
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

from observabilipy.encoding.encoded_entries import EncodedEntry, encoded
from observabilipy.encoding.ndjson import encode_stored
from observabilipy.models import (
    Clock,
    LogEntry,
    LogFacts,
    LogQuery,
    check_timestamp,
    from_micros,
    level_name,
    to_micros,
)
from observabilipy.ports import NdjsonPage
from observabilipy.storage.bounds import check_size
from observabilipy.storage.generation import Randomness, new_generation
from observabilipy.storage.log_table import LogTable, Row, Span, facts_of, in_bits
from observabilipy.storage.ndjson import PAGE_BYTES, pages_of

__all__ = ["InMemoryLogStorage", "RingBufferLogStorage"]

_PAGE = 500  # rows copied under the lock at once; about 10 microseconds
_BIT_ROWS = 128  # looked at, and encoded, before other tasks get their turn; half a millisecond
_BIT_BYTES = 65_536  # the same where rows are large


class InMemoryLogStorage:
    """Log entries in memory, gone with the process; unbounded unless told otherwise.

    Over a bound the entries committed first go. For use from any thread and any event loop.

    Args:
        max_entries: how many to keep.
        max_bytes: bytes of messages and attributes to keep, in UTF-8.
        clock: unix seconds; entries bring their own times, so it is not read.
        randomness: where the generation in the cursors comes from.

    Raises:
        ConfigurationError: a bound that is no whole number of 1 or more.
    """

    def __init__(
        self,
        *,
        max_entries: int | None = None,
        max_bytes: int | None = None,
        clock: Clock = time.time,
        randomness: Randomness = os.urandom,
    ) -> None:
        self.clock = clock
        self._randomness = randomness
        self._table = LogTable(
            new_generation(randomness),
            None if max_entries is None else check_size("max_entries", max_entries),
            None if max_bytes is None else check_size("max_bytes", max_bytes),
        )
        self._lock = threading.RLock()  # guards the buffer

    def share_lock(self, lock: threading.RLock) -> None:
        """Take a lock that guards other storages, too, so that they change together."""
        self._lock = lock

    @property
    def generation(self) -> str:
        """What the cursors begin with."""
        return self._table.generation

    def begin_generation(self) -> None:
        """Give out cursors of a new generation: this copy and the one it was forked from go apart."""
        self._table.generation = new_generation(self._randomness)

    def append(self, entries: Sequence[EncodedEntry]) -> None:
        """Store entries that were encoded already, blocking for a moment."""
        with self._lock:
            self._table.append(entries)

    async def write_logs(self, entries: Iterable[LogEntry]) -> None:
        """Store all of the entries, in their order, or none of them."""
        self.append(encoded(entries))

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        """Entries in commit order, each with its cursor."""
        async with aclosing(self._matching(query)) as parts:
            async for generation, rows in parts:
                for row in rows:
                    yield _entry(generation, row)

    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        """The same entries as lines of NDJSON."""
        lines = b""
        async with aclosing(self._matching(query)) as parts:
            async for generation, rows in parts:
                lines += b"".join([_line(generation, row) for row in rows])
                if len(lines) >= PAGE_BYTES:
                    for page in pages_of(lines):
                        yield page
                    lines = b""
        for page in pages_of(lines):
            yield page

    async def count_logs(self, query: LogQuery) -> int:
        """How many entries ``read_logs`` would give."""
        return sum([len(rows) async for _, rows in self._matching(query)])

    async def log_facts(self) -> LogFacts:
        """Per level count, oldest, newest and bytes; the generation and where the log begins and ends."""
        with self._lock:
            generation, oldest, upcoming = self._table.generation, self._table.oldest, self._table.upcoming
            rows = self._table.rows()
        return LogFacts(generation, oldest, upcoming, facts_of(rows))

    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        """Delete entries with a timestamp before unix seconds, of one level or all."""
        micros = to_micros(check_timestamp(timestamp, "timestamp"))
        with self._lock:
            return self._table.delete_before(micros, None if level is None else level_name(level))

    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        """Delete the ``count`` entries committed first, of one level or all."""
        with self._lock:
            return self._table.delete_oldest(count, None if level is None else level_name(level))

    async def aclose(self) -> None:
        """Nothing is to be let go of."""

    async def _matching(self, query: LogQuery) -> AsyncGenerator[tuple[str, list[Row]], None]:
        """Rows that pass the query, some at a time, with their generation; other tasks may run in between."""
        from asyncio import sleep

        accepts = None if query.plain else query.predicate()
        downwards = query.order == "desc"
        left = sys.maxsize if query.limit is None else query.limit
        with self._lock:
            span = self._table.span(query)
        while page := self._page(span, downwards):
            for bit in in_bits(page, _BIT_ROWS, _BIT_BYTES):
                rows = bit if accepts is None else [row for row in bit if accepts(*row[1:])]
                if rows:
                    yield span.generation, rows[:left]
                    left -= len(rows)
                    if left <= 0:
                        return
                await sleep(0)
            span = replace(span, end=page[-1][0]) if downwards else replace(span, start=page[-1][0] + 1)

    def _page(self, span: Span, downwards: bool) -> list[Row]:
        with self._lock:
            return self._table.last(span, _PAGE) if downwards else self._table.first(span, _PAGE)


class RingBufferLogStorage(InMemoryLogStorage):
    """The newest ``max_entries`` log entries in memory.

    Raises:
        ConfigurationError: ``max_entries`` is no whole number of 1 or more.
    """

    def __init__(self, max_entries: int, *, clock: Clock = time.time, randomness: Randomness = os.urandom) -> None:
        super().__init__(max_entries=check_size("max_entries", max_entries), clock=clock, randomness=randomness)


def _entry(generation: str, row: Row) -> LogEntry:
    position, micros, level, message, attributes = row
    return LogEntry(from_micros(micros), level, message, json.loads(attributes), cursor=f"{generation}-{position}")


def _line(generation: str, row: Row) -> bytes:
    position, micros, level, message, attributes = row
    return encode_stored(f"{generation}-{position}", micros, level, message, attributes)
