"""Log storages in this process's memory."""

import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from observabilipy.models import (
    Clock,
    Cursor,
    LogEntry,
    LogFacts,
    LogQuery,
    check_timestamp,
    from_micros,
    level_name,
    to_micros,
)
from observabilipy.storage.bounds import check_size
from observabilipy.storage.generation import Randomness, new_generation
from observabilipy.storage.log_table import Draft, LogTable, Row, Span, draft, facts_of

__all__ = ["InMemoryLogStorage", "RingBufferLogStorage"]

_PAGE = 500  # rows copied under the lock at once; about 10 microseconds


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

    def append(self, drafts: Sequence[Draft]) -> None:
        """Store entries that were drafted already, blocking for a moment."""
        with self._lock:
            self._table.append(drafts)

    async def write_logs(self, entries: Iterable[LogEntry]) -> None:
        """Store all of the entries, in their order, or none of them."""
        self.append([draft(entry) for entry in entries])

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        """Entries in commit order, each with its cursor."""
        async for generation, row in self._matching(query):
            yield _entry(generation, row)

    async def count_logs(self, query: LogQuery) -> int:
        """How many entries ``read_logs`` would give."""
        return sum([1 async for _ in self._matching(query)])

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

    async def _matching(self, query: LogQuery) -> AsyncIterator[tuple[str, Row]]:
        """Rows that pass the query, with their generation; other tasks may run after each page."""
        from asyncio import sleep

        accepts = query.predicate()
        left = query.limit
        with self._lock:
            span = self._table.span(query)
        while page := self._page(span, query.order == "desc"):
            for row in page:
                if accepts(*row[1:]):
                    yield span.generation, row
                    left = None if left is None else left - 1
                    if left == 0:
                        return
            span = replace(span, end=page[-1][0]) if query.order == "desc" else replace(span, start=page[-1][0] + 1)
            await sleep(0)

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
    cursor = str(Cursor(generation, position))
    return LogEntry(from_micros(micros), level, message, json.loads(attributes), cursor=cursor)
