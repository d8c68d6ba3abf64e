"""Collecting: the collectors of a runtime, which are not even imported where nobody wants one."""

from collections.abc import Callable, Collection
from typing import Protocol

from observabilipy.instruments import Registry
from observabilipy.models import LogFacts
from observabilipy.runtime.checks import CollectorName

__all__ = ["Collecting", "collecting"]


class Collecting(Protocol):
    """What a runtime does to its collectors, see ``observabilipy.collectors.Collectors``."""

    def look(self, *, asked: bool, last: bool = False) -> None:
        """Read if it is time to."""

    def survey(self, facts: Callable[[], LogFacts]) -> None:
        """Read what the storage holds."""

    def begin_anew(self) -> None:
        """In a forked child: what was read is the parent's."""


class _Nothing:
    def look(self, *, asked: bool, last: bool = False) -> None:
        pass

    def survey(self, facts: Callable[[], LogFacts]) -> None:
        pass

    def begin_anew(self) -> None:
        pass


def collecting(
    names: Collection[CollectorName],
    registry: Registry,
    *,
    commits: Callable[[], list[float]],
    waiting: Callable[[], int],
    interval: float,
) -> Collecting:
    """The collectors of these names, see ``observabilipy.collectors.Collectors``."""
    if not names:
        return _Nothing()
    from observabilipy.collectors import Collectors

    return Collectors(names, registry, commits=commits, waiting=waiting, interval=interval)
