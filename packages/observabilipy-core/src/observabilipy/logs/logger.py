"""Logger: the calls that record log entries."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

from observabilipy import process
from observabilipy.logs.buffer import Buffer, LogCall
from observabilipy.logs.context import context, current_context
from observabilipy.logs.exceptions import with_exception
from observabilipy.logs.timed import Timed
from observabilipy.models import RANKS, Clock

__all__ = ["Logger"]


class Logger:
    """Records entries into a buffer; nothing here raises, waits, or does input and output.

    ``debug``, ``info``, ``warning``, ``error`` and ``critical`` are called with a message and attributes. Attributes
    are read when the runtime carries the entry away, at most one flush interval later (at once with
    ``log_durability="crash"``): pass a copy of what you change afterwards.
    """

    debug: LogCall
    info: LogCall
    warning: LogCall
    error: LogCall
    critical: LogCall

    def __init__(self, buffer: Buffer, clock: Clock, level: str, bound: Mapping[str, object]) -> None:
        self._buffer = buffer
        self._clock = clock
        self._level = level
        self._rank = RANKS[level]
        self._bound = bound
        self.debug = self._call("DEBUG")
        self.info = self._call("INFO")
        self.warning = self._call("WARNING")
        self.error = self._call("ERROR")
        self.critical = self._call("CRITICAL")

    def exception(self, message: str, /, **attributes: object) -> None:
        """Record an entry of level ERROR with the exception being handled: type, message, traceback."""
        self.record("ERROR", message, with_exception({"exc_info": True, **attributes}))

    def timed(self, message: str, /, **attributes: object) -> Timed:
        """Record one entry for a block, when it ends, with the seconds that it took as ``duration_seconds``.

        ``with obs.timed("rows imported", table="orders") as more: ... more["rows"] = 1000``, or as a decorator of a
        function. Level INFO; when the body raises, ERROR, with the exception.
        """
        return Timed(self.record, message, attributes)

    def bind(self, /, **attributes: object) -> "Logger":
        """A logger whose entries all have these attributes."""
        return Logger(self._buffer, self._clock, self._level, {**self._bound, **attributes})

    def context(self, /, **attributes: object) -> AbstractContextManager[None]:
        """Give these attributes to all entries recorded inside a ``with`` block, in this thread or task."""
        return context(**attributes)

    def record(self, level: str, message: object, attributes: Mapping[str, object]) -> None:
        """Record an entry of one of the five levels, with attributes that nobody changes any more."""
        if RANKS[level] < self._rank:
            return
        if process.asleep:
            process.wake()
        if self._bound:
            attributes = {**self._bound, **attributes}
        self._buffer.append(level, self._clock(), level, message, attributes, current_context())

    def _call(self, level: str) -> LogCall:
        if RANKS[level] < self._rank:
            return _nothing
        return self._buffer.call(level, self._clock, self._bound)


def _nothing(message: str, /, **attributes: object) -> None:
    """Entries of this level are not recorded."""
