"""The library itself: how long its commits take, what waits for them, how many workers there are, what is stored."""

from collections.abc import Callable

from observabilipy.collectors.marks import Followed
from observabilipy.instruments import Gauge, Histogram, Labelled, Registry
from observabilipy.models import LEVELS, Aggregate, Family, LogFacts, MetricKind

__all__ = ["LibraryCollector", "StoreCollector"]

_COMMIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LibraryCollector:
    """Follows what the library does for its program. What went wrong is counted at once, by ``Troubles``.

    Args:
        registry: where the instruments are.
        commits: gives the seconds that each commit since the last call took.
        waiting: gives how many log entries wait for a commit.
    """

    def __init__(self, registry: Registry, commits: Callable[[], list[float]], waiting: Callable[[], int]) -> None:
        self._commits = commits
        self._waiting = waiting
        took = Family(
            "observabilipy_commit_duration_seconds",
            MetricKind.HISTOGRAM,
            "Time that commits to the storage took.",
            "seconds",
            bounds=_COMMIT_BOUNDS,
        )
        self._took: Histogram = registry.own(took)
        self._workers = Followed(_gauge(registry, "observabilipy_workers", "Living workers of this storage.", "sum"))
        self._queue = Followed(
            _gauge(
                registry,
                "observabilipy_log_entries_waiting",
                "Log entries that waited when they were counted.",
                "sum",
            )
        )

    def look(self) -> None:
        """Read once and record."""
        self._workers.follow(1)
        self._queue.follow(self._waiting())
        for seconds in self._commits():
            self._took.observe(seconds)

    def begin_anew(self) -> None:
        """In a forked child: what was not told yet is the parent's."""
        self._commits()
        self._workers.begin_anew()
        self._queue.begin_anew()


class StoreCollector:
    """Shows what the storage holds, which is the same for all workers: one of them looks, the latest look counts."""

    def __init__(self, registry: Registry) -> None:
        entries = Family("observabilipy_log_entries", MetricKind.GAUGE, "Log entries in the storage, by level.")
        self._entries: Labelled[Gauge] = registry.own(entries, "level")
        self._log_bytes = _gauge(
            registry, "observabilipy_log_bytes", "Bytes of the log entries in the storage.", "last", "bytes"
        )
        self._size = _gauge(
            registry, "observabilipy_storage_bytes", "Bytes of the files of the storage.", "last", "bytes"
        )

    def look(self, facts: LogFacts, size: int | None = None) -> None:
        """Record what is known of the log, and the size of all. Names of levels that are not the five are one."""
        counts = dict.fromkeys(LEVELS, 0)
        for level, known in facts.levels.items():
            name = level if level in counts else "other"
            counts[name] = counts.get(name, 0) + known.count
        for level, count in counts.items():
            self._entries.labels(level).set(count)
        self._log_bytes.set(facts.bytes)
        if size is not None:
            self._size.set(size)


def _gauge(registry: Registry, name: str, help_: str, aggregate: Aggregate, unit: str = "") -> Gauge:
    made: Gauge = registry.own(Family(name, MetricKind.GAUGE, help_, unit, aggregate=aggregate))
    return made
