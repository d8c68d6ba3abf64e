"""Records of standard logging as attributes."""

from collections.abc import Mapping
from itertools import islice
from logging import LogRecord

from observabilipy.logs.exceptions import exception_attributes

__all__ = ["attributes_of", "merged"]

_STANDARD = len(LogRecord("", 0, "", 0, "", (), None).__dict__)
_STANDARD_NAMES = frozenset(LogRecord("", 0, "", 0, "", (), None).__dict__)
_ADDED_BY_LOGGING = frozenset({"message", "asctime", "taskName"})


def merged(context: Mapping[str, object], attributes: Mapping[str, object] | LogRecord) -> Mapping[str, object]:
    """The attributes of a record and of the context around it; its own win."""
    if isinstance(attributes, LogRecord):
        attributes = attributes_of(attributes)
    return {**context, **attributes} if context else attributes


def attributes_of(record: LogRecord) -> dict[str, object]:
    """Where it was made, what came as ``extra``, and the exception."""
    attributes: dict[str, object] = {
        "logger": record.name,
        "filename": record.filename,
        "lineno": record.lineno,
    }
    is_plain = record.__class__ is LogRecord  # others may have attributes of their own before those of logging
    for name, value in islice(record.__dict__.items(), _STANDARD if is_plain else 0, None):
        if name not in _ADDED_BY_LOGGING and (is_plain or name not in _STANDARD_NAMES):
            attributes[str(name)] = value
    if record.stack_info:
        attributes["stack_info"] = record.stack_info
    if record.exc_info:
        attributes |= _exception(record.exc_info)
    elif record.exc_text:  # of a record that came from another process
        attributes["exception.stacktrace"] = record.exc_text
    return attributes


def _exception(info: object) -> dict[str, object]:
    """``Logger._log`` makes a tuple of whatever it gets; records that others make may have what it gets."""
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and len(info) == 3:
        return exception_attributes(info)
    return {}
