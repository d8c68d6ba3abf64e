"""Registry: the definitions of one Observability, and what its instruments have to report."""

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os.path import dirname
from typing import TypeAlias, TypeVar, cast

from observabilipy.errors import ConfigurationError, InvalidValue
from observabilipy.instruments.counter import Counter
from observabilipy.instruments.gauge import Gauge
from observabilipy.instruments.histogram import Histogram
from observabilipy.instruments.labelled import Labelled
from observabilipy.models import (
    DEFAULT_BUCKETS,
    DEFAULT_SERIES_LIMIT,
    OVERFLOW,
    Aggregate,
    Family,
    MetricKind,
    MetricSample,
    bucket_bounds,
)
from observabilipy.models.names import check_label_names, check_reported_name, family_base
from observabilipy.troubles import Troubles

__all__ = ["Collection", "Instrument", "Registry"]

Instrument: TypeAlias = Counter | Gauge | Histogram
_I = TypeVar("_I", Counter, Gauge, Histogram)
_OURS = "observabilipy_"


@dataclass(slots=True)
class Collection:
    """What the instruments report at one moment; ``confirm`` it once it is committed."""

    samples: list[MetricSample] = field(default_factory=list)
    gauges: list[MetricSample] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)
    confirmations: list[Callable[[], None]] = field(default_factory=list)
    registered: Callable[[], None] = field(default=lambda: None)

    def __bool__(self) -> bool:
        return bool(self.samples or self.gauges or self.families)

    def confirm(self, *, definitions: bool = True) -> None:
        """Move the marks: all of this is committed, or all but the definitions."""
        for confirm in self.confirmations:
            confirm()
        if definitions:
            self.registered()


@dataclass(frozen=True, slots=True)
class _Definition:
    family: Family
    labels: tuple[str, ...]
    instrument: Instrument | Labelled[Counter] | Labelled[Gauge] | Labelled[Histogram]
    place: str

    def series(self) -> Sequence[Instrument]:
        instrument = self.instrument
        return instrument.series() if isinstance(instrument, Labelled) else [instrument]


class Registry:
    """The instruments by name. Defining one twice in the same way gives the same one."""

    def __init__(self, *, strict: bool = False) -> None:
        self._definitions: dict[str, _Definition] = {}
        self._unregistered: list[Family] = []
        self._own: dict[tuple[str, tuple[tuple[str, str], ...]], Counter] = {}  # those that count our troubles
        self._lock = threading.RLock()  # guards definitions; recording never takes it
        self.troubles = Troubles(self._count, strict=strict)

    def counter(
        self, name: str, help: str, labels: Iterable[str], *, unit: str = "", series_limit: int = DEFAULT_SERIES_LIMIT
    ) -> Counter | Labelled[Counter]:
        """Define a counter, see ``Observability.counter``."""
        family = _family(name, MetricKind.COUNTER, help, unit, series_limit=series_limit)
        return self._define(family, labels, lambda values: Counter(name, values, self.troubles))

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
        return self._define(family, labels, lambda values: Gauge(name, values, self.troubles, aggregate))

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
        return self._define(family, labels, lambda values: Histogram(name, values, self.troubles, family.bounds))

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
            gauges = definition.family.kind is MetricKind.GAUGE
            target = collection.gauges if gauges else collection.samples
            for series in definition.series():
                try:
                    found = series.collect(now)
                except Exception as error:  # noqa: BLE001 - one bad value must not keep the others from their store
                    series.begin_anew()
                    self.troubles.failed(f"collecting {definition.family.name}", error)
                    continue
                if found is not None:
                    sample, mark = found
                    if not (gauges and _beyond_limit(sample.labels)):  # refused, and counted when it was asked for
                        target.append(sample)
                    collection.confirmations.append(_confirmation(series, mark))
        return collection

    def has_news(self) -> bool:
        """Whether something was recorded since the last report."""
        return any(series.has_news() for series in self._series())

    def report_gauges_again(self, *, store_is_new: bool = False) -> None:
        """The store forgot this worker: its gauges have to be told once more."""
        for series in self._series():
            if isinstance(series, Gauge):
                series.report_again(store_is_new=store_is_new)

    def begin_in_new_store(self) -> None:
        """The store is another one: definitions and gauges have to be told once more. Totals begin at 0 there."""
        with self._lock:
            self._unregistered = [definition.family for definition in self._definitions.values()]
        self.report_gauges_again(store_is_new=True)

    def begin_anew(self) -> None:
        """In a forked child: what was recorded before the fork is the parent's to report."""
        self._lock = threading.RLock()
        for series in self._series():
            series.begin_anew()

    def _series(self) -> Iterable[Instrument]:
        with self._lock:
            definitions = list(self._definitions.values())
        return [series for definition in definitions for series in definition.series()]

    def _define(
        self, family: Family, labels: Iterable[str], make: Callable[[Mapping[str, str]], _I]
    ) -> _I | Labelled[_I]:
        names = _label_names(family, labels)
        with self._lock:
            known = self._definitions.get(family.name)
            if known is not None:
                if (known.family, known.labels) != (family, names):
                    raise ConfigurationError(
                        f"{family.name} is defined in another way at {known.place}, and now at {_caller()}:"
                        " give one of them another name"
                    )
                return cast("_I | Labelled[_I]", known.instrument)
            self._check_clash(family)
            instrument = self._labelled(family, names, make) if names else make({})
            self._definitions[family.name] = _Definition(family, names, instrument, _caller())
            self._unregistered.append(family)
            return instrument

    def _labelled(
        self, family: Family, names: tuple[str, ...], make: Callable[[Mapping[str, str]], _I]
    ) -> Labelled[_I]:
        tell = self.troubles.refused if family.kind is MetricKind.GAUGE else self.troubles.overflowed
        return Labelled(family.name, names, family.series_limit, make, lambda: tell(family.name, 1))

    def _check_clash(self, family: Family) -> None:
        """OpenMetrics knows a counter without its ``_total``, so ``jobs_total`` and a gauge ``jobs`` are one name."""
        base = family_base(family.name, family.kind)
        for other in self._definitions.values():
            if family_base(other.family.name, other.family.kind) == base:
                raise ConfigurationError(
                    f"{family.name} and {other.family.name} (defined at {other.place}) are both {base!r}"
                    " in OpenMetrics: give one of them another name"
                )

    def _registered(self, count: int) -> None:
        with self._lock:
            del self._unregistered[:count]

    def _count(self, name: str, help: str, labels: tuple[tuple[str, str], ...], amount: float) -> None:
        counter = self._own.get((name, labels))
        if counter is None:
            family = Family(name, MetricKind.COUNTER, help)
            names = [label for label, _ in labels]
            found = self._define(family, names, lambda values: Counter(name, values, self.troubles))
            counter = found.labels(*(value for _, value in labels)) if isinstance(found, Labelled) else found
            self._own[name, labels] = counter
        counter.inc(amount)


def _confirmation(series: Instrument, mark: object) -> Callable[[], None]:
    return lambda: series.confirm(mark)  # type: ignore[arg-type]  # a mark of this very series


def _beyond_limit(labels: Mapping[str, str]) -> bool:
    return bool(labels) and all(value == OVERFLOW for value in labels.values())


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
