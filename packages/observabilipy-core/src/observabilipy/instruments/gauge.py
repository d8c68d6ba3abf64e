"""Gauge: a number that goes up and down."""

import math
import threading
from collections.abc import Callable
from operator import attrgetter

from observabilipy import process
from observabilipy.errors import ConfigurationError
from observabilipy.instruments.in_progress import InProgress
from observabilipy.instruments.ledger import Kin, Labels, Ledger, Report
from observabilipy.instruments.number import finite, plain_number, shown

__all__ = ["Gauge", "GaugeLedger", "LockedGauge", "asleep"]

asleep: bool | None = process.asleep or None
"""See ``process.mirrors``."""

_ONE = 1
_CALLBACK_SECONDS = 1.0
_value_of: Callable[["Gauge"], float] = attrgetter("_value")


class _TakenInt(int):
    """A value that was collected already. What is set or added on top of it is a plain number again."""

    __slots__ = ()


class _TakenFloat(float):
    """The same."""

    __slots__ = ()


_TAKEN = frozenset((_TakenInt, _TakenFloat))
_UNTOUCHED = _TakenInt(0)
"""The value of a gauge that was never set: it has nothing to report."""


class Gauge:
    """One series of a gauge.

    Of several workers, ``aggregate`` makes one value: "last" the latest commit, which outlives its worker; "sum",
    "min" and "max" over the workers that live. ``inc``, ``dec`` and ``track_inprogress`` need "sum", because only
    there every worker's steps count.
    """

    # A value may be set to what it was before and must be reported all the same: another worker may have set it
    # meanwhile. So what was collected is marked, by its type, and every value that is set is news: 72 ns, where a
    # version beside the value took 101.
    __slots__ = ("_kin", "_steps", "_value")

    def __init__(self, kin: Kin) -> None:
        self._kin = kin
        self._steps = kin.family.aggregate == "sum"
        self._value: float = _UNTOUCHED

    def set(self, value: float) -> None:
        """Set the gauge. NaN and the infinities are allowed; what is no number is refused and counted."""
        if value.__class__ is float or value.__class__ is int:  # integers beyond all floats are refused later
            self._value = value
        else:
            number = plain_number(value)
            if number is None:
                self.refuse("set", value)
                return
            self._value = number
        if asleep:  # looked at last: a runtime that goes to rest takes what was set before
            process.wake()

    def inc(self, amount: float = 1) -> None:
        """Add ``amount``, 1 if left out; it may be negative.

        Raises:
            ConfigurationError: the gauge's aggregate is not "sum".
        """
        if amount is _ONE and self._steps:
            self._value += 1
        else:
            self._step("inc", amount, 1)
        if asleep:
            process.wake()

    def dec(self, amount: float = 1) -> None:
        """Subtract ``amount``, 1 if left out.

        Raises:
            ConfigurationError: the gauge's aggregate is not "sum".
        """
        if amount is _ONE and self._steps:
            self._value -= 1
        else:
            self._step("dec", amount, -1)
        if asleep:
            process.wake()

    def track_inprogress(self) -> InProgress:
        """One more while a ``with`` block runs; also a decorator of any function, sync, async or generator.

        Raises:
            ConfigurationError: the gauge's aggregate is not "sum".
        """
        self._check_steps("track_inprogress")
        return InProgress(self)

    @property
    def was_set(self) -> bool:
        """Whether this process ever set it."""
        return self._value is not _UNTOUCHED

    def set_function(self, callback: Callable[[], float]) -> None:
        """Have the value asked for: ``queue_length.set_function(queue.qsize)``.

        The runtime's thread calls it when it collects, at most once a second, and reports the value when it has
        changed; never the thread that answers ``/metrics``. What it raises, and what is no number, is counted and
        warned about, and leaves the value as it was. A later ``set_function`` takes its place.

        Args:
            callback: gives the value at once; while it runs, nothing else is committed.

        Raises:
            ConfigurationError: it cannot be called.
        """
        if not callable(callback):
            raise ConfigurationError(
                f"{self._kin.name}.set_function() takes what can be called without arguments, got {callback!r}:"
                " to set a value write .set(...)"
            )
        self._kin.callbacks[self] = callback
        if asleep:
            process.wake()

    def take(self, value: float) -> None:
        """This value was collected; unless it was set meanwhile it is news no more."""
        taken = _TakenFloat(value) if isinstance(value, float) else _TakenInt(value)
        # No call between looking and setting: no other thread comes in between. One that set the very same object
        # meanwhile did so before this report is committed, which so is the newest.
        if self._value is value:
            self._value = taken

    def give_up(self, value: float) -> None:
        """This value cannot be reported: steps begin at 0 again."""
        if self._value is value:
            self._value = _UNTOUCHED

    def begin_anew(self) -> None:
        """In a forked child: the value is the parent's, and of what is summed the child has nothing yet."""
        self._value = _UNTOUCHED

    def refuse(self, method: str, value: object) -> None:
        """This is no number, or leads to none."""
        self._kin.refuse("not_a_number", f"{self._kin.name}.{method}() takes a number, got {shown(value)}")

    def _step(self, method: str, amount: float, sign: int) -> None:
        self._check_steps(method)
        number = finite(amount)
        if number is None:
            self.refuse(method, amount)
            return
        number *= sign
        try:
            self._value += number
        except OverflowError:  # an integer beyond all floats, and now a float
            self.refuse(method, amount)

    def _check_steps(self, method: str) -> None:
        if not self._steps:
            name = self._kin.name
            raise ConfigurationError(
                f'{name}.{method}() needs aggregate "sum", got "{self._kin.family.aggregate}":'
                f' define it with obs.gauge({name!r}, ..., aggregate="sum")'
            )


