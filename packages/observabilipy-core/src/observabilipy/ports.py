"""The ports: what a storage promises, and what callers may not rely on.

Every sentence here that promises something has a test in ``observabilipy.testing``, which every storage runs.

For all async methods: they may be awaited from any thread's event loop, several at once, and never block it. A write is
all or nothing. A read never holds back a writer, and sees no half of a write. After ``aclose()`` the storage may be
closed again and nothing else; what a call on a closed storage does is not promised.

An async method raises StorageUnavailable when the store cannot be reached now, UnsupportedQuery for a field that it
cannot honour.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Protocol, runtime_checkable

from observabilipy.models import (
    Family,
    LevelRetentionPolicy,
    LogEntry,
    LogFacts,
    LogQuery,
    LogVolume,
    Matcher,
    MetricQuery,
    MetricSample,
    RetentionPolicy,
    SeriesHistory,
)

__all__ = [
    "Batch",
    "CommitReport",
    "LogStoragePort",
    "MetricsStoragePort",
    "NdjsonPage",
    "NdjsonPort",
    "RingPort",
    "RuntimeStoragePort",
    "SizePort",
    "VolumePort",
    "Worker",
]


@runtime_checkable
class LogStoragePort(Protocol):
    """Keeps log entries in the order in which they were committed."""

    async def write_logs(self, entries: Iterable[LogEntry]) -> None:
        """Store all of the entries, in their order, or none of them.

        Entries of one call get consecutive positions. A position is never used again, not even after everything was
        deleted. Attributes are read before the call returns; changing them afterwards changes nothing.
        """
        ...

    def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        """Entries in commit order, each with its cursor; a plain ``def`` that gives an async iterator.

        ``after`` a cursor of another generation, or one older than the oldest entry kept, starts at the oldest entry
        (``resume`` is the rule); ``before`` a cursor of another generation there is nothing.

        What is written or deleted while one reads may appear or be missing; no entry appears twice, and none that was
        there from beginning to end of the read is missing.
        """
        ...

    async def count_logs(self, query: LogQuery) -> int:
        """How many entries ``read_logs`` would give."""
        ...

    async def log_facts(self) -> LogFacts:
        """Per level count, oldest, newest and bytes; the generation and where the log begins and ends."""
        ...

    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        """Delete entries with a timestamp before unix seconds, of one level or all. Gives how many went."""
        ...

    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        """Delete the ``count`` entries committed first, of one level or all. Gives how many went."""
        ...

    async def aclose(self) -> None:
        """Let go of files and threads. May be called again."""
        ...


@runtime_checkable
class MetricsStoragePort(Protocol):
    """Keeps totals, which only deletions by hand or idleness end, and a history of them, which retention thins."""

    async def register(self, families: Iterable[Family]) -> None:
        """Define families (their series are ignored). The newest definition of a name counts.

        Help, unit, aggregate and limit follow it. Under new bounds, older counts move to the first bound at or above
        their own. Another kind hides the older series. Nothing raises because an earlier definition was different.
        """
        ...

    async def write_samples(self, samples: Iterable[MetricSample]) -> None:
        """Add increments to the totals and set gauges, all of them or none.

        A family that was never registered gets a placeholder help, and bounds from its first histogram. Increments
        beyond a family's series limit go to the series whose labels are all ``__overflow__``; gauges beyond it are
        refused. A sample of another kind than its family's is kept but hidden.
        """
        ...

    def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        """Families in the order of their names, from one consistent snapshot: those named, or all.

        Only families with a series are given. Totals of integers are exact up to 2**63; beyond that they are floats.
        The series may be ``SeriesColumns``, which makes scrapes far cheaper; then the ``LabelSets`` are the same object
        for as long as the family's series are.
        """
        ...

    def read_history(self, query: MetricQuery) -> AsyncIterator[SeriesHistory]:
        """The sampled totals of each series that matches, points oldest first, None where a series ended."""
        ...

    async def count_samples(self) -> int:
        """How many points the history holds, over all series; whether marks of ends count is the store's affair."""
        ...

    async def delete_history_before(self, timestamp: float) -> int:
        """Delete points older than unix seconds; totals stay. Gives how many went."""
        ...

    async def delete_series(self, matchers: Sequence[Matcher], idle_since: float | None = None) -> int:
        """Delete series that match all of the matchers, and whose last report is before ``idle_since`` if given.

        A deleted series may begin anew at 0. Gives how many went.
        """
        ...

    async def aclose(self) -> None:
        """Let go of files and threads. May be called again."""
        ...


@dataclass(frozen=True, slots=True)
class NdjsonPage:
    """Some entries as whole NDJSON lines, one after another, in the order of the query that asked for them."""

    lines: bytes
    count: int
    first: str
    last: str
    """Cursors of the first and the last of the entries."""


@runtime_checkable
class NdjsonPort(Protocol):
    """Optional: a log storage that gives stored entries as ready bytes, which is cheaper than building each entry."""

    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        """What ``read_logs`` gives, each entry as the very bytes that ``encode_entry`` makes of it; a plain ``def``.

        No page is empty, but how full one is, is the store's affair: it ends at the latest with the line that reaches
        64 KiB, so that any log streams in constant memory. A read may be closed early.
        """
        ...


