"""Histogram: observations by bucket."""

from _thread import get_ident  # gevent replaces the one of threading; a shard belongs to a real thread
from bisect import bisect_right
from collections.abc import Mapping
from operator import attrgetter, is_

from observabilipy import process
from observabilipy.instruments.ledger import Kept, Kin, Ledger, Report
from observabilipy.instruments.number import finite, shown
from observabilipy.instruments.timer import Timer
from observabilipy.models import HistogramValue, MetricSample

__all__ = ["Histogram", "HistogramLedger", "ShardedHistogram", "asleep"]

asleep: bool | None = process.asleep or None
"""See ``process.mirrors``."""

_EXACT = 2**53
_sum_of = attrgetter("_sum")


class Histogram:
    """One series of a histogram.

    Count and sum are updated without a call between them, so that under the GIL no snapshot sees one without the other.
    """

    __slots__ = ("_above", "_counts", "_exemplars", "_kin", "_sum")

    def __init__(self, kin: Kin) -> None:
        self._kin = kin
        self._above = kin.above
        self._exemplars: dict[int, Kept] | None = None  # the latest of each bucket that was not reported
        self.start_over()

    def observe(self, value: float, exemplar: Mapping[str, str] | None = None) -> None:
        """Count one observation. What is not a finite number is refused and counted; nothing is raised.

        Args:
            value: in the unit of the histogram.
            exemplar: labels of an example, such as ``{"trace_id": "..."}``, at most 128 characters together; shown in
                OpenMetrics, the latest of each bucket. Others are refused and counted, and the value is observed.
        """
        if value.__class__ is not float or value - value != 0.0:  # infinities less themselves are NaN: 8 ns
            number = finite(value)
            if number is None:
                self.refuse(value)
                return
            value = number
        bucket = bisect_right(self._above, value)
        self._sum += value  # in a slot, not in the list: 10 ns less
        self._counts[bucket] += 1
        if exemplar is not asleep:  # type: ignore[comparison-overlap]  # looked at last: a runtime that goes to rest takes what was observed before
            self._after(bucket, value, exemplar)

    def time(self) -> Timer:
        """Observe how long something takes, in seconds.

        As ``with histogram.time():`` around a block, or as ``@histogram.time()`` on any function, sync, async or
        generator.
        """
        timer = Timer()
        timer.into = self
        return timer

    def start_over(self) -> None:
        """Begin at 0."""
        self._counts = [0] * (len(self._above) + 1)
        self._sum = 0.0  # never an int: each observation makes another object of it, by which it is known

    def snapshot(self) -> tuple[list[int], float]:
        """Counts by bucket, and the sum, of one moment."""
        while True:
            total = self._sum
            counts = self._counts[:]  # up to Python 3.11 making a list may collect garbage, and that may observe
            if self._sum is total:
                return counts, total

    def reported(self, exemplars: Mapping[int, Kept]) -> None:
        """These exemplars are committed."""
        kept = self._exemplars or {}
        for bucket, exemplar in exemplars.items():
            if kept.get(bucket) is exemplar:
                kept.pop(bucket, None)

    def exemplars(self) -> dict[int, Kept]:
        """Those that were not reported, by bucket."""
        return dict(self._exemplars) if self._exemplars else {}

    def forget_exemplars(self) -> None:
        """They are the parent's to report."""
        self._exemplars = None

    def refuse(self, value: object) -> None:
        """This is not finite, or leads to a sum that is not."""
        reason = "not_finite" if isinstance(value, int | float) else "not_a_number"
        self._kin.refuse(reason, f"{self._kin.name}.observe() takes a finite number, got {shown(value)}")

    def _after(self, bucket: int, value: float, exemplar: Mapping[str, str] | None) -> None:
        kept = None if exemplar is None else self._kin.keep(exemplar, value)
        if kept is not None:
            if self._exemplars is None:
                self._exemplars = {}
            self._exemplars[bucket] = kept
        if asleep:
            process.wake()


