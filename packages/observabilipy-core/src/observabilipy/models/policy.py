"""Retention policies: what may be kept, by age, count and bytes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from observabilipy.errors import ConfigurationError, InvalidValue
from observabilipy.models.level import level_name
from observabilipy.models.number import is_number

__all__ = ["LevelRetentionPolicy", "RetentionPolicy"]


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Keep at most so much; each limit is optional, but one must be given.

    Args:
        max_age: seconds.
        max_count: entries of a log, samples of a history.
        max_bytes: bytes of messages and attributes as stored (logs only).

    Raises:
        ConfigurationError: no limit, or one that is not positive. ``RetentionPolicy.forever()`` keeps everything.
    """

    max_age: float | None = None
    max_count: int | None = None
    max_bytes: int | None = None
    _forever: bool = field(default=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.max_age is not None:
            _check("max_age", self.max_age, is_number(self.max_age) and math.isfinite(self.max_age))
        for name in ("max_count", "max_bytes"):
            if (value := getattr(self, name)) is not None:
                _check(name, value, type(value) is int)
        if not self._forever and (self.max_age, self.max_count, self.max_bytes) == (None, None, None):
            raise ConfigurationError(
                "retention needs max_age, max_count or max_bytes, got none: to keep everything say"
                " RetentionPolicy.forever()"
            )

    @classmethod
    def forever(cls) -> Self:
        """Keep everything, on purpose."""
        return cls(_forever=True)


@dataclass(frozen=True, slots=True)
class LevelRetentionPolicy:
    """One policy for each named level, and one for the levels that are not named.

    A policy's count and bytes hold for its level alone; ``default`` holds for each other level by itself.

    Raises:
        ConfigurationError: a level without a name, two spellings of one level, or a value that is no RetentionPolicy.
    """

    levels: Mapping[str, RetentionPolicy]
    default: RetentionPolicy

    def __post_init__(self) -> None:
        if not isinstance(self.levels, Mapping):
            raise ConfigurationError(f"retention levels must map names to policies, got {self.levels!r}")
        for key, policy in (*self.levels.items(), ("default", self.default)):
            if not isinstance(policy, RetentionPolicy):
                raise ConfigurationError(f"retention of {key} must be a RetentionPolicy, got {policy!r}")
        try:
            named = {level_name(key): policy for key, policy in self.levels.items()}
        except InvalidValue as error:
            raise ConfigurationError(f"retention names no level: {error}") from None
        if len(named) != len(self.levels):
            raise ConfigurationError(f"retention names a level twice, got {', '.join(self.levels)}")
        object.__setattr__(self, "levels", named)

    def of(self, level: str) -> RetentionPolicy:
        """The policy that holds for a level."""
        return self.levels.get(level, self.default)


def _check(name: str, value: float, right_type: bool) -> None:
    if not right_type:
        what = "number of seconds" if name == "max_age" else "whole number"
        raise ConfigurationError(f"retention {name} must be a positive {what}, got {value!r}")
    if value <= 0:
        raise ConfigurationError(f"retention {name} must be positive, got {value}")
