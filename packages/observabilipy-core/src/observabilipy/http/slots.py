"""Slots: only so many at once, for answers that end in many ways."""

from collections import deque
from contextlib import suppress

__all__ = ["Slot", "Slots"]


class Slots:
    """A number of places, taken and given back from any thread.

    Without a lock: a slot may be given back by the garbage collector, in the middle of anything. ``pop`` and ``append``
    of a deque are atomic.
    """

    def __init__(self, count: int) -> None:
        self._free = deque([None] * count)

    def take(self) -> "Slot | None":
        """A place, None when all are taken."""
        try:
            self._free.pop()
        except IndexError:
            return None
        return Slot(self._free)


class Slot:
    """One place. It is given back by ``release``, or when nobody holds it any more."""

    def __init__(self, free: "deque[None]") -> None:
        self._free = free
        self._taken = deque([None])

    def release(self) -> None:
        """Give the place back. May be called again."""
        with suppress(IndexError):
            self._free.append(self._taken.pop())

    def __del__(self) -> None:
        self.release()
