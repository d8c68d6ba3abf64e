"""Registry: the definitions of one Observability, and what its instruments have to report."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from os.path import dirname
from typing import Any, TypeVar, cast

from observabilipy.errors import ConfigurationError, InvalidValue
from observabilipy.instruments.counter import Counter, CounterLedger
from observabilipy.instruments.gauge import Gauge, GaugeLedger
from observabilipy.instruments.histogram import Histogram, HistogramLedger
from observabilipy.instruments.info import InfoLedger
from observabilipy.instruments.labelled import Labelled, label_text
from observabilipy.instruments.ledger import Kin, Ledger
from observabilipy.models import (
    DEFAULT_BUCKETS,
    DEFAULT_SERIES_LIMIT,
    Aggregate,
    Clock,
    Family,
    MetricKind,
    MetricSample,
    bucket_bounds,
)
from observabilipy.models.names import check_label_names, check_reported_name, claimed_names
from observabilipy.troubles import Troubles

__all__ = ["Collection", "Registry"]

_I = TypeVar("_I", Counter, Gauge, Histogram)
_LEDGERS: Mapping[MetricKind, Callable[..., Ledger[Any]]] = {
    MetricKind.COUNTER: CounterLedger,
    MetricKind.GAUGE: GaugeLedger,
    MetricKind.HISTOGRAM: HistogramLedger,
}
_OURS = "observabilipy_"
_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Decided once: series of both kinds in one process would not be worth the trouble."""


class Collection:
    """What the instruments report at one moment; ``confirm`` it once it is committed."""

    # No dataclasses here: the two in this module took a twentieth of our own import.
    __slots__ = ("confirmations", "families", "gauges", "registered", "samples")

    def __init__(self) -> None:
        self.samples: list[MetricSample] = []
        self.gauges: list[MetricSample] = []
        self.families: list[Family] = []
        self.confirmations: list[Callable[[], None]] = []
        self.registered: Callable[[], None] = lambda: None

    def __bool__(self) -> bool:
        return bool(self.samples or self.gauges or self.families)

    def confirm(self, *, definitions: bool = True) -> None:
        """Move the marks: all of this is committed, or all but the definitions."""
        for confirm in self.confirmations:
            confirm()
        if definitions:
            self.registered()


class _Definition:
    __slots__ = ("family", "instrument", "labels", "ledger", "place")

    def __init__(
        self,
        family: Family,
        labels: tuple[str, ...],
        ledger: Ledger[Any],  # Any: of counters, gauges, histograms or nothing
        instrument: object,
    ) -> None:
        self.family = family
        self.labels = labels
        self.ledger = ledger
        self.instrument = instrument
        self.place = _caller()


