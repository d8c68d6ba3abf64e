"""TwoStorages: a log storage and a metrics storage as one."""

from collections.abc import AsyncIterator, Iterable, Sequence

from observabilipy.models import (
    Family,
    LogEntry,
    LogFacts,
    LogQuery,
    Matcher,
    MetricQuery,
    MetricSample,
    SeriesHistory,
)
from observabilipy.ports import LogStoragePort, MetricsStoragePort

__all__ = ["TwoStorages"]


class TwoStorages:
    """Passes on what both plain ports say: to ``_logs`` what is about the log, to ``_metrics`` the rest."""

    _logs: LogStoragePort
    _metrics: MetricsStoragePort

    # Logs

    async def write_logs(self, entries: Iterable[LogEntry]) -> None:
        """Store all of the entries, in their order, or none of them."""
        await self._logs.write_logs(entries)

    def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        """Entries in commit order, each with its cursor."""
        return self._logs.read_logs(query)

    async def count_logs(self, query: LogQuery) -> int:
        """How many entries ``read_logs`` would give."""
        return await self._logs.count_logs(query)

    async def log_facts(self) -> LogFacts:
        """Per level count, oldest, newest and bytes; the generation and where the log begins and ends."""
        return await self._logs.log_facts()

    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        """Delete entries with a timestamp before unix seconds, of one level or all."""
        return await self._logs.delete_logs_before(timestamp, level)

    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        """Delete the ``count`` entries committed first, of one level or all."""
        return await self._logs.delete_oldest_logs(count, level)

    # Metrics

    async def register(self, families: Iterable[Family]) -> None:
        """Define families; the newest definition of a name counts."""
        await self._metrics.register(families)

    async def write_samples(self, samples: Iterable[MetricSample]) -> None:
        """Add increments to the totals and set gauges, all of them or none."""
        await self._metrics.write_samples(samples)

    def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        """Families in the order of their names, from one consistent snapshot."""
        return self._metrics.totals(names)

    def read_history(self, query: MetricQuery) -> AsyncIterator[SeriesHistory]:
        """The sampled totals of each series that matches, points oldest first, None where a series ended."""
        return self._metrics.read_history(query)

    async def count_samples(self) -> int:
        """How many points the history holds, over all series, marks of ends among them."""
        return await self._metrics.count_samples()

    async def delete_history_before(self, timestamp: float) -> int:
        """Delete points older than unix seconds; totals stay. Gives how many went."""
        return await self._metrics.delete_history_before(timestamp)

    async def delete_series(self, matchers: Sequence[Matcher], idle_since: float | None = None) -> int:
        """Delete series that match all of the matchers, and whose last report is before ``idle_since`` if given."""
        return await self._metrics.delete_series(matchers, idle_since)
