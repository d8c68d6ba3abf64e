"""LogVolume: how many entries of which level fall into a stretch of time, for charts of a log."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from observabilipy.errors import InvalidValue
from observabilipy.models.clock import from_micros, to_micros
from observabilipy.models.number import is_number

__all__ = ["LogVolume", "step_micros", "volumes_of"]


@dataclass(frozen=True, slots=True)
class LogVolume:
    """The entries of one step of time, by level.

    Args:
        start: unix seconds, a multiple of the step; entries from here up to, not including, the next multiple count.
        counts: how many entries of each level; only levels that occur.
    """

    start: float
    counts: Mapping[str, int]


def step_micros(step: float) -> int:
    """A step in seconds as whole microseconds.

    Raises:
        InvalidValue: it is no finite number of a microsecond or more.
    """
    if not is_number(step) or not math.isfinite(step) or to_micros(step) < 1:
        raise InvalidValue(f"step must be a finite number of seconds, 0.000001 or more, got {step!r}")
    return to_micros(step)


def volumes_of(counts: Mapping[tuple[int, str], int], step: int) -> Iterator[LogVolume]:
    """Volumes in the order of time; ``counts`` by number of the step, counted from 1970 in microseconds, and level."""
    by_number: dict[int, dict[str, int]] = {}
    for (number, level), count in counts.items():
        by_number.setdefault(number, {})[level] = count
    for number in sorted(by_number):
        yield LogVolume(from_micros(number * step), by_number[number])