class Registry:
    """The instruments by name. Defining one twice in the same way gives the same one.

    Args:
        strict: raise refused values, for tests.
        sharded: let each thread count for itself, as must be where there is no GIL.
        clock: gives unix seconds, for exemplars.
    """

    def __init__(self, *, strict: bool = False, sharded: bool = not _GIL, clock: Clock = time.time) -> None:
        self._definitions: dict[str, _Definition] = {}
        self._claims: dict[str, _Definition] = {}  # by the names in OpenMetrics that are theirs alone
        self._unregistered: list[Family] = []
        self._own: dict[tuple[str, tuple[tuple[str, str], ...]], Counter] = {}  # those that count our troubles
        self._lock = threading.RLock()  # guards definitions; recording never takes it
        self._sharded = sharded
        self._clock = clock
        self.troubles = Troubles(self._count, strict=strict)

    def counter(
        self, name: str, help: str, labels: Iterable[str], *, unit: str = "", series_limit: int = DEFAULT_SERIES_LIMIT
    ) -> Counter | Labelled[Counter]:
        """Define a counter, see ``Observability.counter``."""
        family = _family(name, MetricKind.COUNTER, help, unit, series_limit=series_limit)
        return self._define(family, labels, CounterLedger)

    def gauge(
        self,
        name: str,
        help: str,
        labels: Iterable[str],
        *,
        unit: str = "",
        aggregate: Aggregate = "last",
        series_limit: int = DEFAULT_SERIES_LIMIT,
    ) -> Gauge | Labelled[Gauge]:
        """Define a gauge, see ``Observability.gauge``."""
        family = _family(name, MetricKind.GAUGE, help, unit, aggregate=aggregate, series_limit=series_limit)
        return self._define(family, labels, GaugeLedger)

    def histogram(
        self,
        name: str,
        help: str,
        labels: Iterable[str],
        *,
        unit: str = "",
        buckets: Iterable[float] = DEFAULT_BUCKETS,
        series_limit: int = DEFAULT_SERIES_LIMIT,
    ) -> Histogram | Labelled[Histogram]:
        """Define a histogram, see ``Observability.histogram``."""
        family = _family(
            name, MetricKind.HISTOGRAM, help, unit, bounds=_bounds(name, buckets), series_limit=series_limit
        )
        return self._define(family, labels, HistogramLedger)

    def info_metric(self, name: str, help: str, labels: Mapping[str, object]) -> None:
        """Define an info, see ``Observability.info_metric``."""
        family = _family(name, MetricKind.INFO, help, "", series_limit=DEFAULT_SERIES_LIMIT, aggregate="max")
        names = _label_names(family, sorted(labels))
        values = tuple([label_text(labels[label], lambda: self.troubles.cut_label(family.name)) for label in names])
        with self._lock:
            known = self._known(family, names)
            if known is None:
                self._add(family, names, InfoLedger(self._kin(family, names), values), None)
            elif isinstance(known.ledger, InfoLedger) and known.ledger.values != values:
                raise ConfigurationError(
                    f"{name} says {known.ledger.values!r} since {known.place}, and now {values!r} at {_caller()}:"
                    " an info says what does not change while the process lives; use a gauge for the rest"
                )

    def own(self, family: Family, *labels: str) -> Any:  # Any: a Counter, Gauge or Histogram, or Labelled
        """An instrument of the library itself. Applications cannot define such names: the others refuse the prefix."""
        return self._define(family, labels, _LEDGERS[family.kind])

    def collect(self, now: float) -> Collection:
        """What changed since the last confirmed collection, stamped with ``now`` (unix seconds)."""
        collection = Collection()
        with self._lock:
            definitions = list(self._definitions.values())
            families = self._unregistered[:]
        if families:
            collection.families.extend(families)
            collection.registered = lambda: self._registered(len(families))
        for definition in definitions:
            try:
                report = definition.ledger.collect(now)
            except Exception as error:  # noqa: BLE001 - one bad family must not keep the others from their store
                self.troubles.failed(f"collecting {definition.family.name}", error)
                continue
            if report is not None:
                adds_up = definition.family.kind in {MetricKind.COUNTER, MetricKind.HISTOGRAM}
                (collection.samples if adds_up else collection.gauges).extend(report.samples)
                collection.confirmations.append(report.confirm)
        return collection

    def has_news(self) -> bool:
        """Whether something was recorded since the last report."""
        return any(ledger.has_news() for ledger in self._ledgers())

    def report_gauges_again(self, *, store_is_new: bool = False) -> None:
        """The store forgot this worker: its gauges have to be told once more."""
        for ledger in self._ledgers():
            ledger.report_again(store_is_new=store_is_new)

    def begin_in_new_store(self) -> None:
        """The store is another one: definitions and gauges have to be told once more. Totals begin at 0 there."""
        with self._lock:
            self._unregistered = [definition.family for definition in list(self._definitions.values())]
        self.report_gauges_again(store_is_new=True)

    def begin_anew(self) -> None:
        """In a forked child: what was recorded before the fork is the parent's to report."""
        self._lock = threading.RLock()
        for ledger in self._ledgers():
            ledger.begin_anew()

    def _ledgers(self) -> list[Ledger[Any]]:
        with self._lock:
            return [definition.ledger for definition in list(self._definitions.values())]

    def _define(self, family: Family, labels: Iterable[str], make: Callable[..., Ledger[_I]]) -> _I | Labelled[_I]:
        names = _label_names(family, labels)
        with self._lock:
            known = self._known(family, names)
            if known is not None:
                return cast("_I | Labelled[_I]", known.instrument)
            ledger = make(self._kin(family, names), sharded=self._sharded)
            instrument = Labelled(ledger, self._overflowed(family)) if names else ledger.add(())
            self._add(family, names, ledger, instrument)
            return instrument

    def _known(self, family: Family, names: tuple[str, ...]) -> _Definition | None:
        known = self._definitions.get(family.name)
        if known is None:
            self._check_clash(family)
        elif (known.family, known.labels) != (family, names):
            raise ConfigurationError(
                f"{family.name} is defined in another way at {known.place}, and now at {_caller()}:"
                " give one of them another name"
            )
        return known

    def _add(self, family: Family, names: tuple[str, ...], ledger: Ledger[Any], instrument: object) -> None:
        definition = self._definitions[family.name] = _Definition(family, names, ledger, instrument)
        self._claims.update(dict.fromkeys(claimed_names(family.name, family.kind), definition))
        self._unregistered.append(family)

    def _kin(self, family: Family, names: tuple[str, ...]) -> Kin:
        return Kin(family, names, self.troubles, self._clock)

    def _overflowed(self, family: Family) -> Callable[[], None]:
        tell = self.troubles.refused if family.kind is MetricKind.GAUGE else self.troubles.overflowed
        return lambda: tell(family.name, 1)

    def _check_clash(self, family: Family) -> None:
        """OpenMetrics knows a counter without its ``_total``, so ``jobs_total`` and a gauge ``jobs`` are one name."""
        for name in sorted(claimed_names(family.name, family.kind)):
            other = self._claims.get(name)
            if other is not None:
                raise ConfigurationError(
                    f"{family.name} and {other.family.name} (defined at {other.place}) are both {name!r}"
                    " in OpenMetrics: give one of them another name"
                )

    def _registered(self, count: int) -> None:
        with self._lock:
            del self._unregistered[:count]

    def _count(self, name: str, help: str, labels: tuple[tuple[str, str], ...], amount: float) -> None:
        counter = self._own.get((name, labels))
        if counter is None:
            found = self.own(Family(name, MetricKind.COUNTER, help), *(label for label, _ in labels))
            counter = found.labels(*(value for _, value in labels)) if labels else found
            self._own[name, labels] = counter
        counter.inc(amount)


