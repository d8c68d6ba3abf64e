"""Tiers: how far apart the points of the history are, and for how long each are kept."""

import math
import re
from collections.abc import Mapping
from itertools import pairwise

from observabilipy.errors import ConfigurationError
from observabilipy.models.number import is_number

__all__ = ["DEFAULT_HISTORY", "Tiers", "history_option"]

_DAY = 86_400.0

DEFAULT_HISTORY: Mapping[int, float] = {0: _DAY, 60: 30 * _DAY, 3_600: 730 * _DAY}
"""Seconds between points (0: as they were sampled), and seconds for which they are kept."""

_WINDOW_SECONDS = 7_200  # of what is as it was sampled: 720 points at 10 seconds
_WINDOW_STEPS = 720
_MOST_SECONDS = 10_000 * 365 * _DAY
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_DURATION = re.compile(r"(\d{1,12})([smhdwy])")
_EXAMPLE = "history=1d,1m:30d,1h:2y"


class Tiers:
    """The settings, checked.

    Args:
        history: see DEFAULT_HISTORY.

    Raises:
        ConfigurationError: it begins with something else than 0, a step is too far from the one before, or a
            coarser tier is kept for a shorter time.
    """

    def __init__(self, history: Mapping[int, float]) -> None:
        if not isinstance(history, Mapping):
            raise ConfigurationError(f"history must be a mapping of steps to ages, got {history!r}: {_remedy()}")
        for step, age in history.items():
            if type(step) is not int or not 0 <= step <= _MOST_SECONDS:
                raise ConfigurationError(f"a step of the history must be whole seconds, got {step!r}: {_remedy()}")
            if not is_number(age) or not 0 < age < math.inf or age > _MOST_SECONDS:
                raise ConfigurationError(
                    f"the age of a step of the history must be seconds, more than 0, got {age!r}: {_remedy()}"
                )
        steps = list(history)
        if steps[:1] != [0] or sorted(steps) != steps:
            raise ConfigurationError(
                f"the steps of the history must begin with 0 and increase, got {steps!r}: {_remedy()}"
            )
        ages = [float(age) for age in history.values()]
        if sorted(ages) != ages:
            raise ConfigurationError(
                f"a coarser step of the history must be kept at least as long as a finer one, got {ages!r}: {_remedy()}"
            )
        for finer, coarser in pairwise(steps):
            if (most := (_WINDOW_STEPS * finer or _WINDOW_SECONDS)) < coarser:
                raise ConfigurationError(
                    f"a step of the history may be {most} seconds after one of {finer}, as what is thinned together"
                    f" lasts no longer, got {coarser}: put one between them, or {_remedy()}"
                )
        self._ages = dict(zip(steps, ages, strict=True))

    @property
    def longest(self) -> float:
        """Seconds for which anything is kept."""
        return max(self._ages.values())

    def age(self, step: int) -> float:
        """Seconds for which points of a step are kept; of one that is not in the settings, as of the next finer one."""
        return self._ages[max(one for one in self._ages if one <= step)]

    def coarser(self, step: int) -> int | None:
        """The step to which points of this one are thinned."""
        return min((one for one in self._ages if one > step), default=None)

    @staticmethod
    def window(step: int) -> int:
        """Microseconds of the windows of this step; each begins at a multiple of it."""
        return (_WINDOW_STEPS * step or _WINDOW_SECONDS) * 1_000_000


def history_option(text: str) -> dict[int, float]:
    """The settings from the option of a URL, such as "1d,1m:30d,1h:2y".

    Raises:
        ConfigurationError: that is not how it is written.
    """
    history: dict[int, float] = {}
    for part in text.split(","):
        step, colon, age = part.rpartition(":")
        seconds = _seconds(step, text) if colon else 0
        if seconds in history:
            raise ConfigurationError(f"a step of the history is given twice, got {text!r}: write {_EXAMPLE}")
        history[seconds] = _seconds(age, text)
    return history


def _seconds(duration: str, text: str) -> int:
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ConfigurationError(
            f"history must be durations such as 10s, 1m, 1h, 1d, 1w or 1y, got {text!r}: write {_EXAMPLE}"
        )
    return int(found[1]) * _UNITS[found[2]]


def _remedy() -> str:
    return f"write {{0: 86_400, 60: 30 * 86_400, 3_600: 730 * 86_400}}, or in a URL {_EXAMPLE}"
