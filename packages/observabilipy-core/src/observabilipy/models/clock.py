"""Time: unix seconds outside, whole microseconds inside, and the clock that tests replace."""

import math
from collections.abc import Callable
from typing import TypeAlias

from observabilipy.errors import InvalidValue
from observabilipy.models.number import is_number

__all__ = ["Clock", "check_timestamp", "from_micros", "to_micros"]

Clock: TypeAlias = Callable[[], float]
"""A function that gives unix seconds, such as ``time.time``."""

_EXACT = 2.0**32  # seconds, in 2106: the product of a smaller float with a million is off by less than a half
_EARLIEST = -62_135_596_800.0  # 0001-01-01
_LATEST = 253_402_300_800.0  # 10000-01-01


def to_micros(timestamp: float) -> int:
    """Unix seconds as whole microseconds, rounded."""
    if 0.0 <= timestamp < _EXACT:
        return round(timestamp * 1_000_000)
    part, whole = math.modf(timestamp)
    return int(whole) * 1_000_000 + round(part * 1_000_000)


def from_micros(micros: int) -> float:
    """Whole microseconds as unix seconds: the float nearest to the decimal number."""
    return micros / 1_000_000


def check_timestamp(timestamp: float, what: str) -> float:
    """Give unix seconds back as a float, kept to the microsecond.

    Raises:
        InvalidValue: it is no number, not finite, or outside the years 1 to 9999.
    """
    if type(timestamp) is float and 0.0 <= timestamp < _EXACT:  # nearly always
        return round(timestamp * 1_000_000) / 1_000_000
    if not is_number(timestamp) or not math.isfinite(timestamp):
        raise InvalidValue(f"{what} must be unix seconds as a finite number, got {timestamp!r}")
    if not _EARLIEST <= timestamp < _LATEST:
        raise InvalidValue(
            f"{what} must be unix seconds within the years 1 to 9999, got {timestamp!r}:"
            " divide milliseconds by 1e3, nanoseconds by 1e9"
        )
    return from_micros(to_micros(timestamp))
