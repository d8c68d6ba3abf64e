"""MemoryStorage: everything in this process's memory, bounded; behind ``memory://`` and ``ring://``."""

import re
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from observabilipy.encoding.encoded_entries import encoded
from observabilipy.errors import ConfigurationError
from observabilipy.models import (
    Clock,
    LogQuery,
    RetentionPolicy,
)
from observabilipy.ports import Batch, CommitReport, NdjsonPage, Worker
from observabilipy.storage.memory_logs import InMemoryLogStorage
from observabilipy.storage.memory_metrics import InMemoryMetricsStorage
from observabilipy.storage.totals_table import definition_of, report_of
from observabilipy.storage.two import TwoStorages

__all__ = ["MemoryStorage", "open_memory", "open_ring"]

_MAX_ENTRIES = 10_000
_MAX_BYTES = 16 * 1024 * 1024
_MAX_AGE = 3600.0
_MAX_SAMPLES = 100_000
_NUMBER = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
_EXAMPLES = {"memory": "memory:// alone, or ring://?entries=N&samples=M", "ring": "ring://?entries=N&samples=M"}
_SERIES_MAX_AGE = 30 * 86_400.0


class MemoryStorage(TwoStorages):
    """Logs and metrics of one process, in its memory: what ``memory://`` opens.

    Each process has its own, and a forked child goes on with its own copy: under several workers use a storage that
    they share, such as ``sqlite:///``. None lifts a bound.

    Args:
        max_entries: log entries to keep.
        max_bytes: bytes of messages and attributes to keep.
        max_samples: points of the metrics' history to keep.
        max_age: seconds for which points are kept.
        clock: unix seconds.

    Raises:
        ConfigurationError: a bound that is not positive.
    """

    _logs: InMemoryLogStorage
    _metrics: InMemoryMetricsStorage

    def __init__(
        self,
        *,
        max_entries: int | None = _MAX_ENTRIES,
        max_bytes: int | None = _MAX_BYTES,
        max_samples: int | None = _MAX_SAMPLES,
        max_age: float | None = _MAX_AGE,
        clock: Clock = time.time,
    ) -> None:
        self._logs = InMemoryLogStorage(max_entries=max_entries, max_bytes=max_bytes, clock=clock)
        self._metrics = InMemoryMetricsStorage(max_samples=max_samples, max_age=max_age, clock=clock)
        self.default_log_retention = _policy(None, max_entries, max_bytes)
        self.default_history_retention = _policy(max_age, max_samples, None)
        self._take_lock()

    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        """The same entries as lines of NDJSON."""
        return self._logs.read_ndjson(query)

    async def aclose(self) -> None:
        """Nothing is to be let go of."""

    # What the runtime calls

    def commit(self, batch: Batch) -> CommitReport:
        """Store the whole batch, or nothing; nothing when this batch or a later one of the worker is there."""
        entries = encoded(batch.entries)
        reports = [report_of(sample) for sample in (*batch.samples, *batch.gauges)]
        definitions = [definition_of(family) for family in batch.families]
        with self._lock:
            workers = self._metrics.workers
            if workers.is_known(batch.worker, batch.sequence):
                return CommitReport()
            workers.committed(batch.worker, batch.sequence)
            self._logs.append(entries)
            report = self._metrics.add(definitions, reports, batch.worker.id)
            return replace(report, generation=self._logs.generation)

    def heartbeat(self, worker: Worker) -> bool:
        """Say that the worker lives; False when it had expired and must report all of its gauges again."""
        with self._lock:
            return self._metrics.workers.heartbeat(worker)

    def end_worker(self, worker: Worker) -> None:
        """The worker ended in good order: its gauges with "sum", "min" and "max" count no more."""
        with self._lock:
            self._metrics.workers.end(worker)

    def acquire_lease(self, worker: Worker, lifetime: float) -> bool:
        """Take or renew the one maintenance lease, for ``lifetime`` seconds. False while another worker holds it."""
        with self._lock:
            return self._metrics.workers.acquire_lease(worker, lifetime)

    def sample_history(self, timestamp: float) -> None:
        """Append all totals, as they are, to the history under this time (unix seconds)."""
        self._metrics.sample_history(timestamp)

    def maintain(self) -> None:
        """Drop the gauges of expired workers, series idle for 30 days, and workers dead for a day."""
        self._metrics.maintain(_SERIES_MAX_AGE)

    def forget(self) -> None:
        """In a forked child: go on with this copy, under a lock that nobody holds and a generation of its own."""
        self._logs.begin_generation()
        self._metrics.workers.forget_all()
        self._take_lock()

    def close(self) -> None:
        """Nothing is to be let go of."""

    def _take_lock(self) -> None:
        self._lock = threading.RLock()  # guards logs and metrics together: a commit is seen whole or not at all
        self._logs.share_lock(self._lock)
        self._metrics.share_lock(self._lock)


def open_memory(url: str, *, clock: Clock = time.time) -> MemoryStorage:
    """Open ``memory://``: the newest 10,000 entries or 16 MiB, and an hour or 100,000 points of history.

    Raises:
        ConfigurationError: the URL says more than that.
    """
    _numbers(url, ())
    return MemoryStorage(clock=clock)


def open_ring(url: str, *, clock: Clock = time.time) -> MemoryStorage:
    """Open ``ring://?entries=N&samples=M``: memory that keeps the newest N entries and M points of history.

    Left out, they are 10,000 entries and 100,000 points. Nothing else bounds it: neither bytes nor age.

    Raises:
        ConfigurationError: an unknown option, a number that is not positive, a host or a path.
    """
    numbers = _numbers(url, ("entries", "samples"))
    return MemoryStorage(
        max_entries=numbers.get("entries", _MAX_ENTRIES),
        max_bytes=None,
        max_samples=numbers.get("samples", _MAX_SAMPLES),
        max_age=None,
        clock=clock,
    )


def _numbers(url: str, known: Sequence[str]) -> dict[str, int]:
    """The options of a URL that has nothing but options, each a whole number."""
    from urllib.parse import parse_qsl

    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if place:
        raise ConfigurationError(
            f"{scheme}:// has no host and no path, got {url!r}: to keep things in a file write sqlite:///file.db"
        )
    options = parse_qsl(query, keep_blank_values=True)
    for name, value in options:
        if name not in known:
            raise ConfigurationError(f"{scheme}:// knows no option {name!r}: write {_EXAMPLES[scheme]}")
        if not _NUMBER.fullmatch(value):
            raise ConfigurationError(
                f"{name} of {scheme}:// must be a whole number from 1 to 999999999999, got {value!r}"
            )
    if len(dict(options)) < len(options):
        raise ConfigurationError(f"an option of {scheme}:// may be given once, got {url!r}: keep one of them")
    return {name: int(value) for name, value in options}


def _policy(max_age: float | None, max_count: int | None, max_bytes: int | None) -> RetentionPolicy:
    if (max_age, max_count, max_bytes) == (None, None, None):
        return RetentionPolicy.forever()
    return RetentionPolicy(max_age, max_count, max_bytes)
