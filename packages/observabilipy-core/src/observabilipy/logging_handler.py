"""LoggingHandler: standard logging into the same log."""

import logging
from itertools import islice
from typing import TYPE_CHECKING

from observabilipy import process
from observabilipy.installation import installed
from observabilipy.logs.context import current_context
from observabilipy.logs.exceptions import exception_attributes
from observabilipy.models import RANKS, level_of_number

if TYPE_CHECKING:
    from observabilipy.observability import Observability

__all__ = ["LoggingHandler"]

_STANDARD = len(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)
_ADDED_BY_LOGGING = frozenset({"message", "asctime", "taskName"})
_OURS = ("observabilipy", "aiosqlite")  # what these log about their own work would feed itself


class LoggingHandler(logging.Handler):
    """Takes records of standard logging, with ``extra`` as attributes and exceptions as fields.

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
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; never raises."""
        if record.name.partition(".")[0] in _OURS:
            _say_somewhere(record)
            return
        try:
            obs = self._obs or installed()
            rank = level_of_number(record.levelno)
            if obs is None or RANKS[rank] < RANKS[obs.level]:
                return
            if process.asleep:
                process.wake()
            obs.buffer.append(
                rank,
                record.created,
                record.levelno,
                _message(record),
                _attributes(record),
                current_context(),
            )
        except Exception:  # noqa: BLE001 - what logging asks of every handler
            self.handleError(record)


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
    last_resort.handle(record)


def _message(record: logging.LogRecord) -> object:
    try:
        return record.getMessage() if record.args else record.msg
    except Exception:  # noqa: BLE001 - arguments that do not fit the format lose nothing here
        return f"{record.msg} {record.args!r}"


def _attributes(record: logging.LogRecord) -> dict[str, object]:
    attributes: dict[str, object] = {
        "logger": record.name,
        "filename": record.filename,
        "lineno": record.lineno,
    }
    for name, value in islice(record.__dict__.items(), _STANDARD, None):
        if name not in _ADDED_BY_LOGGING:
            attributes[str(name)] = value
    if record.stack_info:
        attributes["stack_info"] = record.stack_info
    if record.exc_info:
        attributes |= exception_attributes(record.exc_info)
    return attributes
