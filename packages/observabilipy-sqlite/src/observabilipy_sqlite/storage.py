"""SQLiteStorage: metrics and logs of all workers in one SQLite file."""

import asyncio
import dataclasses
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar, get_args

from observabilipy.errors import ConfigurationError
from observabilipy.findings import Finding
from observabilipy.models import (
    Clock,
    Family,
    LogEntry,
    LogFacts,
    LogQuery,
    Matcher,
    MetricQuery,
    MetricSample,
    RetentionPolicy,
    SeriesHistory,
    to_micros,
)
from observabilipy.ports import Batch, CommitReport, NdjsonPage, Worker
from observabilipy_sqlite import doctor, families, history, logs, reading, totals, workers
from observabilipy_sqlite.courier import Courier
from observabilipy_sqlite.database import Connection, Database
from observabilipy_sqlite.deletion import Deletion
from observabilipy_sqlite.pages import Span
from observabilipy_sqlite.schema import Synchronous
from observabilipy_sqlite.sealing import seal
from observabilipy_sqlite.snapshot import Snapshots
from observabilipy_sqlite.writer import Writer

__all__ = ["DEFAULT_MAX_BYTES", "SQLiteStorage"]

T = TypeVar("T")

DEFAULT_MAX_BYTES = 1024**3
"""Bytes of log that are kept unless a retention policy says otherwise: 1 GiB."""

_DAY = 86_400.0
_GAP_SECONDS = 0.005  # between two steps of deleting: without it, others waited for the lock until all was deleted

_Reads: TypeAlias = Callable[[Database, LogQuery, Span | None, int], reading.Part[T]]


