"""The Python runtime: its version and its garbage collector, under the names that prometheus_client uses."""

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

from observabilipy.collectors.marks import Growth
from observabilipy.collectors.reading import python_labels
from observabilipy.instruments import Counter, Labelled, Registry

__all__ = ["PythonCollector"]

_Stats: TypeAlias = Callable[[], Sequence[Mapping[str, int]]]

_COUNTERS = (
    ("collections", "python_gc_collections_total", "Garbage collections of all workers, by generation."),
    ("collected", "python_gc_objects_collected_total", "Objects that the garbage collector freed, by generation."),
    (
        "uncollectable",
        "python_gc_objects_uncollectable_total",
        "Objects that the garbage collector found and could not free, by generation.",
    ),
)


class PythonCollector:
    """Follows the garbage collector from the moment it is made: what was before may be a parent's."""

    def __init__(self, registry: Registry, stats: _Stats | None = None) -> None:
        self._stats = stats or _gc_stats
        since = self._stats()
        self._growths = [
            (key, [Growth(counter.labels(str(generation)), stat[key]) for generation, stat in enumerate(since)])
            for key, counter in (
                (key, cast("Labelled[Counter]", registry.counter(name, help_, ("generation",))))
                for key, name, help_ in _COUNTERS
            )
        ]
        registry.info_metric("python", "The Pythons that the living workers run on.", python_labels())

    def look(self) -> None:
        """Read once and record."""
        stats = self._stats()
        for key, generations in self._growths:
            for growth, stat in zip(generations, stats, strict=False):
                growth.follow(stat[key])

    def begin_anew(self) -> None:
        """In a forked child, whose collector goes on with the parent's numbers."""
        stats = self._stats()
        for key, generations in self._growths:
            for growth, stat in zip(generations, stats, strict=False):
                growth.begin_anew(stat[key])


def _gc_stats() -> Sequence[Mapping[str, int]]:
    return gc.get_stats() if hasattr(gc, "get_stats") else ()  # PyPy has other ones
