"""Collecting: the collectors of a runtime, which are not even imported where nobody wants one."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from observabilipy import process
from observabilipy.instruments import Registry
from observabilipy.ports import LogStoragePort
from observabilipy.runtime.checks import CollectorName

if TYPE_CHECKING:
    from observabilipy.collectors import Collectors

__all__ = ["Nothing", "collecting"]


class Nothing:
    """Does what collectors do, for none of them."""

    def look(self, *, asked: bool, last: bool = False) -> None:
        """Nothing is read."""

    def survey(self, storage: LogStoragePort) -> None:
        """Nothing is read."""

    def begin_anew(self) -> None:
        """Nothing was read."""


def collecting(
    names: Collection[CollectorName],
    registry: Registry,
    *,
    commits: Callable[[], list[float]],
    waiting: Callable[[], int],
    interval: float,
) -> "Collectors | Nothing":
    """The collectors of these names, see ``observabilipy.collectors.Collectors``."""
    if not names:
        return Nothing()
    with process.no_fork():  # a child that is forked during an import finds the module's lock held for ever
        from observabilipy.collectors import Collectors

    return Collectors(names, registry, commits=commits, waiting=waiting, interval=interval)