class ShardedHistogram(Histogram):
    """The same for builds of Python without a GIL: each thread counts in a list of its own.

    Count and sum of a bucket are one complex number, so that one store changes both.
    """

    __slots__ = ("_shards",)

    def observe(self, value: float, exemplar: Mapping[str, str] | None = None) -> None:
        """Count one observation, see ``Histogram.observe``."""
        number = finite(value)
        if number is None:
            self.refuse(value)
            return
        bucket = bisect_right(self._above, number)
        thread = get_ident()
        shard = self._shards.get(thread) or self._shards.setdefault(thread, [0j] * (len(self._above) + 1))
        step = complex(number, 1)  # before the cell is read: in a call a signal handler may run, and observe
        shard[bucket] += step
        self._after(bucket, number, exemplar)

    def start_over(self) -> None:
        """Begin at 0."""
        self._shards: dict[int, list[complex]] = {}

    def snapshot(self) -> tuple[list[int], float]:
        """See ``Histogram``: of each bucket one moment, and its count with its sum."""
        buckets = [sum(cells) for cells in zip(*[shard[:] for shard in list(self._shards.values())], strict=True)]
        return [int(cell.imag) for cell in buckets] or [0] * (len(self._above) + 1), sum(cell.real for cell in buckets)

    @property
    def _counts(self) -> list[int]:  # type: ignore[override]  # read only: what counts is above
        return self.snapshot()[0]

    @property
    def _sum(self) -> float:  # type: ignore[override]
        return self.snapshot()[1]


class HistogramLedger(Ledger[Histogram]):
    """The series of a histogram; what they report is what was observed since."""

    def __init__(self, kin: Kin, *, sharded: bool = False) -> None:
        super().__init__(kin, ShardedHistogram if sharded else Histogram)
        # By series, [] and None: it has to appear, even with nothing observed.
        self._counts: list[list[int]] = []
        self._sums: list[float | None] = []

    def collect(self, now: float) -> Report | None:
        """See ``Ledger``."""
        series = self.all()
        if self._is_known(series):
            return None
        self._counts += [[]] * (len(series) - len(self._counts))
        self._sums += [None] * (len(series) - len(self._sums))
        marks: list[tuple[int, Histogram, list[int], float, dict[int, Kept]]] = []
        samples: list[MetricSample] = []
        for place, (labels, histogram) in enumerate(self.labelled(series)):
            counts, total = histogram.snapshot()
            before, sum_before = self._counts[place], self._sums[place]
            if counts == before and total == sum_before:
                continue
            try:
                if finite(total) is None:  # finite observations can add up to infinity
                    histogram.start_over()
                    self._counts[place], self._sums[place] = histogram.snapshot()
                    histogram.refuse(total)
                    continue
                exemplars = histogram.exemplars()
                gained = tuple(new - old for new, old in zip(counts, before or [0] * len(counts), strict=True))
                value = HistogramValue(self.kin.family.bounds, gained, _whole(total - (sum_before or 0)))
                samples.append(self.sample(labels, value, now, exemplars.values()))
                marks.append((place, histogram, counts, total, exemplars))
            except Exception as error:  # noqa: BLE001 - one bad value must not keep the others from their store
                self._counts[place], self._sums[place] = histogram.snapshot()
                self.failed(error)
        return Report(samples, lambda: self._confirm(marks))

    def _confirm(self, marks: list[tuple[int, Histogram, list[int], float, dict[int, Kept]]]) -> None:
        for place, histogram, counts, total, exemplars in marks:
            self._counts[place], self._sums[place] = counts, total
            if exemplars:
                histogram.reported(exemplars)

    def _is_known(self, series: list[Histogram]) -> bool:
        # While its sum is the same object, nothing was observed: 0.06 microseconds for each idle series, 0.45 when the
        # counts are compared.
        return len(series) == len(self._sums) and all(map(is_, map(_sum_of, series), self._sums))

    def has_news(self) -> bool:
        """See ``Ledger``; a series that observed nothing is no news."""
        nothing = [0] * (len(self.kin.above) + 1)
        known = [(counts or nothing, total or 0) for counts, total in zip(self._counts, self._sums, strict=True)]
        series = self.all()
        known += [(nothing, 0)] * (len(series) - len(known))
        return any(histogram.snapshot() != before for histogram, before in zip(series, known, strict=True))

    def begin_anew(self) -> None:
        """See ``Ledger``."""
        series = self.all()
        snapshots: list[tuple[list[int], float | None]] = [histogram.snapshot() for histogram in series]
        # What observed nothing and was not told yet, the child tells: a parent that loads the application never does.
        told = [before is not None for before in self._sums] + [False] * (len(series) - len(self._sums))
        snapshots = [
            (counts, total) if any(counts) or known else ([], None)
            for (counts, total), known in zip(snapshots, told, strict=True)
        ]
        self._counts, self._sums = [counts for counts, _ in snapshots], [total for _, total in snapshots]
        for histogram in series:
            histogram.forget_exemplars()


def _whole(number: float) -> float:
    """The same; as an int where nothing is lost."""
    return int(number) if number.is_integer() and -_EXACT <= number <= _EXACT else number
