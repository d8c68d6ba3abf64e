"""Foreign: a JSON line of our own or of another library as a log entry.

The shapes: our ``/logs``; structlog (``event``, ``timestamp``), python-json-logger (``message``, ``levelname``), pino
and bunyan (``msg``, ``time`` in milliseconds, levels 10 to 60), zap and logrus (``msg``, ``ts`` or ``time``), Elastic's
ECS (``@timestamp``, ``log.level``), Google's ``severity``.
"""

import json
import math
import re
from datetime import UTC, datetime

from observabilipy.encoding.json_text import json_text
from observabilipy.errors import InvalidValue
from observabilipy.http.moment import parse_moment
from observabilipy.models import LogEntry

__all__ = ["Untaken", "entry_of"]

_TIMES = ("timestamp", "@timestamp", "time", "ts")
_MESSAGES = ("message", "msg", "event")
_LEVELS = ("level", "severity", "levelname", "log.level")
_OURS = frozenset({"cursor", "timestamp", "level", "message", "attributes"})
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))  # seconds get there in the year 5138
_NODE = {10: "DEBUG", 20: "DEBUG", 30: "INFO", 40: "WARNING", 50: "ERROR", 60: "CRITICAL"}
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_NO_ZONE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?", re.ASCII)


class Untaken(Exception):
    """A line that is no log entry; the message says why."""


def entry_of(line: bytes) -> LogEntry:
    """The entry that a line says.

    A time is unix seconds, milliseconds, microseconds or nanoseconds by its size, or RFC 3339; without a zone it is
    UTC. Without a level it is INFO. What has no place of its own becomes an attribute.

    Raises:
        Untaken: it is no JSON object, or has no time or message that can be understood.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise Untaken("no JSON") from None
    if not isinstance(fields, dict):
        raise Untaken("no JSON object")
    ours = fields.keys() <= _OURS and isinstance(fields.get("attributes", {}), dict)
    time_name = _first(fields, _TIMES)
    message_name = _first(fields, _MESSAGES)
    if time_name is None:
        raise Untaken(f"no time: it has none of {', '.join(_TIMES)}")
    if message_name is None:
        raise Untaken(f"no message: it has none of {', '.join(_MESSAGES)}")
    level_name = _first(fields, _LEVELS)
    level = "INFO" if level_name is None else _level(fields[level_name], node=_is_of_node(fields, time_name))
    message = fields[message_name]
    taken = {time_name, message_name, level_name}
    attributes = {} if not ours else fields.get("attributes", {})
    if not ours:
        attributes = {name: value for name, value in fields.items() if name not in taken}
    try:
        text = message if isinstance(message, str) else json_text(message)
        told = fields[time_name]
        # What carries a cursor was written by us: unix seconds, however many. The entry itself refuses what is no time.
        moment = told if "cursor" in fields and ours and type(told) in {int, float} else _moment(told)
        return LogEntry(moment, level, text, attributes)
    except InvalidValue as error:
        raise Untaken(str(error)) from None


def _first(fields: dict[str, object], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if fields.get(name) is not None), None)


def _is_of_node(fields: dict[str, object], time_name: str) -> bool:
    """Pino and bunyan: their level 30 is INFO, that of Python is WARNING."""
    return time_name == "time" and "msg" in fields and "pid" in fields and "hostname" in fields


def _level(value: object, *, node: bool) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        if node and value in _NODE:
            return _NODE[value]
        if not 10 <= value <= 50:
            raise Untaken(f"level {value}: numbers are those of Python, 10 to 50")
        return LogEntry(0.0, value, "").level  # type: ignore[arg-type] # a number is spelled out
    if not isinstance(value, str):
        raise Untaken(f"its level is no name: {json_text(value)[:80]}")
    return value


def _moment(value: object) -> float:
    if isinstance(value, str):
        return _scaled(float(value)) if _NUMBER.fullmatch(value) else _date(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Untaken(f"its time is no number or text: {json_text(value)[:80]}")
    return _scaled(value)


def _date(text: str) -> float:
    match = _NO_ZONE.fullmatch(text)
    try:
        if match is None:
            return parse_moment(text)
        whole = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=UTC)
        return whole.timestamp() + float(f"0.{match[3] or 0}")
    except ValueError:
        raise Untaken(f"its time is not understood: {text[:80]!r}") from None


def _scaled(value: float) -> float:
    """Unix seconds of a number of whatever unit."""
    try:
        value = float(value)
    except OverflowError:  # JSON's whole numbers have no end
        value = math.inf
    if not math.isfinite(value):
        raise Untaken("its time is not finite")
    return next((value / unit for least, unit in _UNITS if abs(value) >= least), value)
