"""LoggingHandler: standard logging into the same log."""

import logging
import math
from threading import get_ident
from typing import TYPE_CHECKING
from weakref import ref

from observabilipy import process
from observabilipy.installation import installed
from observabilipy.logs.context import current_context
from observabilipy.models import RANKS, level_of_number

if TYPE_CHECKING:
    from observabilipy.observability import Observability

__all__ = ["LoggingHandler", "quiet_up_to"]

_OURS = ("observabilipy", "aiosqlite")  # what these log about their own work would feed itself
_REMEMBERED = 10_000  # names of loggers
_NUMBERS = {number: name for name, number in RANKS.items()}


class LoggingHandler(logging.Handler):
    """Takes records of standard logging, with ``extra`` as attributes and exceptions as fields.

    A record that comes by twice, because the handler was added to a logger and to one above it, or added twice, is
    taken once.

    Args:
        obs: where to; the process's current one if left out, looked up at each record, so that ``dictConfig`` may
            come first. What is logged before there is one is not kept.
        level: as for every handler.
    """

    def __init__(self, obs: "Observability | None" = None, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._obs = obs

    def createLock(self) -> None:  # noqa: N802 - the name is logging's
        """No lock: taking a record needs none, and a forked child could find it held for ever."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record that the filters let through."""
        if self.filters:
            passed = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):
                record = passed
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; never raises."""
        # In one piece: what logging itself does takes 4.7 microseconds, this 1.5; calls would add a half. Attributes
        # are left to the runtime's thread: they would take another half, the text of an exception 100.
        try:
            quiet = _quiet_up_to.get(record.name)
            if record.levelno <= (quiet_up_to(record.name) if quiet is None else quiet):
                _say_somewhere(record)
                return
            obs = self._obs or installed()
            if obs is None or record.levelno < obs.lowest_number:
                return
            thread = get_ident()
            latest = obs.taken.get(thread)
            if latest is not None and latest() is record:
                return
            obs.taken[thread] = ref(record)
            if process.asleep:
                process.wake()
            message = record.msg
            if record.args:
                try:
                    # What getMessage does, where nobody made another one of it.
                    quickly = record.__class__ is logging.LogRecord and message.__class__ is str
                    message = message % record.args if quickly else record.getMessage()
                except Exception:  # noqa: BLE001 - arguments that do not fit the format lose nothing here
                    message = f"{record.msg} {record.args!r}"
            rank = _NUMBERS.get(record.levelno) or level_of_number(record.levelno)
            obs.buffer.append(rank, record.created, record.levelno, message, record, current_context())
        except Exception:  # noqa: BLE001 - what logging asks of every handler
            self.handleError(record)


_SAID = "said_by_observabilipy"
_quiet_up_to: dict[str, float] = {}  # by name of a logger: up to this level its records are about our own work


def quiet_up_to(name: str) -> float:
    """Up to which level records of a logger are left alone: those of our own work would make the next ones."""
    origin = str(name).partition(".")[0]  # ``makeLogRecord`` may leave None there
    level = math.inf if origin in _OURS else logging.DEBUG if origin == "asyncio" else -math.inf
    if len(_quiet_up_to) < _REMEMBERED:
        _quiet_up_to[name] = level
    return level


def _say_somewhere(record: logging.LogRecord) -> None:
    """Our own warnings must not be lost where this handler is the only one: standard logging then says nothing."""
    last_resort = logging.lastResort
    if last_resort is None or record.levelno < last_resort.level:
        return
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None:
        if not all(isinstance(handler, LoggingHandler) for handler in logger.handlers):
            return
        logger = logger.parent if logger.propagate else None
    if not hasattr(record, _SAID):
        setattr(record, _SAID, True)  # of several such handlers one; nobody else sees this record
        last_resort.handle(record)
