"""ObservabilityProcessor: events of structlog into the same log.

Nothing in core imports this module: ``pip install "observabilipy-core[structlog]"``.
"""

import logging
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from observabilipy import process
from observabilipy.errors import InvalidValue
from observabilipy.installation import installed
from observabilipy.logging_handler import quiet_up_to
from observabilipy.logs.context import current_context
from observabilipy.logs.exceptions import with_exception
from observabilipy.models import RANKS, check_timestamp, level_name, level_rank

try:
    from structlog import DropEvent
except ImportError as error:
    raise ImportError('structlog is not installed: pip install "observabilipy-core[structlog]"') from error

if TYPE_CHECKING:
    from observabilipy.observability import Observability

__all__ = ["ObservabilityProcessor"]

# Methods of structlog's loggers, and of those that it wraps, which have another name than their level.
_METHODS = {"exception": "ERROR", "err": "ERROR", "failure": "ERROR", "msg": "INFO", "log": "INFO", "notset": "DEBUG"}
_LEVELS = {name.lower(): name for name in RANKS} | {"warn": "WARNING", "fatal": "CRITICAL"} | _METHODS


class ObservabilityProcessor:
    """A processor that records each event and passes it on as it came.

    It belongs behind those that add to events (``merge_contextvars``, ``TimeStamper``), and before those that make
    text of them (``format_exc_info``, renderers)::

        structlog.configure(processors=[merge_contextvars, ObservabilityProcessor(), JSONRenderer()])

    Of the event dict, ``event`` becomes the message; ``level``, where it names one of the five levels as
    ``add_log_level`` does, the level, which is otherwise the method that was called; ``timestamp``, where it is unix
    seconds or a date of ISO 8601 with its zone, the time; ``exc_info`` the fields ``exception.type``,
    ``exception.message`` and ``exception.stacktrace``. The rest are attributes, and so are values that have not that
    form. Never raises for an event, unless ``strict`` of the Observability says so.

    Args:
        obs: where to; the process's current one if left out, looked up at each event, so that ``structlog.configure``
            may come first. What is logged before there is one is not recorded.
        drop: let events end here, with ``structlog.DropEvent``. While there is no Observability they go on, and so they
            do in the chains of ``ProcessorFormatter``, which formats what a handler has already taken.
    """

    def __init__(self, obs: "Observability | None" = None, *, drop: bool = False) -> None:
        self._obs = obs
        self._drop = drop

    def __call__(self, _logger: Any, method_name: str, event_dict: MutableMapping[str, Any], /) -> Any:
        """Record one event, and give it back.

        Any: so are the parameters of structlog's own processors.

        Raises:
            structlog.DropEvent: with ``drop``.
        """
        obs = self._obs or installed()
        if obs is not None and not isinstance(event_dict, Mapping):
            obs.runtime.troubles.rejected(
                "structlog_order",
                f"an event of structlog must be a mapping, got {type(event_dict).__name__}:"
                " put ObservabilityProcessor before the renderer",
            )
        elif obs is not None:
            try:
                _record(obs, method_name, event_dict)
            except Exception as error:  # noqa: BLE001 - whatever a hostile mapping raises, the application goes on
                obs.runtime.troubles.failed("taking an event of structlog", error)
        if self._drop and obs is not None and not _is_formatted(event_dict):
            raise DropEvent
        return event_dict


def _is_formatted(event_dict: object) -> bool:
    """Whether it comes through ProcessorFormatter: there nobody takes a DropEvent, and it would end the application."""
    try:
        return isinstance(event_dict, Mapping) and "_record" in event_dict
    except Exception:  # noqa: BLE001 - as above
        return False


def _record(obs: "Observability", method_name: str, event_dict: Mapping[str, Any]) -> None:
    attributes = dict(event_dict)  # a copy: what follows takes things out
    # What ProcessorFormatter adds for its own processors.
    attributes.pop("_from_structlog", None)
    foreign = attributes.pop("_record", None)
    if isinstance(foreign, logging.LogRecord) and foreign.levelno <= quiet_up_to(foreign.name):
        return
    level = _level(method_name, attributes)
    rank = RANKS.get(level)
    if (rank or level_rank(level)) < obs.lowest_number:
        return
    if process.asleep:
        process.wake()
    message = attributes.pop("event", "")
    timestamp = _timestamp(attributes)
    if "exc_info" in attributes:
        attributes = with_exception(attributes)
    # A level of another name waits in the queue of INFO, as which it ranks.
    queue = level if rank else "INFO"
    obs.buffer.append(
        queue, obs.clock() if timestamp is None else timestamp, level, message, attributes, current_context()
    )


def _level(method_name: str, attributes: dict[str, Any]) -> str:
    """Take the level out of the attributes if it is one: ``level=3`` may be about anything."""
    told = attributes.get("level")
    if type(told) is str:
        known = _LEVELS.get(told) or _LEVELS.get(told.lower())
        if known is not None or told == method_name:
            del attributes["level"]
        if known is not None:
            return known
    try:
        return _LEVELS.get(method_name) or level_name(method_name)
    except InvalidValue:
        return "INFO"


def _timestamp(attributes: dict[str, Any]) -> float | None:
    """Take the time out of the attributes if it is one."""
    told = attributes.get("timestamp")
    if told is None:
        return None
    try:
        timestamp = check_timestamp(_seconds(told) if isinstance(told, str) else told, "timestamp")
    except Exception:  # noqa: BLE001 - a hostile value costs itself only
        return None
    del attributes["timestamp"]
    return timestamp


def _seconds(text: str) -> float:
    """Of a date with its zone: without one, TimeStamper may mean UTC or local time, and says neither.

    Raises:
        ValueError: it is no such date.
    """
    date = datetime.fromisoformat(text)
    if date.tzinfo is None:
        raise ValueError(text)
    return date.timestamp()
