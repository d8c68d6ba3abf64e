"""Ledger: the series of one family, and what was reported of them.

What all series of a family share stands here once, so that each series is a few words of memory: a labelled counter
takes 0.3 KB with its label values.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

from observabilipy.instruments.number import shown
from observabilipy.models import OVERFLOW, Clock, Exemplar, Family, HistogramValue, MetricSample
from observabilipy.troubles import Troubles

__all__ = ["Kept", "Kin", "Labels", "Ledger", "Report"]

Labels: TypeAlias = tuple[str, ...]
"""The label values of a series, in the order of the definition."""

Kept: TypeAlias = tuple[dict[str, str], float, float]
"""An exemplar that was not collected yet: labels, value, and when, in unix seconds."""

C = TypeVar("C")
T = TypeVar("T")


class Report:
    """What a family reports at one moment; ``confirm`` it once it is committed."""

    __slots__ = ("confirm", "samples")

    def __init__(self, samples: list[MetricSample], confirm: Callable[[], None]) -> None:
        self.samples = samples
        self.confirm = confirm


class Kin:
    """What the series of a family share: their definition, and whom to tell of what they refuse."""

    __slots__ = ("above", "callbacks", "clock", "family", "label_names", "name", "troubles")

    def __init__(self, family: Family, label_names: Labels, troubles: Troubles, clock: Clock) -> None:
        self.family = family
        self.name = family.name
        self.label_names = label_names
        self.troubles = troubles
        self.clock = clock
        # bisect_right over the next float after each bound puts an observation on a bound below it.
        self.above = [math.nextafter(bound, math.inf) for bound in family.bounds]
        self.callbacks: dict[Any, Callable[[], object]] = {}  # Any: by gauge, of which this module knows nothing

    def refuse(self, reason: str, message: str) -> None:
        """A value was refused."""
        self.troubles.rejected(reason, message, self.name)

    def keep(self, labels: Mapping[str, str], value: float) -> Kept | None:
        """An exemplar of this moment; None when it is none at all: the number counts all the same."""
        try:
            return dict(labels), value, self.clock()
        except Exception:  # noqa: BLE001 - whatever was given instead of a mapping may raise anything
            self.refuse("exemplar", f"{self.name} takes a mapping of labels as an exemplar, got {shown(labels)}")
            return None

    def exemplar(self, kept: Kept) -> Exemplar | None:
        """The exemplar, or None when its labels are refused. Checked when it is collected: few of them ever are."""
        try:
            return Exemplar(*kept)
        except Exception as error:  # noqa: BLE001 - foreign labels may raise anything
            self.refuse("exemplar", f"{self.name} refuses an exemplar: {error}")
            return None


class Ledger(Generic[C]):
    """The series of one family. Only the thread that collects changes what was reported.

    ``series`` is only ever added to, so a series keeps its place: what was reported stands in lists beside them, and
    lists of what did not change are compared by C, object by object.

    Args:
        kin: what the series share.
        make: makes one.
    """

    def __init__(self, kin: Kin, make: Callable[[Kin], C]) -> None:
        self.kin = kin
        self.series: dict[Labels, C] = {}
        self._make = make

    def add(self, labels: Labels) -> C:
        """The series of these labels, made if there is none."""
        # setdefault is atomic: of two threads that make the same series, both get the first.
        return self.series.setdefault(labels, self._make(self.kin))

    def all(self) -> list[C]:
        """Every series there is now."""
        # A list of values is made in one step and without making anything else. The tuples of items() would let the
        # garbage collector run, and its callbacks may add a series.
        return list(self.series.values())

    def labelled(self, series: list[T]) -> Iterable[tuple[Labels, T]]:
        """The labels of each of these, which begin with the first."""
        return zip(list(self.series), series, strict=False)  # others may have come since, at the end

    def is_overflow(self, labels: Labels) -> bool:
        """Whether this series stands for others."""
        return bool(labels) and all(value == OVERFLOW for value in labels)

    def sample(
        self, labels: Labels, value: float | HistogramValue, now: float, kept: Iterable[Kept] = ()
    ) -> MetricSample:
        """The report of one series."""
        named: Mapping[str, str] = dict(zip(self.kin.label_names, labels, strict=True))
        exemplars = tuple(filter(None, map(self.kin.exemplar, kept)))
        return MetricSample(self.kin.name, value, named, self.kin.family.kind, now, exemplars=exemplars)

    def failed(self, error: Exception) -> None:
        """One series could not be collected; the others go on."""
        self.kin.troubles.failed(f"collecting {self.kin.name}", error)

    def collect(self, now: float) -> Report | None:
        """What changed since the last confirmed report, stamped with ``now`` (unix seconds); None if nothing did."""
        raise NotImplementedError

    def has_news(self) -> bool:
        """Whether something was recorded since the last confirmed report."""
        raise NotImplementedError

    def begin_anew(self) -> None:
        """In a forked child: what was recorded before the fork is the parent's to report."""
        raise NotImplementedError

    def report_again(self, *, store_is_new: bool) -> None:
        """The store forgot this worker: tell once more what is not added up."""
