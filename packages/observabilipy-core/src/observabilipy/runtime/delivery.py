"""Delivery: what was recorded becomes batches, and each batch is committed exactly once."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from observabilipy.encoding.encoded_entries import EncodedEntries, EncodedEntry
from observabilipy.errors import StorageUnavailable
from observabilipy.instruments.registry import Collection, Registry
from observabilipy.logs.buffer import LogBuffer
from observabilipy.logs.crash_buffer import CrashBuffer
from observabilipy.logs.entries import Finish, shed
from observabilipy.logs.ring_reader import RingReader
from observabilipy.models import Clock, MetricSample, level_of_number
from observabilipy.ports import Batch, CommitReport, RuntimeStoragePort, Worker
from observabilipy.troubles import DROPPED_NAME

__all__ = ["Delivery"]

_BATCH_ENTRIES = 1_000  # entries in one transaction: milliseconds of lock for SQLite
_KEPT_TIMES = 1_000  # of commits that nobody asked about yet
_ATTEMPTS = 3  # of a batch that the storage refuses for another reason than being out of reach


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A batch under way, and what to confirm when it has arrived. The ring, if there is one, holds ``kept`` of it."""

    batch: Batch
    collection: Collection
    entries: list[EncodedEntry]
    kept: int


class Delivery:
    """Carries a buffer and a registry into a storage. Not for several threads at once: the runtime sees to that.

    Args:
        storage: where to.
        buffer: log records that wait; those in its ring are taken from there.
        registry: instruments that count.
        finish: makes entries of records.
        max_backlog_bytes: how much may wait while the storage cannot be reached.
        lifetime: seconds for which the worker counts as alive after its last call.
        clock: gives unix seconds.
        monotonic: gives seconds that never go back.
        new_id: draws the id of a worker.
    """

    def __init__(
        self,
        storage: RuntimeStoragePort,
        buffer: LogBuffer | CrashBuffer,
        registry: Registry,
        *,
        finish: Finish,
        max_backlog_bytes: int,
        lifetime: float,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        new_id: Callable[[], str] = lambda: os.urandom(8).hex(),
    ) -> None:
        self._storage = storage
        self._buffer = buffer
        self._registry = registry
        self._troubles = registry.troubles
        self._finish = finish
        self._max_backlog_bytes = max_backlog_bytes
        self._lifetime = lifetime
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._backlog: list[EncodedEntry] = []
        self._ring: RingReader | None = None
        if isinstance(buffer, CrashBuffer):
            self._ring = RingReader(buffer, finish, self._unreadable, monotonic)
        self._took: deque[float] = deque(maxlen=_KEPT_TIMES)
        self._generation = ""  # of the store that took the latest batch
        self._worker: Worker | None
        self._parcel: _Parcel | None
        self._forget_worker()

    @property
    def worker(self) -> Worker:
        """This process as the storage knows it: drawn when first asked for, and again after a fork."""
        if self._worker is None:
            drawn = Worker(self._new_id(), _host_name(), os.getpid(), self._lifetime)
            self._heard = self._monotonic()
            if self._worker is None:  # the thread, and whoever opens the ring, may draw at once
                self._worker = drawn
        return self._worker

    @property
    def has_begun(self) -> bool:
        """Whether the storage has heard of this process, or is about to."""
        return self._worker is not None or bool(self._backlog)

    @property
    def waiting(self) -> int:
        """How many log entries were taken from the buffer and are not in a batch yet."""
        return len(self._backlog)

    def taken_seconds(self) -> list[float]:
        """What each commit took, also one that failed, since somebody asked last."""
        taken = list(self._took)
        self._took.clear()
        return taken

    def deliver(self) -> bool:
        """Commit everything recorded before the call. False when the storage could not take it now."""
        if self._ring is not None:
            self._ring.replace_lost()
        self._take_records()
        # After an unclear commit the same batch must be repeated, before anything new is collected.
        if self._parcel is not None and not self._commit(self._parcel):
            return False
        collection = self._registry.collect(self._clock())
        self._tell_of_losses(collection.samples)
        until = 0 if self._ring is None else self._ring.head
        while True:
            kept, end = ([], 0) if self._ring is None else self._ring.take(_BATCH_ENTRIES, until)
            if not (end or self._backlog or collection):
                return True
            if not self._commit(self._pack(collection, kept, end)):
                return False
            collection = Collection()

    def heartbeat(self) -> None:
        """Tell the storage that this worker lives, at least every third of its lifetime.

        Commits keep it alive, too, but only a heartbeat is told that the worker had expired.
        """
        if self._worker is None or self._monotonic() - self._heard < self._lifetime / 3:
            return
        known = self._storage.heartbeat(self.worker)
        self._heard = self._monotonic()
        if not known:
            self._registry.report_gauges_again()

    def end(self) -> None:
        """The worker ends in good order; a later record would draw a new one."""
        if self._worker is not None and self._parcel is None:
            self._storage.end_worker(self._worker)
            if self._ring is None:
                self._forget_worker()
            else:
                self._ring.end(self._forget_worker)  # the next ring has the name of another worker
            self._registry.report_gauges_again()

    def abandon(self) -> None:
        """Nothing more will be carried: count what is left as dropped."""
        left = [level for _, level, _, _ in self._backlog]
        if self._parcel is not None:
            left += [level for _, level, _, _ in self._parcel.entries[self._parcel.kept :]]
        left += [
            _level(level) for _, _, level, *_ in self._buffer.drain()
        ]  # of threads that were recording while it was closed
        for level in left:
            self._troubles.dropped(level, "closed")
        if left:
            self._troubles.warn(
                "abandoned", f"{len(left)} log entries are lost: the storage did not take them before the end"
            )
        self._backlog.clear()
        if self._ring is not None:
            self._ring.end()

    def begin_anew(self) -> None:
        """In a forked child: what waits here is the parent's, and this is another worker."""
        self._backlog.clear()
        self._generation = ""
        self._forget_worker()

    def _forget_worker(self) -> None:
        self._worker = None
        self._sequence = 0
        self._parcel = None
        self._attempts = 0
        self._heard = 0.0

    def _take_records(self) -> None:
        self._backlog += self._finish.entries(self._buffer.drain(), self._unreadable)
        self._backlog, given_up = shed(self._backlog, self._max_backlog_bytes)
        for level in given_up:
            self._troubles.dropped(level, "backlog_full")

    def _unreadable(self, error: Exception, level: str | int) -> None:
        self._troubles.dropped(_level(level), "invalid")
        self._troubles.failed("reading a log record", error)

    def _tell_of_losses(self, samples: Iterable[MetricSample]) -> None:
        """Readers see that something is missing: one entry, behind the others, so that a small store keeps it."""
        losses = {
            f"{sample.labels['level']} {sample.labels['reason']}": sample.value
            for sample in samples
            if sample.name == DROPPED_NAME and isinstance(sample.value, int | float) and sample.value
        }
        if losses:
            about = {"logger": "observabilipy", "dropped": losses}
            told = self._finish(self._clock(), "WARNING", f"log entries were dropped: {sum(losses.values())}", about)
            self._backlog.append(told)

    def _pack(self, collection: Collection, kept: list[EncodedEntry], end: int) -> _Parcel:
        room = max(0, _BATCH_ENTRIES - len(kept))
        taken, self._backlog = self._backlog[:room], self._backlog[room:]
        entries = [*kept, *taken]
        self._sequence += 1
        batch = Batch(
            self.worker,
            self._sequence,
            EncodedEntries(entries),
            tuple(collection.samples),
            tuple(collection.gauges),
            tuple(collection.families),
        )
        if self._ring is not None:
            self._ring.intend(self._sequence, end)
        self._parcel = _Parcel(batch, collection, entries, len(kept))
        return self._parcel

    def _commit(self, parcel: _Parcel) -> bool:
        try:
            report = self._timed_commit(parcel.batch)
        except StorageUnavailable as error:
            self._troubles.failed("writing to the storage", error)
            return False
        except Exception as error:  # noqa: BLE001 - a storage may raise anything; the application must not notice
            self._troubles.failed("writing to the storage", error)
            self._attempts += 1
            if self._attempts < _ATTEMPTS:
                return False
            self._give_up(parcel)
        else:
            parcel.collection.confirm()
            self._tell(report)
        if self._ring is not None:
            self._ring.confirm()
        self._parcel = None  # after the marks moved: a batch that is repeated is recognised, one that is lost is not
        self._attempts = 0
        return True

    def _timed_commit(self, batch: Batch) -> CommitReport:
        started = self._monotonic()
        try:
            return self._storage.commit(batch)
        finally:
            self._took.append(self._monotonic() - started)

    def _tell(self, report: CommitReport) -> None:
        if self._generation and report.generation and report.generation != self._generation:
            self._registry.begin_in_new_store()
        self._generation = report.generation or self._generation
        for tell, counts in (
            (self._troubles.overflowed, report.overflowed),
            (self._troubles.refused, report.refused),
            (self._troubles.hidden, report.hidden),
            (self._troubles.evicted, report.evicted),
        ):
            for family, count in counts.items():
                tell(family, count)
        if report.evicted_points:
            self._troubles.evicted_points(report.evicted_points)

    def _give_up(self, parcel: _Parcel) -> None:
        parcel.collection.confirm(definitions=False)  # the next batch defines them once more
        for _, level, _, _ in parcel.entries:
            self._troubles.dropped(level, "refused_by_storage")
        for sample in (*parcel.batch.samples, *parcel.batch.gauges):
            self._troubles.lost(sample.name, 1)


def _host_name() -> str:
    # For people. The module socket would tell it on Windows, too; importing it takes a tenth of our own import.
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def _level(level: str | int) -> str:
    return level if isinstance(level, str) else level_of_number(level)
