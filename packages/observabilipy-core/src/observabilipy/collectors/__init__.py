"""Collectors: what the process, Python and the library itself report without being asked, and when it is read."""

import time
from collections.abc import Callable, Collection
from typing import TypeAlias

from observabilipy.awaiting import await_here
from observabilipy.collectors.library import LibraryCollector, StoreCollector
from observabilipy.collectors.process import ProcessCollector
from observabilipy.collectors.python import PythonCollector
from observabilipy.instruments import Registry
from observabilipy.models import Clock
from observabilipy.ports import LogStoragePort, SizePort

__all__ = ["Collectors"]

_Collector: TypeAlias = ProcessCollector | PythonCollector | LibraryCollector

_ASKED_SECONDS = 1.0
"""Whoever waits for a flush, such as a scrape, gets nothing older."""


class Collectors:
    """Reads at a slow pace, by the thread that commits, and records into ordinary instruments.

    Args:
        names: which ones: "process", "python", "library".
        registry: where their instruments are.
        commits: gives the seconds that each commit since the last call took.
        waiting: gives how many log entries wait for a commit.
        interval: seconds between two looks; at most one when somebody waits for a flush.
        monotonic: gives seconds that never go back.
    """

    def __init__(
        self,
        names: Collection[str],
        registry: Registry,
        *,
        commits: Callable[[], list[float]],
        waiting: Callable[[], int],
        interval: float,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._troubles = registry.troubles
        self._interval = interval
        self._monotonic = monotonic
        self._next = self._next_if_asked = 0.0
        makers: dict[str, Callable[[], _Collector]] = {
            "process": lambda: ProcessCollector(registry),
            "python": lambda: PythonCollector(registry),
            "library": lambda: LibraryCollector(registry, commits, waiting),
        }
        self._collectors = {name: make() for name, make in makers.items() if name in names}
        self._store = StoreCollector(registry) if "library" in names else None

    def look(self, *, asked: bool, last: bool = False) -> None:
        """Read if it is time to.

        Args:
            asked: somebody waits for a flush.
            last: the worker ends.
        """
        now = self._monotonic()
        if not last and now < (self._next_if_asked if asked else self._next):
            return
        self._next, self._next_if_asked = now + self._interval, now + min(_ASKED_SECONDS, self._interval)
        for name, collector in self._collectors.items():
            self._guarded(name, collector.look)

    def survey(self, storage: LogStoragePort) -> None:
        """Read what the storage holds; for the worker that looks after it."""
        if self._store is not None:
            store = self._store
            size = storage.size_bytes if isinstance(storage, SizePort) else lambda: None
            self._guarded("storage", lambda: store.look(await_here(storage.log_facts()), size()))

    def begin_anew(self) -> None:
        """In a forked child: what was read is the parent's."""
        self._next = self._next_if_asked = 0.0
        for name, collector in self._collectors.items():
            self._guarded(name, collector.begin_anew)

    def _guarded(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - what cannot be read is missing, and nothing else
            self._troubles.failed(f"reading the {name} metrics", error)
