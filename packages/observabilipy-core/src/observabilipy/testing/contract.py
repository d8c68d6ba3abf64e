"""Contract: what every storage contract begins with, the storage and its clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from observabilipy.testing.clock import FakeClock
from observabilipy.testing.entries import NOON

__all__ = ["Contract", "Storage"]


class Storage(Protocol):
    """What all ports have in common."""

    async def aclose(self) -> None:
        """Let go of files and threads."""


_S = TypeVar("_S", bound=Storage)


class Contract(Generic[_S]):
    """Sentences about a storage that ``make_storage`` builds."""

    clock: FakeClock

    def make_storage(self, clock: FakeClock) -> _S:
        """Give a new, empty storage that takes its time from the clock."""
        raise NotImplementedError("say how to build the storage: override make_storage(self, clock)")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[_S]:
        """A storage for one test, whose time is ``self.clock``."""
        self.clock = FakeClock(NOON)
        storage = self.make_storage(self.clock)
        try:
            yield storage
        finally:
            await storage.aclose()
