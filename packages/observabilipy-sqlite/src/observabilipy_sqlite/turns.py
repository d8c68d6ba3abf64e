"""Turns: Python's lock for the other threads, after each half of a millisecond of work."""

from contextlib import suppress
from time import perf_counter, sleep

__all__ = ["Turns", "pause"]

_WORK_SECONDS = 0.0005
_PAUSE_SECONDS = 0.0002


def pause() -> None:
    """Let go of the lock for a fifth of a millisecond.

    To let go of it for no time, as sqlite3 and zlib do, hands it to nobody: who waits for it gets it after five
    milliseconds, and an event loop would be late by as much.
    """
    with suppress(OSError):  # a clock that is set meanwhile, by whatever
        sleep(_PAUSE_SECONDS)


class Turns:
    """For work of many small pieces on a thread beside an event loop: ``take`` one after each piece.

    Not safe for threads.
    """

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = perf_counter()

    def take(self) -> None:
        """Pause if it is time."""
        if perf_counter() - self._since > _WORK_SECONDS:
            pause()
            self._since = perf_counter()
