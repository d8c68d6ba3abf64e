"""Histogram: observations by bucket."""

import math
from bisect import bisect_right
from collections.abc import Mapping

from observabilipy import process
from observabilipy.instruments.number import LARGEST, finite, shown
from observabilipy.instruments.timer import Timer
from observabilipy.models import HistogramValue, MetricKind, MetricSample
from observabilipy.troubles import Troubles

__all__ = ["Histogram"]


class Histogram:
    """One series of a histogram.

    Count and sum are updated without a call between them, so that under the GIL no snapshot sees one without the other.
    """

    __slots__ = ("_above", "_bounds", "_labels", "_name", "_reported", "_state", "_troubles")

    def __init__(self, name: str, labels: Mapping[str, str], troubles: Troubles, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._labels = labels
        self._troubles = troubles
        self._bounds = bounds
        # bisect_right over the next float after each bound puts an observation on a bound below it.
        self._above = [math.nextafter(bound, math.inf) for bound in bounds]
        self._state: list[float] = [0] * (len(bounds) + 2)  # counts by bucket, then the sum
        self._reported: list[float] | None = None  # None: the series has to appear, even with 0

    def observe(self, value: float) -> None:
        """Count one observation. What is not a finite number is refused and counted; nothing is raised."""
        if process.asleep:
            process.wake()
        number = value if value.__class__ is float and -LARGEST <= value <= LARGEST else finite(value)
        if number is None:
            self._refuse(value)
            return
        state = self._state
        bucket = bisect_right(self._above, number)
        try:
            state[-1] += number
        except OverflowError:  # integers beyond all floats, and now a float
            self._refuse(value)
        else:
            state[bucket] += 1

    def time(self) -> Timer:
        """Observe how long something takes, in seconds.

        As ``with histogram.time():`` around a block, or as ``@histogram.time()`` on a function, sync or async.
        """
        return Timer(self.observe)

    def _refuse(self, value: object) -> None:
        reason = "not_finite" if isinstance(value, int | float) else "not_a_number"
        self._troubles.rejected(reason, f"{self._name}.observe() takes a finite number, got {shown(value)}")

    def collect(self, now: float) -> tuple[MetricSample, list[float]] | None:
        """The observations since the last report, and the mark to confirm when they were committed."""
        mark = self._state[:]
        if mark == self._reported:
            return None
        if finite(mark[-1]) is None:  # finite observations can add up to infinity
            self._state = [0] * len(mark)
            self._reported = self._state[:]
            self._refuse(mark[-1])
            return None
        reported = self._reported or [0] * len(mark)
        *counts, total = (new - old for new, old in zip(mark, reported, strict=True))
        value = HistogramValue(self._bounds, tuple(map(int, counts)), total)
        return MetricSample(self._name, value, self._labels, MetricKind.HISTOGRAM, now), mark

    def has_news(self) -> bool:
        """Whether something was observed since the last report."""
        return any(self._state) if self._reported is None else self._state != self._reported

    def confirm(self, mark: list[float]) -> None:
        """What was collected with this mark is committed."""
        self._reported = mark

    def begin_anew(self) -> None:
        """In a forked child: what was observed before the fork is the parent's to report."""
        self._reported = self._state[:]
