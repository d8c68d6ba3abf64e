"""Records of standard logging as attributes."""

from collections.abc import Mapping
from itertools import islice
from logging import LogRecord

from observabilipy.logs.exceptions import exception_attributes

__all__ = ["attributes_of", "merged"]

_STANDARD = len(LogRecord("", 0, "", 0, "", (), None).__dict__)
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
    for name, value in islice(record.__dict__.items(), _STANDARD, None):
        if name not in _ADDED_BY_LOGGING:
            attributes[str(name)] = value
    if record.stack_info:
        attributes["stack_info"] = record.stack_info
    if record.exc_info:
        attributes |= exception_attributes(record.exc_info)
    return attributes