class LockedGauge(Gauge):
    """The same for builds of Python without a GIL: what is set and stepped cannot be spread over threads."""

    __slots__ = ("_lock",)

    def __init__(self, kin: Kin) -> None:
        super().__init__(kin)
        self._lock = threading.RLock()  # guards the value; a signal handler may come in between

    def set(self, value: float) -> None:
        """Set the gauge, see ``Gauge.set``."""
        with self._lock:
            super().set(value)

    def inc(self, amount: float = 1) -> None:
        """Add ``amount``, see ``Gauge.inc``."""
        with self._lock:
            super().inc(amount)

    def dec(self, amount: float = 1) -> None:
        """Subtract ``amount``, see ``Gauge.dec``."""
        with self._lock:
            super().dec(amount)

    def take(self, value: float) -> None:
        """See ``Gauge``."""
        with self._lock:
            super().take(value)

    def begin_anew(self) -> None:
        """See ``Gauge``; another thread may have held the lock when the process forked."""
        self._lock = threading.RLock()
        super().begin_anew()


class GaugeLedger(Ledger[Gauge]):
    """The series of a gauge; what they report is what was set, or stepped to, since."""

    def __init__(self, kin: Kin, *, sharded: bool = False) -> None:
        super().__init__(kin, LockedGauge if sharded else Gauge)
        self._unconfirmed: dict[Labels, float] = {}
        self._called: float | None = None  # when the callbacks were

    def collect(self, now: float) -> Report | None:
        """See ``Ledger``."""
        if self.kin.callbacks:
            self._call_back(now)
        if not self.has_news():
            return None
        found = dict(self._unconfirmed)
        for labels, gauge in self.labelled(self.all()):
            value = _value_of(gauge)
            if value.__class__ in _TAKEN:
                continue
            if plain_number(value) is None:  # an integer beyond all floats, set at once or by steps
                gauge.give_up(value)
                self._refuse(gauge, value)
            else:
                found[labels] = value
                gauge.take(value)
        samples = []
        for labels, value in found.items():
            try:
                if not self.is_overflow(labels):  # refused, and counted when it was asked for
                    samples.append(self.sample(labels, value, now))
            except Exception as error:  # noqa: BLE001 - one bad value must not keep the others from their store
                self.failed(error)
        self._unconfirmed = found
        return Report(samples, lambda: self._confirm(found))

    def _refuse(self, gauge: Gauge, value: float) -> None:
        try:
            gauge.refuse("set", value)
        except Exception as error:  # noqa: BLE001 - strict: it raises, and nobody is here to be told
            self.failed(error)

    def _confirm(self, found: dict[Labels, float]) -> None:
        if self._unconfirmed is found:
            self._unconfirmed = {}

    def has_news(self) -> bool:
        """See ``Ledger``."""
        return bool(self._unconfirmed) or not _TAKEN.issuperset(map(type, map(_value_of, self.all())))

    def report_again(self, *, store_is_new: bool) -> None:
        """Tell the values once more, of gauges that were ever set.

        With "last" only to a store that is new: in another one the value outlived the worker, and others may have set a
        newer one.
        """
        if store_is_new or self.kin.family.aggregate != "last":
            known = [(labels, gauge, _value_of(gauge)) for labels, gauge in self.labelled(self.all())]
            taken = {labels: +value for labels, gauge, value in known if gauge.was_set and value.__class__ in _TAKEN}
            self._unconfirmed = {**taken, **self._unconfirmed}  # + makes a plain number of it

    def begin_anew(self) -> None:
        """See ``Ledger``."""
        self._unconfirmed = {}
        self._called = None
        for gauge in self.all():
            gauge.begin_anew()

    def _call_back(self, now: float) -> None:
        if self._called is not None and 0 <= now - self._called < _CALLBACK_SECONDS:
            return
        self._called = now
        for gauge, callback in list(self.kin.callbacks.items()):
            try:
                value = callback()
                number = plain_number(value)
                if number is None:
                    gauge.refuse("set_function", value)
                elif not (gauge.was_set and _same(number, _value_of(gauge))):
                    gauge.set(number)
            except BaseException as error:  # it may raise anything, CancelledError and SystemExit too
                if isinstance(error, KeyboardInterrupt | SystemExit) and _is_main_thread():
                    raise  # of a signal, while the process closes
                self.kin.troubles.failed(f"asking for {self.kin.name}", error)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
