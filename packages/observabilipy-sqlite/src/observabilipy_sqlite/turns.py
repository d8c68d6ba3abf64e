"""Turns: Python's lock for the other threads, after each half of a millisecond of work."""

from time import perf_counter, sleep

__all__ = ["Turns"]

_WORK_SECONDS = 0.0005
_PAUSE_SECONDS = 0.0002


class Turns:
    """For work of many small pieces on a thread beside an event loop: ``take`` one after each piece.

    To let go of the lock for no time, as sqlite3 and zlib do, hands it to nobody: who waits for it gets it after five
    milliseconds. Not safe for threads.
    """

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = perf_counter()

    def take(self) -> None:
        """Pause if it is time."""
        if perf_counter() - self._since > _WORK_SECONDS:
            sleep(_PAUSE_SECONDS)
            self._since = perf_counter()
