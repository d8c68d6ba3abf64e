"""The Prometheus text format, version 0.0.4.

Source: Prometheus "Exposition formats", "Text format details" and "Histograms and summaries".
"""

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate

from observabilipy.encoding.sample_line import label_text, sample_line, with_bound
from observabilipy.models import Family, HistogramValue, MetricKind, Series, SummaryValue

__all__ = ["claimed_names", "metadata", "sample_lines", "sample_name"]

_TYPES = {
    MetricKind.GAUGE_HISTOGRAM: "histogram",
    MetricKind.INFO: "gauge",
    MetricKind.STATE_SET: "gauge",
    MetricKind.UNKNOWN: "untyped",
}
_SUFFIXES = {
    MetricKind.HISTOGRAM: ("_bucket", "_count", "_sum"),
    MetricKind.GAUGE_HISTOGRAM: ("_bucket", "_count", "_sum"),
    MetricKind.SUMMARY: ("_count", "_sum"),
}


def claimed_names(family: Family) -> frozenset[str]:
    """The names that no other family of the same body may use."""
    name = sample_name(family)
    return frozenset((name, *(f"{name}{suffix}" for suffix in _SUFFIXES.get(family.kind, ()))))


def sample_name(family: Family) -> str:
    """The name of a family's only sample, or what the names of its samples begin with."""
    return f"{family.name}_info" if family.kind is MetricKind.INFO else family.name


def metadata(family: Family) -> str:
    """The HELP and TYPE lines."""
    name = sample_name(family)
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    help_line = f"# HELP {name} {text}\n" if text else ""
    return f"{help_line}# TYPE {name} {_TYPES.get(family.kind, family.kind.value)}\n"


def sample_lines(family: Family, series: Iterable[Series]) -> Iterator[str]:
    """The samples of these series, one a line; the lines of one series stand together."""
    name = sample_name(family)
    for row in series:
        if isinstance(row.value, HistogramValue):
            yield from _histogram(name, row, row.value)
        elif isinstance(row.value, SummaryValue):
            yield from _summary(name, row, row.value)
        else:
            yield sample_line(name, label_text(row.labels), row.value)


def _histogram(name: str, row: Series, value: HistogramValue) -> Iterator[str]:
    labels = label_text(row.labels)
    for bound, count in zip((*value.bounds, math.inf), accumulate(value.counts), strict=True):
        yield sample_line(f"{name}_bucket", with_bound(labels, "le", bound), count)
    yield sample_line(f"{name}_count", labels, value.count)
    yield sample_line(f"{name}_sum", labels, value.sum)


def _summary(name: str, row: Series, value: SummaryValue) -> Iterator[str]:
    labels = label_text(row.labels)
    for quantile, estimate in value.quantiles:
        yield sample_line(name, with_bound(labels, "quantile", quantile), estimate)
    yield sample_line(f"{name}_count", labels, value.count)
    yield sample_line(f"{name}_sum", labels, value.sum)
