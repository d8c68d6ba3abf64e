"""Bare samples, added up into the families that they report."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from observabilipy.models import Family, HistogramValue, MetricKind, MetricSample, Series
from observabilipy.models.totals import add_increment, placeholder_help

__all__ = ["add_up"]


def add_up(samples: Iterable[MetricSample]) -> Iterator[Family]:
    """Families in the order of their names: counters by sum, histograms merged, of a gauge the last value.

    A name that comes with several kinds gives several families, the kind seen first before the others.
    """
    families: dict[tuple[str, MetricKind], dict[tuple[tuple[str, str], ...], Series]] = {}
    for sample in samples:
        rows = families.setdefault((sample.name, sample.kind), {})
        key = tuple(sorted(sample.labels.items()))
        before = rows.get(key)
        rows[key] = _first(sample) if before is None else _added(before, sample)
    for (name, kind), rows in sorted(families.items(), key=lambda item: item[0][0]):
        yield Family(name, kind, placeholder_help(name), series=tuple(rows.values()))


def _first(sample: MetricSample) -> Series:
    created = None if sample.kind.is_set else sample.timestamp
    return Series(sample.labels, sample.value, created, sample.exemplars)


def _added(row: Series, sample: MetricSample) -> Series:
    exemplars = (*row.exemplars, *sample.exemplars)
    match row.value, sample.value:
        case HistogramValue() as total, HistogramValue() as more:
            return replace(row, value=total + more, exemplars=exemplars)
        case int() | float() as total, int() | float() as more if sample.kind is MetricKind.COUNTER:
            return replace(row, value=add_increment(total, more), exemplars=exemplars)
    return replace(row, value=sample.value, exemplars=exemplars)
