"""The check that every size of a storage in memory passes."""

import math

from observabilipy.errors import ConfigurationError
from observabilipy.models.number import is_number

__all__ = ["check_age", "check_size"]


def check_size(name: str, value: int) -> int:
    """Give a size back.

    Raises:
        ConfigurationError: it is no whole number of 1 or more.
    """
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"{name} must be a whole number of 1 or more, got {value!r}: write how many to keep")
    return value


def check_age(name: str, value: float) -> float:
    """Give an age in seconds back.

    Raises:
        ConfigurationError: it is no positive, finite number.
    """
    if not is_number(value) or not math.isfinite(value) or value <= 0:
        raise ConfigurationError(f"{name} must be a positive number of seconds, got {value!r}: 3600 is an hour")
    return value
