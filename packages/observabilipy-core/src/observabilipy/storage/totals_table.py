"""TotalsTable: definitions and totals of all families. Not safe for threads: its owner holds the lock."""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    Matcher,
    MetricKind,
    MetricSample,
    SeriesColumns,
)
from observabilipy.models.totals import overflow_labels, placeholder_help
from observabilipy.ports import CommitReport
from observabilipy.storage.family_rows import FamilyRows, LabelsKey, takes_overflow
from observabilipy.storage.series_row import SeriesRow, exact_or_float

__all__ = ["LabelsKey", "Report", "Snapshot", "TotalsTable", "definition_of", "families_of", "labels_key", "report_of"]

Report: TypeAlias = tuple[str, MetricKind, LabelsKey, float | HistogramValue, tuple[Exemplar, ...]]
"""A sample, looked at as a whole: what can fail about it has failed before the table changes."""


Snapshot: TypeAlias = list[tuple[Family, SeriesColumns, tuple[float, ...]]]
"""Definitions, columns, and the bounds that histograms have."""


def families_of(snapshot: Snapshot) -> Iterator[Family]:
    """The families of a snapshot; they need no lock any more."""
    for definition, columns, bounds in snapshot:
        yield replace(definition, series=columns, bounds=bounds if definition.kind is MetricKind.HISTOGRAM else ())


def labels_key(labels: Mapping[str, str]) -> LabelsKey:
    """The labels as a key."""
    return tuple(sorted(labels.items()))


def report_of(sample: MetricSample) -> Report:
    """What the table takes of a sample."""
    value = sample.value
    if isinstance(value, HistogramValue):
        value = replace(value, sum=exact_or_float(value.sum))
    else:
        value = exact_or_float(value)
    return sample.name, sample.kind, labels_key(sample.labels), value, sample.exemplars


def definition_of(family: Family) -> Family:
    """The family without its series."""
    return replace(family, series=())


class TotalsTable:
    """Totals by name, kind and labels. The definition of a name says which kind is shown."""

    def __init__(self) -> None:
        self._definitions: dict[str, Family] = {}
        self._bounds: dict[str, tuple[float, ...]] = {}
        self._rows: dict[tuple[str, MetricKind], FamilyRows] = {}

    def define(self, definition: Family) -> bool:
        """Take the newest definition of a name; what is stored moves under its bounds. True when it hides a kind."""
        known = self._definitions.get(definition.name)
        self._definitions[definition.name] = definition
        if definition.bounds:
            self._bounds[definition.name] = definition.bounds
            rows = self._rows.get((definition.name, MetricKind.HISTOGRAM), FamilyRows())
            for row in rows.values():
                row.rebin(definition.bounds)
                rows.settle(row)
        return known is not None and known.kind is not definition.kind

    def add(self, reports: Iterable[Report], worker_id: str, now: float) -> CommitReport:
        """Add increments and set gauges, and tell what could not be taken as it was."""
        overflowed: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        hidden: Counter[str] = Counter()
        for name, kind, key, value, exemplars in reports:
            definition = self._definition(name, kind)
            if definition.kind is not kind:
                hidden[name] += 1
            row = self._row_within_limit(definition, kind, key, now)
            if row is None and kind.is_set:
                refused[name] += 1
                continue
            if row is None:
                overflowed[name] += 1
                row = self._row(name, kind, labels_key(overflow_labels(dict(key))), now)
            row.reported = now
            if isinstance(value, HistogramValue):
                row.observe(value.under(self._bounds.setdefault(name, value.bounds)), exemplars)
            elif kind is MetricKind.COUNTER:
                row.increase(value, exemplars)
            else:
                row.set(worker_id, value)
            self._rows[name, kind].settle(row)
        return CommitReport(dict(overflowed), dict(refused), dict(hidden))

    def snapshot(self, names: Iterable[str] | None, living: Container[str]) -> Snapshot:
        """Families that have something to show, by name: copies of their columns, to be made families of later."""
        wanted = sorted(self._definitions if names is None else self._definitions.keys() & set(names))
        shown = ((self._definitions[name], self._columns(self._definitions[name], living)) for name in wanted)
        return [
            (definition, columns, self._bounds.get(definition.name, ()))
            for definition, columns in shown
            if columns is not None and len(columns)
        ]

    def delete(self, matchers: Sequence[Matcher], idle_since: float | None) -> int:
        """Delete series that match, hidden ones too, whose last report is older than that."""
        return self._drop(
            lambda name, row: (
                (idle_since is None or row.reported < idle_since)
                and all(matcher.accepts(name, row.labels) for matcher in matchers)
            )
        )

    def delete_idle(self, idle_since: float) -> int:
        """Delete series without a report for so long, sparing the gauges that a known worker stands for."""
        return self._drop(lambda _, row: row.reported < idle_since and not row.by_worker.keys() - {""})

    def keep_workers(self, living: Collection[str]) -> None:
        """Drop what other workers reported of gauges, and the series that only they stood for."""
        for (name, kind), rows in self._rows.items():
            if not kind.is_set:
                continue
            for row in rows.values():
                row.by_worker = {worker_id: value for worker_id, value in row.by_worker.items() if worker_id in living}
            if self._definitions[name].aggregate != "last":
                rows.drop([key for key, row in rows.items() if not row.by_worker])

    def _definition(self, name: str, kind: MetricKind) -> Family:
        if name not in self._definitions:
            self._definitions[name] = Family(name, kind, placeholder_help(name))
        return self._definitions[name]

    def _row_within_limit(self, definition: Family, kind: MetricKind, key: LabelsKey, now: float) -> SeriesRow | None:
        rows = self._rows.get((definition.name, kind), FamilyRows())
        if takes_overflow(key) or key in rows.within or len(rows.within) < definition.series_limit:
            return self._row(definition.name, kind, key, now)
        return None

    def _row(self, name: str, kind: MetricKind, key: LabelsKey, now: float) -> SeriesRow:
        """The series' row, made when it is not there."""
        return self._rows.setdefault((name, kind), FamilyRows()).row(key, now)

    def _columns(self, definition: Family, living: Container[str]) -> SeriesColumns | None:
        rows = self._rows.get((definition.name, definition.kind))
        if rows is None:
            return None
        return rows.gauges(definition.aggregate, living) if definition.kind.is_set else rows.columns()

    def _drop(self, doomed: Callable[[str, SeriesRow], bool]) -> int:
        gone = 0
        for (name, _), rows in self._rows.items():
            keys = [key for key, row in rows.items() if doomed(name, row)]
            rows.drop(keys)
            gone += len(keys)
        return gone
