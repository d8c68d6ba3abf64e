"""HistogramValue: observations counted by bucket, and the bounds that make the buckets."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from observabilipy.errors import InvalidValue
from observabilipy.models.number import is_number

__all__ = ["DEFAULT_BUCKETS", "HistogramValue", "bucket_bounds"]

DEFAULT_BUCKETS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    30.0,
    60.0,
)
"""Seconds: those of OpenTelemetry's HTTP conventions, extended to a minute."""


def bucket_bounds(bounds: Iterable[float]) -> tuple[float, ...]:
    """Upper bounds as a tuple of floats, without the +Inf that every histogram has anyway.

    Raises:
        InvalidValue: there is none, or they are not finite numbers in strictly increasing order.
    """
    given = tuple(bounds) if isinstance(bounds, Iterable) else bounds
    if not isinstance(given, tuple) or not all(map(is_number, given)):
        raise InvalidValue(f"bucket bounds must be numbers, got {given!r}: write (0.1, 1, 10)")
    checked = tuple(map(float, given))
    if checked and checked[-1] == math.inf:
        checked = checked[:-1]
    if not checked or not all(map(math.isfinite, checked)):
        raise InvalidValue(f"bucket bounds must be one or more finite numbers, got {given!r}: +Inf is implied")
    if any(low >= high for low, high in pairwise(checked)):
        raise InvalidValue(f"bucket bounds must increase strictly, got {given!r}: sort them and drop repeats")
    return checked


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """Observations by bucket.

    ``counts`` are per bucket, not cumulative, and one longer than ``bounds``: the last is +Inf. An observation that
    equals a bound counts below it. ``sum`` adds the observations up, in their unit. Of a foreign histogram, ``bounds``
    may be empty, so that all is in the bucket +Inf, and ``sum`` NaN, which says that nobody knows it.

    Raises:
        InvalidValue: bounds that do not increase, a count that is no whole number of 0 or more, too few or too many
            counts, or a sum that is no number.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "bounds", bucket_bounds(self.bounds) if self.bounds != () else ())
        set_field(self, "counts", tuple(self.counts))
        if len(self.counts) != len(self.bounds) + 1:
            raise InvalidValue(
                f"counts must be one longer than bounds (the last is +Inf),"
                f" got {len(self.counts)} counts for {len(self.bounds)} bounds"
            )
        if not all(type(count) is int and count >= 0 for count in self.counts):
            raise InvalidValue(f"counts must be whole numbers of 0 or more, got {self.counts!r}")
        if not is_number(self.sum):
            raise InvalidValue(f"the sum of a histogram must be a number, got {self.sum!r}")

    @classmethod
    def of(cls, bounds: Sequence[float], observations: Iterable[float]) -> Self:
        """Count observations into buckets."""
        checked = bucket_bounds(bounds)
        counts = [0] * (len(checked) + 1)
        total: float = 0
        for observation in observations:
            counts[bisect_left(checked, observation)] += 1
            total += observation
        return cls(checked, tuple(counts), total)

    @property
    def count(self) -> int:
        """How many observations there were."""
        return sum(self.counts)

    def under(self, bounds: tuple[float, ...]) -> "HistogramValue":
        """The same observations under other bounds: each count moves to the first bound at or above its own.

        Count and sum stay exact; where a bound is gone, the resolution is what is lost.
        """
        if bounds == self.bounds:
            return self
        counts = [0] * (len(bounds) + 1)
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            counts[bisect_left(bounds, bound)] += count
        return HistogramValue(bounds, tuple(counts), self.sum)

    def __add__(self, other: "HistogramValue") -> "HistogramValue":
        """Both together, under the bounds of the left one."""
        counts = zip(self.counts, other.under(self.bounds).counts, strict=True)
        total = self.sum + other.sum
        if not is_number(total):  # two integers that each fit a float, and together do not
            total = float(self.sum) + float(other.sum)
        return HistogramValue(self.bounds, tuple(map(sum, counts)), total)
