"""Severity: the five levels, other names beside them, and how they rank."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from observabilipy.errors import InvalidValue
from observabilipy.models.text import storable

__all__ = ["LEVELS", "RANKS", "level_name", "level_of_number", "level_rank", "name_of_number"]

RANKS: Mapping[str, int] = MappingProxyType({"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50})
"""The five levels and their numbers, those of standard logging."""

LEVELS = tuple(RANKS)
"""The five levels, lowest first."""

_ALIASES = {"WARN": "WARNING", "FATAL": "CRITICAL"}
_MAX_NAME = 64


def level_rank(name: str) -> int:
    """The number a level ranks at. A name outside the five ranks as INFO."""
    return RANKS.get(name, RANKS["INFO"])


def level_name(name: str) -> str:
    """The spelling under which a level is stored: upper case, WARN and FATAL spelled out.

    Raises:
        InvalidValue: the name is empty, blank or longer than 64 characters.
    """
    upper = storable(name).strip().upper() if isinstance(name, str) else ""
    if not upper or len(upper) > _MAX_NAME:
        raise InvalidValue(
            f"a level must be a name of 1 to {_MAX_NAME} characters, got {name!r}: use one of {', '.join(LEVELS)}"
        )
    return _ALIASES.get(upper, upper)


def level_of_number(number: int) -> str:
    """The highest of the five levels at or below a number of standard logging (DEBUG below them all)."""
    return max((name for name in LEVELS if RANKS[name] <= number), key=RANKS.__getitem__, default="DEBUG")


def name_of_number(number: int) -> tuple[str, str | None]:
    """The level of a logging number, and the name that logging has for it when that is another one."""
    level = _NAMES.get(number) or level_of_number(number)
    name = logging.getLevelName(number)
    return level, None if name in {level, "WARN", "FATAL"} else name


_NAMES = {number: name for name, number in RANKS.items()}