def _family(
    name: str,
    kind: MetricKind,
    help: str,
    unit: str,
    *,
    series_limit: int,
    aggregate: Aggregate = "last",
    bounds: tuple[float, ...] = (),
) -> Family:
    try:
        check_reported_name(name, kind)
        if name.startswith(_OURS):
            raise ConfigurationError(f"names that begin with {_OURS!r} are the library's own, got {name!r}: rename it")
        if not isinstance(help, str) or not help.strip():
            raise ConfigurationError(f"{name} needs a help text that is not blank: say in a sentence what it counts")
        return Family(name, kind, help, unit, aggregate=aggregate, bounds=bounds, series_limit=series_limit)
    except InvalidValue as error:
        raise ConfigurationError(str(error)) from None


def _bounds(name: str, buckets: Iterable[float]) -> tuple[float, ...]:
    try:
        return bucket_bounds(buckets)
    except InvalidValue as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _label_names(family: Family, labels: Iterable[str]) -> tuple[str, ...]:
    if isinstance(labels, str):
        raise ConfigurationError(
            f"labels of {family.name} must be a sequence of names, got {labels!r}: write ({labels!r},)"
        )
    if not isinstance(labels, Iterable):
        raise ConfigurationError(f"labels of {family.name} must be a sequence of names, got {labels!r}")
    names = tuple(labels)
    try:
        check_label_names(names, family.kind)
    except InvalidValue as error:
        raise ConfigurationError(f"{family.name}: {error}") from None
    if len(set(names)) != len(names):
        raise ConfigurationError(f"labels of {family.name} must differ, got {names!r}")
    return names


def _caller() -> str:
    """File and line of the first frame outside this package."""
    package = dirname(dirname(__file__))  # noqa: PTH120 - pathlib would be a tenth of our import
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to see the caller without building a traceback
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
