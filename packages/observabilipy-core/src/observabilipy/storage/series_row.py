"""SeriesRow: what is kept of one series."""

from bisect import bisect_left
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from observabilipy.models import Aggregate, Exemplar, HistogramValue
from observabilipy.models.totals import add_increment, combine_gauges

__all__ = ["SeriesRow", "exact_or_float"]

_INTEGER_LIMIT = 2**63


def exact_or_float(number: float) -> float:
    """The number; an integer of 2**63 or more in size as a float, so that sums never outgrow floats."""
    return number if isinstance(number, float) or abs(number) < _INTEGER_LIMIT else float(number)


@dataclass(slots=True)
class SeriesRow:
    """The total of a counter or histogram; of a gauge the latest value and that of each worker.

    ``place`` is where the columns of its family have it. ``created`` and ``reported`` are unix seconds of the first and
    the last report, by the store's clock.
    """

    labels: dict[str, str]
    created: float
    reported: float
    total: float | HistogramValue = 0
    by_worker: dict[str, float] = field(default_factory=dict)
    exemplars: tuple[Exemplar, ...] = ()
    place: int = -1

    def increase(self, increment: float, exemplars: Iterable[Exemplar]) -> None:
        """Add a counter's increment."""
        if not isinstance(self.total, HistogramValue):
            self.total = add_increment(self.total, increment)
        self._keep_exemplars((), exemplars)

    def observe(self, value: HistogramValue, exemplars: Iterable[Exemplar]) -> None:
        """Add a histogram's observations, which are under the bounds of the total."""
        self.total = self.total + value if isinstance(self.total, HistogramValue) else value
        self._keep_exemplars(value.bounds, exemplars)

    def set(self, worker_id: str, value: float) -> None:
        """Set a gauge, as far as this worker knows it."""
        self.total = self.by_worker[worker_id] = value

    def rebin(self, bounds: tuple[float, ...]) -> None:
        """Bring a histogram under other bounds."""
        if isinstance(self.total, HistogramValue):
            self.total = self.total.under(bounds)

    def gauge(self, aggregate: Aggregate, living: Container[str]) -> float | None:
        """A gauge's one value of all its workers; None when none of them lives."""
        if aggregate == "last":
            return None if isinstance(self.total, HistogramValue) else self.total
        values = [value for worker_id, value in self.by_worker.items() if worker_id in living]
        return exact_or_float(combine_gauges(aggregate, values)) if values else None

    def _keep_exemplars(self, bounds: tuple[float, ...], exemplars: Iterable[Exemplar]) -> None:
        """Keep the newest of each bucket."""
        if exemplars:
            by_bucket = {bisect_left(bounds, exemplar.value): exemplar for exemplar in (*self.exemplars, *exemplars)}
            self.exemplars = tuple(by_bucket[bucket] for bucket in sorted(by_bucket))
