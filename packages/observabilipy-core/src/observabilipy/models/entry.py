"""LogEntry: one thing that happened."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from observabilipy.errors import InvalidValue
from observabilipy.models.clock import check_timestamp
from observabilipy.models.level import level_name, name_of_number
from observabilipy.models.text import storable

__all__ = ["LogEntry"]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One log entry.

    ``timestamp`` is unix seconds, kept to the microsecond. ``level`` is stored in upper case, WARN and FATAL spelled
    out; a number of standard logging becomes the highest of the five levels at or below it, and a name of its own is
    kept in the attribute ``level_name``. ``attributes`` are JSON values by name; what JSON cannot say is spelled out
    when the entry is stored. ``cursor`` is given by the store and takes no part in comparisons.

    Raises:
        InvalidValue: the timestamp is not finite or not unix seconds, the level has no name, the message is no string,
            or the attributes are no mapping with string keys.
    """

    timestamp: float
    level: str
    message: str
    attributes: Mapping[str, object] = field(default_factory=dict)
    cursor: str | None = field(default=None, kw_only=True, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.message, str):
            raise InvalidValue(f"a message must be a string, got {self.message!r}: put values into attributes")
        if not isinstance(self.attributes, Mapping) or not all(isinstance(key, str) for key in self.attributes):
            raise InvalidValue(f"attributes must be a mapping with string keys, got {self.attributes!r}")
        attributes = dict(self.attributes)
        level: str | int = self.level
        if isinstance(level, int):
            level, own_name = name_of_number(level)
            if own_name is not None:
                attributes.setdefault("level_name", own_name)
        set_field = object.__setattr__
        set_field(self, "timestamp", check_timestamp(self.timestamp, "timestamp"))
        set_field(self, "level", level_name(level))
        set_field(self, "message", storable(self.message))
        set_field(self, "attributes", attributes)

    @classmethod
    def debug(cls, message: str, /, **attributes: object) -> Self:
        """An entry of level DEBUG with the time of now."""
        return cls(time.time(), "DEBUG", message, attributes)

    @classmethod
    def info(cls, message: str, /, **attributes: object) -> Self:
        """An entry of level INFO with the time of now."""
        return cls(time.time(), "INFO", message, attributes)

    @classmethod
    def warning(cls, message: str, /, **attributes: object) -> Self:
        """An entry of level WARNING with the time of now."""
        return cls(time.time(), "WARNING", message, attributes)

    @classmethod
    def error(cls, message: str, /, **attributes: object) -> Self:
        """An entry of level ERROR with the time of now."""
        return cls(time.time(), "ERROR", message, attributes)

    @classmethod
    def critical(cls, message: str, /, **attributes: object) -> Self:
        """An entry of level CRITICAL with the time of now."""
        return cls(time.time(), "CRITICAL", message, attributes)
