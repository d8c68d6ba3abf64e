"""Gauge: a number that goes up and down."""

from collections.abc import Iterator, Mapping
from contextlib import _GeneratorContextManager, contextmanager

from observabilipy import process
from observabilipy.errors import ConfigurationError
from observabilipy.instruments.number import finite, plain_number, shown
from observabilipy.models import Aggregate, MetricKind, MetricSample
from observabilipy.troubles import Troubles

__all__ = ["Gauge"]

_PLAIN = 2**53
"""Integers up to here can be added to whatever the value is, without a look."""


class Gauge:
    """One series of a gauge.

    Of several workers, ``aggregate`` makes one value: "last" the latest commit, which outlives its worker; "sum",
    "min" and "max" over the workers that live. ``inc``, ``dec`` and ``track_inprogress`` need "sum", because only
    there every worker's steps count.
    """

    __slots__ = ("_aggregate", "_labels", "_name", "_reported", "_troubles", "_value", "_version")

    def __init__(self, name: str, labels: Mapping[str, str], troubles: Troubles, aggregate: Aggregate) -> None:
        self._name = name
        self._labels = labels
        self._troubles = troubles
        self._aggregate = aggregate
        self._value: float = 0
        # A value may be set to what it was before and must be reported all the same: another worker may have set it
        # meanwhile. So a version tells what is new; it is raised after the value, so that no value is missed.
        self._version = 0
        self._reported = 0

    def set(self, value: float) -> None:
        """Set the gauge. NaN and the infinities are allowed; what is no number is refused and counted."""
        if process.asleep:
            process.wake()
        if value.__class__ is not float:
            number = plain_number(value)
            if number is None:
                self._refuse("set", value)
                return
            value = number
        self._value = value
        self._version += 1

    def inc(self, amount: float = 1) -> None:
        """Add ``amount``, 1 if left out; it may be negative.

        Raises:
            ConfigurationError: the gauge's aggregate is not "sum".
        """
        if process.asleep:
            process.wake()
        if self._aggregate != "sum":
            raise self._needs_sum("inc")
        if amount.__class__ is int and -_PLAIN <= amount <= _PLAIN:
            self._value += amount
            self._version += 1
        else:
            self._add("inc", amount, 1)

    def dec(self, amount: float = 1) -> None:
        """Subtract ``amount``, 1 if left out.

        Raises:
            ConfigurationError: the gauge's aggregate is not "sum".
        """
        if process.asleep:
            process.wake()
        if self._aggregate != "sum":
            raise self._needs_sum("dec")
        if amount.__class__ is int and -_PLAIN <= amount <= _PLAIN:
            self._value -= amount
            self._version += 1
        else:
            self._add("dec", amount, -1)

    def _add(self, method: str, amount: float, sign: int) -> None:
        number = finite(amount)
        if number is None:
            self._refuse(method, amount)
            return
        try:
            self._value += sign * number
        except OverflowError:  # an integer beyond all floats, and now a float
            self._refuse(method, amount)
            return
        self._version += 1

    def track_inprogress(self) -> "_GeneratorContextManager[None]":
        """One more while a ``with`` block runs; also a decorator of plain functions.

        Raises:
            ConfigurationError: the gauge's aggregate is not "sum".
        """
        if self._aggregate != "sum":
            raise self._needs_sum("track_inprogress")
        return self._one_more()

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        self.inc()
        try:
            yield
        finally:
            self.dec()

    def _needs_sum(self, method: str) -> ConfigurationError:
        return ConfigurationError(
            f'{self._name}.{method}() needs aggregate "sum", got "{self._aggregate}":'
            f' define it with obs.gauge({self._name!r}, ..., aggregate="sum")'
        )

    def _refuse(self, method: str, value: object) -> None:
        self._troubles.rejected("not_a_number", f"{self._name}.{method}() takes a number, got {shown(value)}")

    def collect(self, now: float) -> tuple[MetricSample, int] | None:
        """The value if it was set since the last report, and the mark to confirm when it was committed."""
        mark = self._version
        if mark == self._reported:
            return None
        if plain_number(self._value) is None:  # integers that add up to more than any float
            self._value = 0
            self._reported = mark
            self._refuse("inc", "a sum beyond all floats")
            return None
        return MetricSample(self._name, self._value, self._labels, MetricKind.GAUGE, now), mark

    def has_news(self) -> bool:
        """Whether it was set since the last report."""
        return self._version != self._reported

    def confirm(self, mark: int) -> None:
        """What was collected with this mark is committed."""
        self._reported = mark

    def report_again(self, *, store_is_new: bool) -> None:
        """The store forgot this worker: report the value once more, if there ever was one.

        With "last" only to a store that is new: in another one the value outlived the worker, and others may have set a
        newer one.
        """
        if self._version and (store_is_new or self._aggregate != "last"):
            self._reported = 0

    def begin_anew(self) -> None:
        """In a forked child: the value is the parent's, and of what is summed the child has nothing yet."""
        if self._aggregate != "last":
            self._value = 0
        self._version = self._reported = 0
