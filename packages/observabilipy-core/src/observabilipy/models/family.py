"""Family and SeriesHistory: what stores give back and encoders write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from observabilipy.errors import InvalidValue
from observabilipy.models.histogram import HistogramValue, bucket_bounds
from observabilipy.models.kind import Aggregate, MetricKind
from observabilipy.models.names import check_label_names, check_metric_name, check_unit
from observabilipy.models.number import is_number
from observabilipy.models.series import Series, SeriesColumns, SeriesValue, SummaryValue
from observabilipy.models.text import storable

__all__ = ["DEFAULT_SERIES_LIMIT", "Family", "SeriesHistory"]

DEFAULT_SERIES_LIMIT = 1_000
"""Series that one family may have before further ones are folded into the overflow series."""


_VALUE_TYPES: Mapping[MetricKind, type[SeriesValue]] = {
    MetricKind.HISTOGRAM: HistogramValue,
    MetricKind.GAUGE_HISTOGRAM: HistogramValue,
    MetricKind.SUMMARY: SummaryValue,
}


@dataclass(frozen=True, slots=True)
class Family:
    """All series of one name, and their definition; without series it is a definition to register.

    Args:
        name: as registered; a counter's ends in ``_total``.
        kind: what the numbers mean.
        help: one sentence for people.
        unit: base unit in plural, the name's suffix (``seconds``, ``bytes``), or "".
        series: the rows, in no promised order; kept as a tuple, or as the columns of a store.
        aggregate: how a gauge's values of several workers become one; with "max", an info goes with its worker.
        bounds: bucket bounds of a histogram.
        series_limit: series before further ones are folded into the overflow series.

    Raises:
        InvalidValue: a kind, name, label name, unit, help, aggregate, bounds or limit that breaks its rule, or a series
            whose value is not of its kind.
    """

    name: str
    kind: MetricKind
    help: str = ""
    unit: str = ""
    series: Sequence[Series] = ()
    aggregate: Aggregate = field(default="last", kw_only=True)
    bounds: tuple[float, ...] = field(default=(), kw_only=True)
    series_limit: int = field(default=DEFAULT_SERIES_LIMIT, kw_only=True)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        if self.kind not in MetricKind.__members__.values():
            raise InvalidValue(f"kind must be one of {', '.join(MetricKind)}, got {self.kind!r}")
        set_field(self, "kind", MetricKind(self.kind))
        check_metric_name(self.name)
        check_unit(self.name, self.kind, self.unit)
        if not isinstance(self.help, str):
            raise InvalidValue(f"help must be a string, got {self.help!r}: write one sentence for people")
        set_field(self, "help", storable(self.help))
        if not isinstance(self.series, SeriesColumns):
            set_field(self, "series", tuple(self.series))
            self._check_series()
        if self.aggregate not in get_args(Aggregate):
            raise InvalidValue(f"aggregate must be one of {', '.join(get_args(Aggregate))}, got {self.aggregate!r}")
        if self.aggregate != "last" and not self.kind.is_set:
            raise InvalidValue(
                f"only a gauge or an info has an aggregate, got {self.aggregate!r} for {self.kind} {self.name!r}"
            )
        if self.bounds:
            set_field(self, "bounds", bucket_bounds(self.bounds))
        if type(self.series_limit) is not int or self.series_limit < 1:
            raise InvalidValue(f"series_limit must be a whole number of 1 or more, got {self.series_limit!r}")

    def _check_series(self) -> None:
        # Label names are few and alike: checked once each, not once for each series.
        check_label_names({name for row in self.series for name in row.labels}, self.kind)
        right_type = _VALUE_TYPES.get(self.kind)
        for row in self.series:
            if not (is_number(row.value) if right_type is None else isinstance(row.value, right_type)):
                wanted = "number" if right_type is None else right_type.__name__
                raise InvalidValue(
                    f"a series of a {self.kind} must have a {wanted}, got {row.value!r} in {self.name!r}"
                )


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """One series over time: ``points`` are ``(timestamp, value)``, oldest first, unix seconds.

    A value of None marks where the series ended (it was deleted, or its workers were gone); it may begin again later.
    ``ranges`` has an item for each point: the lowest and the highest value of a gauge within the step of time whose
    mean the point is, None where the point is a sample. It is empty where all points are samples.
    """

    name: str
    kind: MetricKind
    labels: Mapping[str, str]
    points: tuple[tuple[float, SeriesValue | None], ...]
    ranges: tuple[tuple[float, float] | None, ...] = ()
