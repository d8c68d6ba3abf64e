"""MetricSample: what a program reports, and the functions that build one."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from observabilipy.errors import InvalidValue
from observabilipy.models.clock import check_timestamp
from observabilipy.models.histogram import HistogramValue
from observabilipy.models.kind import MetricKind
from observabilipy.models.names import check_labels, check_reported_name
from observabilipy.models.number import is_number

__all__ = ["Exemplar", "MetricSample", "counter", "gauge", "histogram"]

_REPORTED = (MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM, MetricKind.INFO)
_MAX_EXEMPLAR = 128


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation as an example, usually with the id of its trace.

    Raises:
        InvalidValue: names and values of the labels are longer than 128 characters together (OpenMetrics 1.0,
            "Exemplars") or break the rules for labels, the value is no number, or the timestamp is not unix seconds.
    """

    labels: Mapping[str, str]
    value: float
    timestamp: float | None = None

    def __post_init__(self) -> None:
        check_labels(self.labels, MetricKind.UNKNOWN)
        length = sum(len(name) + len(value) for name, value in self.labels.items())
        if length > _MAX_EXEMPLAR:
            raise InvalidValue(f"the labels of an exemplar must fit {_MAX_EXEMPLAR} characters, got {length}")
        if not is_number(self.value) or math.isnan(self.value):
            raise InvalidValue(f"the value of an exemplar must be a number, got {self.value!r}")
        object.__setattr__(self, "labels", dict(self.labels))
        if self.timestamp is not None:
            object.__setattr__(self, "timestamp", check_timestamp(self.timestamp, "the timestamp of an exemplar"))


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One report. Reports of many workers add up in any order, without knowing each other.

    For a COUNTER ``value`` is the *increment* since the program's last report, for a HISTOGRAM the observations since
    then, for a GAUGE the value itself, for an INFO 1. ``timestamp`` is unix seconds.

    Raises:
        InvalidValue: a name, label or value that the formats cannot carry, an increment that is negative or not
            finite, a value of the wrong type for the kind.
    """

    name: str
    value: float | HistogramValue
    labels: Mapping[str, str]
    kind: MetricKind
    timestamp: float
    exemplars: tuple[Exemplar, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if self.kind not in _REPORTED:
            raise InvalidValue(f"a sample reports a counter, gauge, histogram or info, got {self.kind!r}")
        set_field = object.__setattr__
        set_field(self, "kind", MetricKind(self.kind))
        check_reported_name(self.name, self.kind)
        check_labels(self.labels, self.kind)
        set_field(self, "labels", dict(self.labels))
        set_field(self, "timestamp", check_timestamp(self.timestamp, "timestamp"))
        set_field(self, "exemplars", tuple(self.exemplars))
        self._check_value()

    def _check_value(self) -> None:
        value = self.value
        if self.kind is MetricKind.HISTOGRAM:
            if not isinstance(value, HistogramValue):
                raise InvalidValue(
                    f"a histogram reports a HistogramValue, got {value!r}: HistogramValue.of(bounds, [...])"
                )
            if not value.bounds:
                raise InvalidValue(
                    "a histogram is reported under one or more bucket bounds, got none: write (0.1, 1, 10)"
                )
            if not math.isfinite(value.sum):
                raise InvalidValue(f"the observations of a histogram must add up to a finite sum, got {value.sum!r}")
        elif not is_number(value):
            raise InvalidValue(f"a {self.kind} reports a number that fits a float, got {value!r}")
        elif self.kind is MetricKind.INFO and value != 1:
            raise InvalidValue(f"an info reports 1, got {value!r}: what it says stands in its labels")
        elif self.kind is MetricKind.COUNTER and not (math.isfinite(value) and value >= 0):
            raise InvalidValue(f"a counter's increment must be finite and not negative, got {value!r}")


def counter(
    name: str, value: float = 1, /, *, labels: Mapping[str, str] | None = None, timestamp: float | None = None
) -> MetricSample:
    """Report that a counter grew by ``value``.

    Raises:
        InvalidValue: see MetricSample. A string as value means that ``obs.counter(name, help)`` was wanted.
    """
    return _sample(name, value, labels, MetricKind.COUNTER, timestamp)


def gauge(
    name: str, value: float, /, *, labels: Mapping[str, str] | None = None, timestamp: float | None = None
) -> MetricSample:
    """Report the value of a gauge.

    Raises:
        InvalidValue: see MetricSample. A string as value means that ``obs.gauge(name, help)`` was wanted.
    """
    return _sample(name, value, labels, MetricKind.GAUGE, timestamp)


def histogram(
    name: str,
    value: HistogramValue,
    /,
    *,
    labels: Mapping[str, str] | None = None,
    timestamp: float | None = None,
) -> MetricSample:
    """Report observations of a histogram; ``HistogramValue.of(bounds, observations)`` counts them.

    Raises:
        InvalidValue: see MetricSample. A string as value means that ``obs.histogram(name, help)`` was wanted.
    """
    return _sample(name, value, labels, MetricKind.HISTOGRAM, timestamp)


def _sample(
    name: str,
    value: float | HistogramValue,
    labels: Mapping[str, str] | None,
    kind: MetricKind,
    timestamp: float | None,
) -> MetricSample:
    if isinstance(value, str):
        raise InvalidValue(
            f"{kind}() builds one sample and takes a number, got {value!r}:"
            f" to define an instrument write obs.{kind}({name!r}, {value!r})"
        )
    return MetricSample(name, value, labels or {}, kind, time.time() if timestamp is None else timestamp)
