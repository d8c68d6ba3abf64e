"""Metrics storages in this process's memory."""

import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from observabilipy.models import (
    Clock,
    Family,
    Matcher,
    MetricQuery,
    MetricSample,
    SeriesHistory,
    check_timestamp,
)
from observabilipy.ports import CommitReport
from observabilipy.storage.bounds import check_age, check_size
from observabilipy.storage.history_frames import HistoryFrames, select
from observabilipy.storage.totals_table import Report, TotalsTable, definition_of, families_of, report_of
from observabilipy.storage.worker_table import ANONYMOUS, WorkerTable

__all__ = ["InMemoryMetricsStorage", "RingBufferMetricsStorage"]


class InMemoryMetricsStorage:
    """Totals and their history in memory, gone with the process; the history is unbounded unless told otherwise.

    Totals are bounded by the series limits of their families. Over a bound the oldest points of the history go. For
    use from any thread and any event loop.

    Args:
        max_samples: points of the history to keep, over all series.
        max_age: seconds for which points are kept.
        clock: unix seconds, for the first and last report of a series, the lifetimes of workers and ``max_age``.

    Raises:
        ConfigurationError: a bound that is not positive.
    """

    def __init__(
        self, *, max_samples: int | None = None, max_age: float | None = None, clock: Clock = time.time
    ) -> None:
        self._clock = clock
        self._max_age = None if max_age is None else check_age("max_age", max_age)
        self._table = TotalsTable()
        self._history = HistoryFrames(None if max_samples is None else check_size("max_samples", max_samples))
        self.workers = WorkerTable(clock)
        self._lock = threading.RLock()  # guards the table, the history and the workers

    def share_lock(self, lock: threading.RLock) -> None:
        """Take a lock that guards other storages, too, so that they change together."""
        self._lock = lock

    def add(self, definitions: Iterable[Family], reports: Iterable[Report], worker_id: str = ANONYMOUS) -> CommitReport:
        """Define families and add what a worker reported, blocking for a moment."""
        with self._lock:
            hidden = Counter(definition.name for definition in definitions if self._table.define(definition))
            report = self._table.add(reports, worker_id, self._clock())
            return replace(report, hidden=dict(hidden + Counter(report.hidden)))

    def sample_history(self, timestamp: float) -> None:
        """Append all totals, as they are, to the history under this time (unix seconds), and drop what is too old."""
        moment = check_timestamp(timestamp, "timestamp")
        with self._lock:
            self._history.append(moment, families_of(self._table.snapshot(None, self.workers.living())))
            if self._max_age is not None:
                self._history.delete_before(self._clock() - self._max_age)

    def maintain(self, series_max_age: float) -> None:
        """Drop the gauges of expired workers, series idle for so many seconds, and workers dead for a day."""
        with self._lock:
            self._table.keep_workers(self.workers.living())
            self._table.delete_idle(self._clock() - series_max_age)
            self.workers.forget_old()

    async def register(self, families: Iterable[Family]) -> None:
        """Define families; the newest definition of a name counts."""
        self.add([definition_of(family) for family in families], ())

    async def write_samples(self, samples: Iterable[MetricSample]) -> None:
        """Add increments to the totals and set gauges, all of them or none."""
        self.add((), [report_of(sample) for sample in samples])

    async def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        """Families in the order of their names, from one consistent snapshot."""
        wanted = None if names is None else frozenset(names)
        with self._lock:
            snapshot = self._table.snapshot(wanted, self.workers.living())
        for family in families_of(snapshot):
            yield family

    async def read_history(self, query: MetricQuery) -> AsyncIterator[SeriesHistory]:
        """The sampled totals of each series that matches, points oldest first, None where a series ended."""
        with self._lock:
            frames = self._history.frames()
        for history in select(frames, query):
            yield history

    async def count_samples(self) -> int:
        """How many points the history holds, over all series, marks of ends among them."""
        with self._lock:
            return self._history.count

    async def delete_history_before(self, timestamp: float) -> int:
        """Delete points older than unix seconds; totals stay. Gives how many went."""
        moment = check_timestamp(timestamp, "timestamp")
        with self._lock:
            return self._history.delete_before(moment)

    async def delete_series(self, matchers: Sequence[Matcher], idle_since: float | None = None) -> int:
        """Delete series that match all of the matchers, and whose last report is before ``idle_since`` if given."""
        with self._lock:
            return self._table.delete(matchers, idle_since)

    async def aclose(self) -> None:
        """Nothing is to be let go of."""


class RingBufferMetricsStorage(InMemoryMetricsStorage):
    """Totals in memory, and the newest ``max_samples`` points of their history.

    Raises:
        ConfigurationError: ``max_samples`` is no whole number of 1 or more.
    """

    def __init__(self, max_samples: int, *, clock: Clock = time.time) -> None:
        super().__init__(max_samples=check_size("max_samples", max_samples), clock=clock)
