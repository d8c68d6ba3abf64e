"""OpenMetrics text, version 1.0.

Sources: OpenMetrics 1.0, "ABNF", "Metric Types", "Suffixes", "Exemplars" and "Unit".

The format forbids some numbers: a counter, count or sum that is negative or NaN, a quantile below zero. A sample that
would break such a rule is left out, because one of them makes a scraper refuse the whole body.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from observabilipy.encoding.sample_line import escaped, label_text, number, sample_line, with_bound
from observabilipy.models import Exemplar, Family, HistogramValue, MetricKind, Series, SummaryValue, names, to_micros

__all__ = ["claimed_names", "exemplar_text", "exemplars_by_bucket", "metadata", "sample_lines", "sample_name"]

_WITHOUT_UNIT = (MetricKind.INFO, MetricKind.STATE_SET)


def claimed_names(family: Family) -> frozenset[str]:
    """The names that no other family of the same body may use, whether this one has such samples or not."""
    return names.claimed_names(family.name, family.kind)


def metadata(family: Family) -> str:
    """The HELP, TYPE and UNIT lines."""
    name = _name(family)
    text = escaped(family.help)
    help_line = f"# HELP {name} {text}\n" if text else ""
    unit_line = f"# UNIT {name} {family.unit}\n" if family.unit and family.kind not in _WITHOUT_UNIT else ""
    return f"{help_line}# TYPE {name} {family.kind.value}\n{unit_line}"


def sample_name(family: Family) -> str:
    """The name of a family's only sample, or what the names of its samples begin with."""
    suffix = {MetricKind.COUNTER: "_total", MetricKind.INFO: "_info"}.get(family.kind, "")
    return f"{_name(family)}{suffix}"


def exemplars_by_bucket(value: HistogramValue, exemplars: Iterable[Exemplar]) -> dict[int, Exemplar]:
    """The last one of each bucket, by the bucket's place."""
    return {bisect_left(value.bounds, exemplar.value): exemplar for exemplar in exemplars}


def exemplar_text(exemplar: Exemplar) -> str:
    """What follows the number on the line of a sample."""
    moment = "" if exemplar.timestamp is None else f" {_seconds(exemplar.timestamp)}"
    return f" # {{{label_text(exemplar.labels)}}} {number(exemplar.value)}{moment}"


def sample_lines(family: Family, series: Iterable[Series], created: bool = False) -> Iterator[str]:
    """The samples of these series, one a line; the lines of one series stand together."""
    name = _name(family)
    if family.kind is MetricKind.STATE_SET:
        series = sorted(series, key=lambda row: _without(row, family.name))  # the states of one set stand together
    for row in series:
        lines = list(_lines(family, name, row))
        yield from lines
        if created and lines and row.created is not None and "_created" in names.ADDED_SUFFIXES.get(family.kind, ()):
            yield sample_line(f"{name}_created", label_text(row.labels), row.created)


def _lines(family: Family, name: str, row: Series) -> Iterator[str]:
    labels = label_text(row.labels)
    match row.value:
        case HistogramValue() as value:
            yield from _histogram(family, name, row, value)
        case SummaryValue() as value:
            yield from _summary(name, row, value)
        case value if family.kind is MetricKind.COUNTER:
            if value >= 0:
                exemplar = "".join(map(exemplar_text, row.exemplars[-1:]))
                yield sample_line(f"{name}_total", labels, value, exemplar)
        case _ if family.kind is MetricKind.INFO:
            yield sample_line(f"{name}_info", labels, 1)
        case value if family.kind is not MetricKind.STATE_SET or (value in {0, 1} and family.name in row.labels):
            yield sample_line(name, labels, value)


def _histogram(family: Family, name: str, row: Series, value: HistogramValue) -> Iterator[str]:
    exemplars = exemplars_by_bucket(value, row.exemplars)
    cumulative = zip((*value.bounds, math.inf), accumulate(value.counts), strict=True)
    labels, falls = label_text(row.labels), any(bound < 0 for bound in value.bounds[:1])
    for place, (bound, count) in enumerate(cumulative):
        exemplar = exemplar_text(exemplars[place]) if place in exemplars else ""
        yield sample_line(f"{name}_bucket", with_bound(labels, "le", bound), count, exemplar)
    # Count and sum come together or not at all; a sum that may fall is allowed in a gaugehistogram only.
    if family.kind is MetricKind.GAUGE_HISTOGRAM and (falls or value.sum >= 0):
        yield sample_line(f"{name}_gcount", labels, value.count)
        yield sample_line(f"{name}_gsum", labels, value.sum)
    elif family.kind is MetricKind.HISTOGRAM and not falls and value.sum >= 0:
        yield sample_line(f"{name}_count", labels, value.count)
        yield sample_line(f"{name}_sum", labels, value.sum)


def _summary(name: str, row: Series, value: SummaryValue) -> Iterator[str]:
    labels = label_text(row.labels)
    for quantile, estimate in value.quantiles:
        if 0 <= quantile <= 1 and not estimate < 0:
            yield sample_line(name, with_bound(labels, "quantile", quantile), estimate)
    yield sample_line(f"{name}_count", labels, value.count)
    if value.sum >= 0:
        yield sample_line(f"{name}_sum", labels, value.sum)


def _seconds(timestamp: float) -> str:
    # Never with an exponent: parsers read the digits after the point as nanoseconds.
    micros = to_micros(timestamp)
    seconds, rest = divmod(abs(micros), 1_000_000)
    return f"{'-' if micros < 0 else ''}{seconds}.{rest:06d}"


def _without(row: Series, name: str) -> list[tuple[str, str]]:
    return sorted((label, value) for label, value in row.labels.items() if label != name)


def _name(family: Family) -> str:
    return names.family_base(family.name, family.kind) or family.name