class SQLiteStorage:
    """Everything in one SQLite file, which any number of processes of one machine share.

    The file is made when it is first needed, readable by its owner alone. Nothing here raises for the state of the
    disk before that, and what fails then may work later.

    Args:
        path: where the file is or shall be; relative to the working directory of this moment.
        max_bytes: bytes of log entries that are kept by default, together with seven days.
        synchronous: "normal" (a power failure may take the commits of the last moments, kill -9 takes none) or "full"
            (each commit waits for the disk).
        clock: gives unix seconds; for tests.

    Raises:
        ConfigurationError: an argument that cannot work.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        synchronous: Synchronous = "normal",
        clock: Clock = time.time,
    ) -> None:
        if synchronous not in get_args(Synchronous):
            raise ConfigurationError(f"synchronous must be 'normal' or 'full', got {synchronous!r}")
        file = _checked(path)
        self._log_retention = RetentionPolicy(max_age=7 * _DAY, max_bytes=max_bytes)
        self._clock = clock
        # Two connections: the runtime's commits must not wait behind a reader's page.
        self._database = Database(file, synchronous)
        self._async_database = Database(file, synchronous)
        self._courier = Courier(self._async_database)
        self._deletion = Deletion(self._async_database)
        self._snapshots = Snapshots()  # used by the courier's thread

    @property
    def path(self) -> Path:
        """The file, absolute."""
        return self._database.path

    @property
    def ring_directory(self) -> Path:
        """Beside the file: where workers with ``log_durability="crash"`` keep what is not committed yet."""
        return Path(f"{self.path}-rings")

    def size_bytes(self) -> int:
        """Bytes of the database and of its WAL, as they are now."""
        return self._database.size_bytes()

    def check(self) -> Iterable[Finding]:
        """The condition of the file, for ``observabilipy doctor``; it is only read."""
        return doctor.findings(self.path)

    @property
    def default_log_retention(self) -> RetentionPolicy:
        """Seven days, and ``max_bytes``."""
        return self._log_retention

    @property
    def default_history_retention(self) -> RetentionPolicy:
        """One day."""
        return RetentionPolicy(max_age=_DAY)

    # Logs

    async def write_logs(self, entries: Iterable[LogEntry]) -> None:
        """Store all of the entries, in their order, or none of them."""
        new = logs.prepared(entries)
        if new:
            await self._write(partial(logs.append, new=new))

    def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        """Entries in commit order; every few segments are a transaction of their own."""
        return self._parts(reading.entries, query)

    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        """The same entries as lines of NDJSON."""
        return self._parts(reading.ndjson, query)

    async def count_logs(self, query: LogQuery) -> int:
        """How many entries ``read_logs`` would give."""
        if query.plain and (query.after, query.before, query.limit) == (None, None, None):
            return await self._read(logs.count)
        most = sys.maxsize if query.limit is None else query.limit
        number = 0
        todo: Span | None = None
        while number < most and (todo is None or not todo.is_empty):
            part = await self._courier.carry(partial(reading.count, self._async_database, query, todo))
            number += part.entries
            todo = part.rest
        return min(number, most)

    async def log_facts(self) -> LogFacts:
        """Per level count, oldest, newest and bytes; the generation and where the log begins and ends."""
        return await self._read(logs.facts)

    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        """Delete entries older than unix seconds, in steps that hold no writer back."""
        gone, goes_on = 0, True
        while goes_on:
            step, goes_on = await self._courier.carry(partial(self._deletion.before, timestamp, level))
            gone += step
            await asyncio.sleep(_GAP_SECONDS if step else 0)
        return gone

    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        """Delete the entries committed first, in steps that hold no writer back."""
        gone, goes_on = 0, True
        while goes_on and gone < count:
            step, goes_on = await self._courier.carry(partial(self._deletion.oldest, count - gone, level))
            gone += step
            await asyncio.sleep(_GAP_SECONDS if step else 0)
        return gone

    # Metrics

    async def register(self, families_: Iterable[Family]) -> None:
        """Define families; the newest definition of a name counts."""
        given = list(families_)
        await self._write(lambda connection: families.register(connection, given))

    async def write_samples(self, samples: Iterable[MetricSample]) -> None:
        """Add increments to the totals and set gauges, all of them or none."""
        given = list(samples)
        if given:
            await self._write(lambda connection: Writer(connection, self._now()).add(given))

    async def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        """Families that have series, in the order of their names, from one snapshot."""
        if names is None:
            read = partial(self._snapshots.read, now=self._now())
        else:
            read = partial(totals.read, now=self._now(), names=list(names))
        for family in await self._read(read):
            yield family

    async def read_history(self, query: MetricQuery) -> AsyncIterator[SeriesHistory]:
        """The sampled totals of each series that matches; each page of frames is a transaction of its own."""
        known = await self._read(partial(history.matching_series, query=query))
        points: history.Points = {}
        after: int | None = None
        while known:
            after = await self._courier.carry(partial(self._frames, query, known, points, after))
            if after is None:
                break
        for series in history.histories(known, points):
            yield series

    async def count_samples(self) -> int:
        """How many points the history holds, over all series."""
        return await self._read(history.count)

    async def delete_history_before(self, timestamp: float) -> int:
        """Delete points older than unix seconds; totals stay."""
        return await self._write(partial(history.delete_before, timestamp=timestamp))

    async def delete_series(self, matchers: Sequence[Matcher], idle_since: float | None = None) -> int:
        """Delete series that match all of the matchers; they may begin anew at 0."""
        return await self._write(
            partial(totals.delete_series, matchers=tuple(matchers), idle_since=idle_since, now=self._now())
        )

    async def aclose(self) -> None:
        """Close the file and end the thread. May be called again."""
        await self._courier.aclose()
        await asyncio.to_thread(self._database.close)

    # What the runtime calls, blocking, on a connection of its own

    def commit(self, batch: Batch) -> CommitReport:
        """Store the whole batch in one transaction, or nothing; nothing, too, when it is there already."""
        new = logs.prepared(batch.entries)

        def store(connection: Connection) -> tuple[CommitReport, Callable[[], None]]:
            writer = Writer(connection, self._now(), batch.worker.id, connection.known_series)
            workers.sees(connection, batch.worker, self._now())
            if not workers.is_new_batch(connection, batch.worker, batch.sequence):
                return CommitReport(), writer.learn
            writer.hidden.update(families.register(connection, batch.families))
            logs.append(connection, new)
            writer.add((*batch.samples, *batch.gauges))
            return dataclasses.replace(writer.report(), generation=logs.generation(connection)), writer.learn

        report, learn = self._database.write(store)
        learn()
        return report

    def heartbeat(self, worker: Worker) -> bool:
        """Say that the worker lives; False when it had expired and must report its gauges again."""

        def beat(connection: sqlite3.Connection) -> bool:
            workers.sees(connection, worker, self._now())
            return not workers.is_told_of_expiry(connection, worker)

        return self._database.write(beat)

    def end_worker(self, worker: Worker) -> None:
        """The worker ended in good order: its gauges count no more."""
        self._database.write(lambda connection: workers.end(connection, worker, self._now()))

    def acquire_lease(self, worker: Worker, lifetime: float) -> bool:
        """Take or renew the maintenance lease, for ``lifetime`` seconds."""
        return self._database.write(lambda connection: workers.acquire_lease(connection, worker, lifetime, self._now()))

    def sample_history(self, timestamp: float) -> None:
        """Append all totals, as they are, to the history under this time (unix seconds)."""
        generation, points, frame = self._database.read(
            lambda connection: (logs.generation(connection), *history.frame_of(connection, self._now()))
        )

        def store(connection: sqlite3.Connection) -> None:
            if logs.generation(connection) == generation:  # else the file is another one by now, with other ids
                history.store(connection, timestamp, points, frame)

        self._database.write(store)

    def maintain(self) -> None:
        """Sweep out what expired workers left and series that were idle for 30 days, seal segments, and checkpoint."""

        def sweep(connection: sqlite3.Connection) -> None:
            workers.sweep(connection, self._now())
            totals.sweep(connection, self._now())
            history.sweep(connection)

        self._database.write(sweep)
        seal(self._database)
        self._database.checkpoint()

    def forget(self) -> None:
        """In a forked child: let go of inherited connections without closing them."""
        self._courier.forget()
        self._database.forget()
        self._async_database.forget()

    def close(self) -> None:
        """Close the file and end the thread, blocking for seconds at most. May be called again."""
        self._courier.close()
        self._async_database.close()
        self._database.close()

    def _now(self) -> int:
        return to_micros(self._clock())

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await self._courier.carry(partial(self._async_database.read, function))

    async def _write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await self._courier.carry(partial(self._async_database.write, function))

    async def _parts(self, read: _Reads[T], query: LogQuery) -> AsyncIterator[T]:
        """What a query gives, a trip to the file at a time."""
        left = sys.maxsize if query.limit is None else query.limit
        todo: Span | None = None
        while left > 0 and (todo is None or not todo.is_empty):
            part = await self._courier.carry(partial(read, self._async_database, query, todo, left))
            left -= part.entries
            todo = part.rest
            for item in part.items:
                yield item

    # Runs on the courier's thread.

    def _frames(
        self, query: MetricQuery, known: history.Known, points: history.Points, after: int | None
    ) -> int | None:
        page = self._async_database.read(partial(history.frames, query=query, after=after))
        history.collect(page, known, points)
        return page[-1][0] if page else None


def _checked(path: str | os.PathLike[str]) -> Path:
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\x00" in text:
        raise ConfigurationError(f"path must name a file, got {path!r}")
    if text.startswith(":memory:"):
        raise ConfigurationError(f"SQLite storage is a file, got {text!r}: to keep nothing say memory://")
    return Path(os.path.abspath(text))  # noqa: PTH100 - Path.resolve would touch the disk