@runtime_checkable
class VolumePort(Protocol):
    """Optional: a log storage that counts entries by time and level more cheaply than by reading each of them."""

    def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        """What ``read_logs`` gives, counted by level in steps of so many seconds; a plain ``def``.

        Oldest step first, only those that have an entry, aligned to 1970. What is deleted or written meanwhile may be
        counted or not; each entry that was there from beginning to end is counted once.

        Raises:
            InvalidValue: the step is no finite number of a microsecond or more; before anything is read.
        """
        ...


@runtime_checkable
class RingPort(Protocol):
    """Optional: a storage with a place beside it where workers keep what they have not committed yet.

    ``log_durability="crash"`` needs it: the place must be on this machine, and shared by all workers.
    """

    @property
    def ring_directory(self) -> PathLike[str]:
        """An absolute path that nobody else uses. It need not be there."""
        ...


@runtime_checkable
class SizePort(Protocol):
    """Optional: a storage that knows how much of a disk it takes."""

    def size_bytes(self) -> int:
        """Bytes of the files that hold what was committed, as they are now; 0 before there is one.

        Called by the runtime's thread. It neither waits for a writer nor reads the files.
        """
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """One process at work: a random id drawn at its first record, and what describes it to people.

    It counts as alive for ``lifetime`` seconds after its last commit or heartbeat.
    """

    id: str
    host: str = ""
    pid: int = 0
    lifetime: float = 15.0


@dataclass(frozen=True, slots=True)
class Batch:
    """What one worker hands over in one transaction.

    ``sequence`` grows by one with each batch of a worker, from 1; a batch that is repeated because its commit was
    unclear has the same number. ``samples`` are increments, ``gauges`` the values of this worker alone, ``families``
    the definitions that are new since its last batch.

    The runtime hands its entries over as ``EncodedEntries``, from which a store may take what it would encode.
    """

    worker: Worker
    sequence: int
    entries: Sequence[LogEntry] = ()
    samples: tuple[MetricSample, ...] = ()
    gauges: tuple[MetricSample, ...] = ()
    families: tuple[Family, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What a commit could not take as it was, and what the store gave up for it, for the counters.

    ``overflowed`` and ``refused`` tell per family how many samples went to the overflow series, and how many gauges
    were refused for the series limit; ``hidden`` how many were of another kind than their family, and definitions that
    hide series of another kind. All are 0 for a batch that was already there.

    ``generation`` is the store's: when it changes, the store is another one (its file was deleted, say), which knows
    neither the definitions nor the gauges that this worker reported before.

    ``evicted`` tells per level how many entries, and ``evicted_points`` how many points of the history, this process
    deleted since its last commit because the store reached the size that it may have.
    """

    overflowed: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    hidden: dict[str, int] = field(default_factory=dict)
    generation: str = field(default="", compare=False)
    evicted: dict[str, int] = field(default_factory=dict)
    evicted_points: int = 0


@runtime_checkable
class RuntimeStoragePort(LogStoragePort, MetricsStoragePort, Protocol):
    """What a storage of many workers adds. The runtime calls it from its own thread; these methods block.

    They may be called from different threads. Commits come one at a time; after a fork or at the end, a commit may meet
    a call of the upkeep (``acquire_lease``, ``maintain``, ``sample_history``). They raise StorageUnavailable when the
    same call may work later; after any other exception the runtime repeats the batch a few times and then gives it up,
    counted.
    """

    @property
    def default_log_retention(self) -> RetentionPolicy | LevelRetentionPolicy:
        """What holds when nobody said how long log entries are kept."""
        ...

    @property
    def default_history_retention(self) -> RetentionPolicy:
        """What holds when nobody said how long the history is kept."""
        ...

    def commit(self, batch: Batch) -> CommitReport:
        """Store the whole batch in one transaction, or nothing.

        Does nothing when this worker's batch of this sequence, or a later one, is already there, so an unclear commit
        can be repeated.
        Counts as a heartbeat. Gauges with aggregate "last" take the value of the latest commit and outlive their
        worker; with "sum", "min" and "max" each living worker's latest value counts.
        """
        ...

    def heartbeat(self, worker: Worker) -> bool:
        """Say that the worker lives.

        False when it had expired since it was last told, even if it committed meanwhile: it must report all of its
        gauges again.
        """
        ...

    def end_worker(self, worker: Worker) -> None:
        """The worker ended in good order: its gauges with "sum", "min" and "max" count no more. Totals stay."""
        ...

    def acquire_lease(self, worker: Worker, lifetime: float) -> bool:
        """Take or renew the one maintenance lease, for ``lifetime`` seconds. False while another worker holds it."""
        ...

    def sample_history(self, timestamp: float) -> None:
        """Append all totals, as they are, to the history under this time (unix seconds).

        The same time sampled again replaces what was there.
        """
        ...

    def maintain(self) -> None:
        """Housekeeping in small steps: expired workers, checkpoints, compaction. Safe to call at any time."""
        ...

    def forget(self) -> None:
        """Called in a forked child: let go of inherited connections without closing them; open anew when needed."""
        ...

    def close(self) -> None:
        """Let go of files and threads, blocking. May be called again."""
        ...
