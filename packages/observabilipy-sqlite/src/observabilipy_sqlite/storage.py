"""SQLiteStorage: metrics and logs of all workers in one SQLite file."""

import asyncio
import dataclasses
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, get_args

from observabilipy.errors import ConfigurationError, StorageRefused
from observabilipy.findings import Finding
from observabilipy.models import (
    Clock,
    Family,
    LogEntry,
    LogFacts,
    LogQuery,
    LogVolume,
    Matcher,
    MetricQuery,
    MetricSample,
    RetentionPolicy,
    SeriesHistory,
    to_micros,
)
from observabilipy.models.volume import step_micros
from observabilipy.ports import Batch, CommitReport, NdjsonPage, Worker
from observabilipy.retention import PatientClock
from observabilipy.storage.volume import counted
from observabilipy_sqlite import doctor, families, logs, reading, totals, workers
from observabilipy_sqlite import history as history_
from observabilipy_sqlite.cap import LEAST_MAX_BYTES
from observabilipy_sqlite.connection import Connection
from observabilipy_sqlite.courier import Courier
from observabilipy_sqlite.damage import Damage
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.deletion import Deletion
from observabilipy_sqlite.file import checked_path
from observabilipy_sqlite.maintenance import Maintenance
from observabilipy_sqlite.pages import Span
from observabilipy_sqlite.sampling import sample
from observabilipy_sqlite.schema import Synchronous, check_library
from observabilipy_sqlite.shelter import sheltered, take_shelter
from observabilipy_sqlite.snapshot import Snapshots
from observabilipy_sqlite.tiers import DEFAULT_HISTORY, Tiers
from observabilipy_sqlite.writer import Writer

if TYPE_CHECKING:
    from observabilipy.storage.memory import MemoryStorage

__all__ = ["DEFAULT_MAX_BYTES", "SQLiteStorage"]

T = TypeVar("T")

DEFAULT_MAX_BYTES = 1024**3
"""How large the file may become: 1 GiB."""

_DAY = 86_400.0
_GAP_SECONDS = 0.005  # between two steps of deleting: without it, others waited for the lock until all was deleted


_Reads: TypeAlias = Callable[[Database, LogQuery, Span | None, int], reading.Part[T]]


