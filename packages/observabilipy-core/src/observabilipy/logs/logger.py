"""Logger: the calls that record log entries."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager

from observabilipy import process
from observabilipy.logs.buffer import LogBuffer
from observabilipy.logs.context import context, current_context
from observabilipy.logs.exceptions import exception_attributes
from observabilipy.models import RANKS, Clock

__all__ = ["Logger"]


class Logger:
    """Records entries into a buffer; nothing here raises, waits, or does input and output.

    ``message`` is positional only, so attributes may have any name. Attributes are read when the runtime carries the
    entry away, at most one flush interval later.
    """

    def __init__(self, buffer: LogBuffer, clock: Clock, level: str, bound: Mapping[str, object]) -> None:
        self._buffer = buffer
        self._clock = clock
        self._level = level
        self._rank = RANKS[level]
        self._bound = bound

    def debug(self, message: str, /, **attributes: object) -> None:
        """Record an entry of level DEBUG."""
        self.record("DEBUG", message, attributes)

    def info(self, message: str, /, **attributes: object) -> None:
        """Record an entry of level INFO."""
        self.record("INFO", message, attributes)

    def warning(self, message: str, /, **attributes: object) -> None:
        """Record an entry of level WARNING."""
        self.record("WARNING", message, attributes)

    def error(self, message: str, /, **attributes: object) -> None:
        """Record an entry of level ERROR."""
        self.record("ERROR", message, attributes)

    def critical(self, message: str, /, **attributes: object) -> None:
        """Record an entry of level CRITICAL."""
        self.record("CRITICAL", message, attributes)

    def exception(self, message: str, /, **attributes: object) -> None:
        """Record an entry of level ERROR with the exception being handled: type, message, traceback."""
        self.record("ERROR", message, {**exception_attributes(sys.exc_info()), **attributes})

    def bind(self, **attributes: object) -> "Logger":
        """A logger whose entries all have these attributes."""
        return Logger(self._buffer, self._clock, self._level, {**self._bound, **attributes})

    def context(self, **attributes: object) -> AbstractContextManager[None]:
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
