"""Thinning: of each step of time one point is left."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from observabilipy_sqlite.columns import Column, Run
from observabilipy_sqlite.frames import joined

__all__ = ["Steps"]


@dataclass(frozen=True, slots=True)
class Steps:
    """How an axis of time is divided: the last sample of each step of the clock stands for it.

    Args:
        of: the number of its step for each place on the axis, from 0 up; steps without a sample are not numbered.
        ends: the place after the last one of each step.
        times: microseconds of the last sample of each step.
    """

    of: Sequence[int]
    ends: Sequence[int]
    times: Sequence[int]

    @classmethod
    def divide(cls, times: Sequence[int], seconds: int) -> "Steps":
        """Divide times (microseconds, ascending) into steps of so many seconds."""
        width = seconds * 1_000_000
        of: array[int] = array("q")
        ends: list[int] = []
        last = None
        for place, time in enumerate(times):
            if (step := time // width) != last:
                last = step
                ends.append(place)
            ends[-1] = place + 1
            of.append(len(ends) - 1)
        return cls(of, ends, [times[end - 1] for end in ends])

    def thin(self, runs: Sequence[Run], *, averaged: bool) -> list[Run]:
        """One point of a series for each step in which it has one.

        Args:
            runs: the points of the series.
            averaged: the point of a step is the mean of its points, with the lowest and the highest beside it; else it
                is the last one, so that what a counter or a histogram grew by from step to step stays exact.
        """
        return self._averages(runs) if averaged else self._last(runs)

    def _last(self, runs: Sequence[Run]) -> list[Run]:
        thinned: list[Run] = []
        for run in runs:
            first, last = self.of[run.start], self.of[run.end - 1]
            if thinned and thinned[-1].end > first:  # the last one of this step is in this run
                thinned[-1] = _shortened(thinned[-1])
            chosen = [end - 1 - run.start for end in self.ends[first:last]]
            chosen.append(run.count - 1)
            columns: list[Column] = [[column[place] for place in chosen] for column in run.columns]
            thinned.append(Run(first, last + 1 - first, columns, run.bounds))
        return joined(run for run in thinned if run.count)

    def _averages(self, runs: Sequence[Run]) -> list[Run]:
        gathered: dict[int, _Gathered] = {}
        for run in runs:
            means, lows, highs = run.columns if len(run.columns) == 3 else run.columns * 3
            start = run.start
            for step in range(self.of[start], self.of[run.end - 1] + 1):
                end = min(self.ends[step], run.end)
                some = slice(start - run.start, end - run.start)
                one = gathered.setdefault(step, _Gathered())
                one.means.extend(means[some])
                one.lows.extend(lows[some])
                one.highs.extend(highs[some])
                start = end
        return joined(
            Run(step, 1, [[_mean(one.means)], [_least(one.lows)], [_most(one.highs)]]) for step, one in gathered.items()
        )


@dataclass(slots=True)
class _Gathered:
    means: list[float] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)


def _shortened(run: Run) -> Run:
    return Run(run.start, run.count - 1, [column[:-1] for column in run.columns], run.bounds)


def _mean(numbers: Sequence[float]) -> float:
    """Of those that are numbers; NaN if there is none."""
    if numbers.count(numbers[0]) == len(numbers):
        return numbers[0]
    given = [number for number in numbers if not math.isnan(number)]
    if not given:
        return math.nan
    try:
        mean = sum(given) / len(given)
    except OverflowError:  # integers beyond every float
        mean = math.inf
    if math.isinf(mean) and all(map(math.isfinite, given)):
        mean = math.fsum(number / len(given) for number in given)
    return mean


def _least(numbers: Sequence[float]) -> float:
    return min((number for number in numbers if not math.isnan(number)), default=math.nan)


def _most(numbers: Sequence[float]) -> float:
    return max((number for number in numbers if not math.isnan(number)), default=math.nan)