class SQLiteStorage:
    """Everything in one SQLite file, which any number of processes of one machine share.

    The file is made when it is first needed, readable by its owner alone. Nothing here raises for the state of the
    disk before that, and what fails then may work later.

    Args:
        path: where the file is or shall be; relative to the working directory of this moment.
        max_bytes: how large the file may become, at least 4 MiB. Before it becomes larger, the oldest entries of the
            log go, then the oldest of the history, whatever their retention, counted in
            ``observabilipy_log_entries_evicted_total``. A file that is larger already neither grows nor shrinks:
            deleting makes free pages, which are used again. Beside it lie the WAL (8 MiB and a batch, as long as no
            reader from outside holds a transaction open) and the ballast (16 MiB at most).
        history: seconds between two points of a metric's history (0: as they were sampled), and for how many seconds
            such points are kept. By default all for a day, one a minute for 30 days and one an hour for two years.
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
        history: Mapping[int, float] = DEFAULT_HISTORY,
        synchronous: Synchronous = "normal",
        clock: Clock = time.time,
    ) -> None:
        if synchronous not in get_args(Synchronous):
            raise ConfigurationError(f"synchronous must be 'normal' or 'full', got {synchronous!r}")
        if max_bytes < LEAST_MAX_BYTES:
            raise ConfigurationError(
                f"max_bytes, the size of the file, must be at least {LEAST_MAX_BYTES} (4 MiB), got {max_bytes}:"
                " to limit the log alone set log_retention"
            )
        check_library()
        file = checked_path(path)
        self._tiers = Tiers(history)
        self._clock = clock
        self._damage = Damage()
        # Two connections: the runtime's commits must not wait behind a reader's page.
        self._database = Database(file, synchronous, max_bytes, self._damage)
        self._async_database = Database(file, synchronous, max_bytes, self._damage)
        self._courier = Courier(self._async_database)
        self._deletion = Deletion(self._async_database)
        self._snapshots = Snapshots()  # used by the courier's thread
        self.shelter: MemoryStorage | None = None  # instead of a file that is refused
        # A clock that was handed in is a test's, which moves it as it likes.
        believed = PatientClock() if clock is time.time else clock
        self._maintenance = Maintenance(self._database, self._tiers, self._now, lambda: to_micros(believed()))

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
        """Seven days, as far as they fit into ``max_bytes``."""
        return RetentionPolicy(max_age=7 * _DAY)

    @property
    def default_history_retention(self) -> RetentionPolicy:
        """The longest age of ``history``: two years. Each step's own age is seen to by ``maintain``."""
        return RetentionPolicy(max_age=self._tiers.longest)

    # Logs

    @sheltered
    async def write_logs(self, entries: Iterable[LogEntry]) -> None:
        """Store all of the entries, in their order, or none of them."""
        new = logs.prepared(entries)
        if new:
            await self._write(partial(logs.append, new=new))

    @sheltered
    def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        """Entries in commit order; every few segments are a transaction of their own."""
        return self._parts(reading.entries, query)

    @sheltered
    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        """The same entries as lines of NDJSON."""
        return self._parts(reading.ndjson, query)

    @sheltered
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

    def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        """How many entries of each level there are in each step of so many seconds, mostly without unpacking any."""
        # Which entries are the first ones tells none but reading.
        if query.limit is not None or self.shelter is not None:
            return counted(self, query, step_micros(step))
        return reading.volumes(self._courier, self._async_database, query, step_micros(step))

    @sheltered
    async def log_facts(self) -> LogFacts:
        """Per level count, oldest, newest and bytes; the generation and where the log begins and ends."""
        return await self._read(logs.facts)

    @sheltered
    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        """Delete entries older than unix seconds, in steps that hold no writer back."""
        gone, goes_on = 0, True
        while goes_on:
            step, goes_on = await self._courier.carry(partial(self._deletion.before, timestamp, level))
            gone += step
            await asyncio.sleep(_GAP_SECONDS if step else 0)
        return gone

    @sheltered
    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        """Delete the entries committed first, in steps that hold no writer back."""
        gone, goes_on = 0, True
        while goes_on and gone < count:
            step, goes_on = await self._courier.carry(partial(self._deletion.oldest, count - gone, level))
            gone += step
            await asyncio.sleep(_GAP_SECONDS if step else 0)
        return gone

    # Metrics

    @sheltered
    async def register(self, families_: Iterable[Family]) -> None:
        """Define families; the newest definition of a name counts."""
        given = list(families_)
        await self._write(lambda connection: families.register(connection, given))

    @sheltered
    async def write_samples(self, samples: Iterable[MetricSample]) -> None:
        """Add increments to the totals and set gauges, all of them or none."""
        given = list(samples)
        if given:
            await self._write(lambda connection: Writer(connection, self._now()).add(given))

    @sheltered
    async def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        """Families that have series, in the order of their names, from one snapshot."""
        if names is None:
            read = partial(self._snapshots.read, now=self._now())
        else:
            read = partial(totals.read, now=self._now(), names=list(names))
        for family in await self._read(read):
            yield family

    @sheltered
    def read_history(self, query: MetricQuery) -> AsyncIterator[SeriesHistory]:
        """The sampled totals of each series that matches; a few chunks or frames are a transaction of their own.

        What is older than a step is kept comes with points that are further apart, and so does all that is kept
        coarser, too, if the query's ``step`` allows it. A point of a counter or a histogram is then the last sample of
        its step, that of a gauge the mean, with the lowest and the highest in ``ranges``. A series that ended and began
        again within a step shows as a fall, without a mark.
        """
        return history_.histories(self._courier, self._async_database, query)

    @sheltered
    async def count_samples(self) -> int:
        """How many points the history holds, over all series; those of each step count."""
        return await self._read(history_.count)

    @sheltered
    async def delete_history_before(self, timestamp: float) -> int:
        """Delete points older than unix seconds, of each step; totals stay."""
        return await self._write(partial(history_.delete_before, timestamp=timestamp, now=self._now()))

    @sheltered
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
        """Store the whole batch in one transaction, or nothing; nothing, too, when it is there already.

        From the first file on that this program must leave alone, this process keeps its records in memory.
        """
        if self.shelter is None:
            try:
                return self._commit(batch)
            except StorageRefused as error:
                if batch.worker.lifetime == 0:
                    raise  # what a killed process left in its ring is safe there
                self.shelter = take_shelter(self.path, error)
        elif batch.worker.lifetime == 0:
            raise StorageRefused(f"{self.path} is refused, and a ring is safer than this process's memory")
        return self.shelter.commit(batch)

    def _commit(self, batch: Batch) -> CommitReport:
        new = logs.prepared(batch.entries)

        def store(connection: Connection) -> tuple[CommitReport, Callable[[], None]]:
            skipped = logs.note_skipped(connection, found)
            writer = Writer(connection, self._now(), batch.worker.id, connection.known_series)
            workers.sees(connection, batch.worker, self._now())
            if not workers.is_new_batch(connection, batch.worker, batch.sequence):
                return CommitReport(skipped=skipped), writer.learn
            writer.hidden.update(families.register(connection, batch.families))
            logs.append(connection, new)
            writer.add((*batch.samples, *batch.gauges))
            report = dataclasses.replace(writer.report(), generation=logs.generation(connection), skipped=skipped)
            return report, writer.learn

        found = self._damage.noted()
        report, learn = self._database.write(store)
        self._damage.counted(len(found))
        learn()
        if pieces := self._damage.pieces():
            report = dataclasses.replace(report, skipped={**report.skipped, "damaged_history": pieces})
        gone = self._database.evicted(), self._async_database.evicted()
        if not any(gone):
            return report
        return dataclasses.replace(
            report,
            evicted=dict(gone[0].entries + gone[1].entries),
            evicted_points=gone[0].points + gone[1].points,
        )

    @sheltered
    def heartbeat(self, worker: Worker) -> bool:
        """Say that the worker lives; False when it had expired and must report its gauges again."""

        def beat(connection: sqlite3.Connection) -> bool:
            workers.sees(connection, worker, self._now())
            return not workers.is_told_of_expiry(connection, worker)

        return self._database.write(beat)

    @sheltered
    def end_worker(self, worker: Worker) -> None:
        """The worker ended in good order: its gauges count no more."""
        self._database.write(lambda connection: workers.end(connection, worker, self._now()))

    @sheltered
    def acquire_lease(self, worker: Worker, lifetime: float) -> bool:
        """Take or renew the maintenance lease, for ``lifetime`` seconds."""
        return self._database.write(lambda connection: workers.acquire_lease(connection, worker, lifetime, self._now()))

    @sheltered
    def sample_history(self, timestamp: float) -> None:
        """Append all totals, as they are, to the history under this time (unix seconds)."""
        moment = to_micros(timestamp)
        generation, frame = self._database.read(
            lambda connection: (logs.generation(connection), sample(connection, moment, self._now()))
        )

        def store(connection: sqlite3.Connection) -> None:
            if logs.generation(connection) == generation:  # else the file is another one by now, with other ids
                history_.store(connection, frame)

        self._database.write(store)

    @sheltered
    def maintain(self) -> bool:
        """Sweep out what expired workers left and series that were idle for 30 days, pack, and checkpoint.

        True when there is more to seal than a tenth of a second is enough for.
        """
        return self._maintenance.work()

    def forget(self) -> None:
        """In a forked child: let go of inherited connections without closing them."""
        if self.shelter is not None:
            self.shelter.forget()
        self._damage.forget()
        self._courier.forget()
        self._maintenance.forget()
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
