"""Counter: a number that only grows."""

from collections.abc import Mapping

from observabilipy import process
from observabilipy.instruments.number import LARGEST, finite, shown
from observabilipy.models import MetricKind, MetricSample
from observabilipy.troubles import Troubles

__all__ = ["Counter"]


class Counter:
    """One series of a counter: ``inc()`` adds, the runtime carries the sum away.

    Adding takes no lock: CPython with the GIL switches threads only at calls and jumps, and ``+=`` of plain numbers
    holds neither. It is safe in signal handlers and in callbacks of the garbage collector, too.
    """

    __slots__ = ("_labels", "_name", "_reported", "_troubles", "_value")

    def __init__(self, name: str, labels: Mapping[str, str], troubles: Troubles) -> None:
        self._name = name
        self._labels = labels
        self._troubles = troubles
        self._value: float = 0
        self._reported: float | None = None  # None: the series has to appear, even with 0

    def inc(self, amount: float = 1) -> None:
        """Add ``amount``, 1 if left out.

        A negative or not finite amount, or one that is no number, is refused and counted; nothing is raised.
        """
        if process.asleep:
            process.wake()
        if amount.__class__ is not int and amount.__class__ is not float:
            number = finite(amount)
            if number is None:
                self._refuse(amount)
                return
            amount = number
        if 0 <= amount <= LARGEST:
            try:
                self._value += amount
            except OverflowError:  # an integer beyond all floats, and now a float
                self._refuse(amount)
        else:
            self._refuse(amount)

    def _refuse(self, amount: object) -> None:  # also finite amounts that add up to more than any float
        if not isinstance(amount, int | float):
            reason = "not_a_number"
        elif amount < 0:
            reason = "negative"
        else:
            reason = "not_finite"
        rule = f"{self._name}.inc() takes a finite number of 0 or more"
        self._troubles.rejected(reason, f"{rule}, got {shown(amount)}: use a gauge to go down")

    def collect(self, now: float) -> tuple[MetricSample, float] | None:
        """The increment since the last report, and the mark to confirm when it was committed."""
        mark = self._value
        increment = mark if self._reported is None else mark - self._reported
        if increment == 0 and self._reported is not None:
            return None
        if not increment <= LARGEST:
            self._value = self._reported = 0
            self._refuse(increment)
            return None
        if isinstance(increment, float) and increment.is_integer():
            increment = int(increment)
        return MetricSample(self._name, increment, self._labels, MetricKind.COUNTER, now), mark

    def has_news(self) -> bool:
        """Whether something was counted since the last report."""
        return self._value != (self._reported or 0)

    def confirm(self, mark: float) -> None:
        """What was collected with this mark is committed."""
        self._reported = mark

    def begin_anew(self) -> None:
        """In a forked child: what was counted before the fork is the parent's to report."""
        self._reported = self._value
