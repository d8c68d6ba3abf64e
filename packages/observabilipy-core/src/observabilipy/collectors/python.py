"""The Python runtime: its version and its garbage collector, under the names that prometheus_client uses."""

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

from observabilipy.collectors.marks import Growth
from observabilipy.collectors.reading import python_labels
from observabilipy.instruments import Counter, Gauge, Labelled, Registry

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
        self._tell_version = _version_teller(registry)
        self._version_told = False

    def look(self) -> None:
        """Read once and record."""
        if not self._version_told:
            self._version_told = True
            self._tell_version()
        stats = self._stats()
        for key, generations in self._growths:
            for growth, stat in zip(generations, stats, strict=False):
                growth.follow(stat[key])

    def begin_anew(self) -> None:
        """In a forked child, whose collector goes on with the parent's numbers."""
        self._version_told = False
        stats = self._stats()
        for key, generations in self._growths:
            for growth, stat in zip(generations, stats, strict=False):
                growth.begin_anew(stat[key])


def _gc_stats() -> Sequence[Mapping[str, int]]:
    return gc.get_stats() if hasattr(gc, "get_stats") else ()  # PyPy has other ones


def _version_teller(registry: Registry) -> Callable[[], None]:
    """What shows ``python_info`` for as long as this worker lives: 1, of any number of workers."""
    labels = python_labels()
    info = cast(
        "Labelled[Gauge]",
        registry.gauge("python_info", "The Pythons that the living workers run on.", tuple(labels), aggregate="max"),
    )
    return lambda: info.labels(**labels).set(1)
