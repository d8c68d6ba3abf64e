"""How samples are added to the totals, within one transaction, and by few statements however many samples there are."""

import dataclasses
import json
import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, itemgetter
from typing import Any, TypeAlias, cast

from observabilipy.models import Family, HistogramValue, MetricKind, MetricSample, to_micros
from observabilipy.models.number import is_number
from observabilipy.models.totals import add_increment, overflow_labels
from observabilipy.ports import CommitReport
from observabilipy_sqlite.bulk import write_rows
from observabilipy_sqlite.families import definitions_of, family_of
from observabilipy_sqlite.values import Stored, exact_or_float, from_plain, labels_text, stored, to_plain

__all__ = ["NO_WORKER", "Known", "Writer"]

NO_WORKER = ""
"""Under this id stand the gauges of plain writes, which no process's end takes away."""

_Key: TypeAlias = tuple[Any, ...]
Known: TypeAlias = dict[_Key, int]
"""Ids of series by names, kinds and labels as samples have them: true of one file while a connection is on it."""

_Identity: TypeAlias = tuple[str, str, str]  # name, kind, labels as they are stored
_Ids: TypeAlias = dict[_Identity, int]

_MOST_KNOWN = 50_000  # about 300 bytes each
_SMALL = 2**62
_FIRST = itemgetter(0)

# By SQL whole numbers stay whole, as in ``add_increment``: beyond 2**63 a sum is a float in both.
_SUM = "value + excluded.value"
_ADD = (
    "INSERT INTO total (reported, series, value) SELECT ?, column1, column2"  # noqa: S608 - our own text
    " FROM (VALUES {rows}) WHERE true"
    " ON CONFLICT DO UPDATE SET reported = excluded.reported, value = CASE"
    f" WHEN typeof({_SUM}) = 'real' AND abs({_SUM}) < 9007199254740992.0 AND {_SUM} = CAST({_SUM} AS INTEGER)"
    f" THEN CAST({_SUM} AS INTEGER) ELSE {_SUM} END"
)
_SET = (
    "INSERT INTO total (reported, series, value) SELECT ?, column1, column2 FROM (VALUES {rows}) WHERE true"
    " ON CONFLICT DO UPDATE SET reported = excluded.reported, value = excluded.value"
)
_GAUGE = (
    "INSERT INTO gauge (worker, series, value) SELECT ?, column1, column2 FROM (VALUES {rows}) WHERE true"
    " ON CONFLICT DO UPDATE SET value = excluded.value"
)
_EXEMPLAR = "INSERT OR REPLACE INTO exemplar (series, bucket, labels, value, timestamp) VALUES {rows}"
_BEGIN = (
    "INSERT INTO series (created, name, kind, labels, overflow) SELECT ?, column1, column2, column3, column4"
    " FROM (VALUES {rows}) WHERE true ON CONFLICT DO UPDATE SET created = excluded.created, ended = NULL"
)
# One row for many answers, for the same reason as in ``bulk``.
_FIND = """
SELECT json_group_array(json_array(wanted.key, series.id)) FROM json_each(?) AS wanted CROSS JOIN series
WHERE name = json_extract(wanted.value, '$[0]') AND kind = json_extract(wanted.value, '$[1]')
AND labels = json_extract(wanted.value, '$[2]') AND ended IS NULL
"""
_COUNT = """
SELECT json_group_array((
    SELECT count(*) FROM series WHERE name = json_extract(wanted.value, '$[0]')
    AND kind = json_extract(wanted.value, '$[1]') AND ended IS NULL AND NOT overflow
)) FROM json_each(?) AS wanted
"""
_ALIVE = "SELECT json_array(count(*)) FROM total WHERE series IN (SELECT value FROM json_each(?))"
_HISTOGRAMS = """
SELECT json_group_array(json_array(series, value)) FROM total
WHERE series IN (SELECT value FROM json_each(?)) AND typeof(value) = 'text'
"""


@dataclass(slots=True)
class Writer:
    """Adds samples to the totals within one transaction, and counts what it could not take as it was.

    What it finds out about series is true once the transaction is committed: ``learn`` is for afterwards.
    """

    connection: sqlite3.Connection
    now: int  # microseconds
    worker: str = NO_WORKER
    known: Known = field(default_factory=dict)
    overflowed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    _families: dict[str, Family] = field(default_factory=dict)
    _learned: Known = field(default_factory=dict)
    _over: dict[_Key, _Identity] = field(default_factory=dict)  # what the overflow series take

    def add(self, samples: Sequence[MetricSample]) -> None:
        """Add increments and set gauges, in their order."""
        self._see(samples)
        increments: list[tuple[int, Stored]] = []
        values: dict[int, Stored] = {}
        observations: dict[int, list[MetricSample]] = {}
        exemplars: list[tuple[object, ...]] = []
        for sample, series in zip(samples, self._ids(samples), strict=True):
            kind, value = sample.kind, sample.value
            if series is None:
                self.refused[sample.name] += 1
            elif isinstance(value, HistogramValue):
                observations.setdefault(series, []).append(sample)
            elif kind is MetricKind.COUNTER:
                is_small = type(value) is int and value < _SMALL  # nearly always
                increments.append((series, value if is_small else add_increment(0, exact_or_float(value))))
                if sample.exemplars:
                    exemplars += _exemplar_rows(series, (), sample)
            else:
                values[series] = stored(value)
        increments.sort(key=_FIRST)  # neighbours share a page
        write_rows(self.connection, _ADD, increments, self.now)
        # Both, whatever the aggregate: a newer definition may choose another one.
        write_rows(self.connection, _SET, [*values.items()], self.now)
        write_rows(self.connection, _GAUGE, [*values.items()], self.worker)
        if observations:
            exemplars += self._observe(observations)
        write_rows(self.connection, _EXEMPLAR, exemplars)

    def learn(self) -> None:
        """Remember the ids of the series, now that they are in the file for good."""
        if len(self.known) + len(self._learned) > _MOST_KNOWN:
            self.known.clear()
        self.known.update(self._learned)

    def report(self) -> CommitReport:
        """What was counted."""
        return CommitReport(dict(self.overflowed), dict(self.refused), dict(self.hidden))

    def _see(self, samples: Sequence[MetricSample]) -> None:
        """Look at the families of the samples. A bare sample defines what nobody else has defined."""
        first: dict[tuple[str, MetricKind], MetricSample] = {}
        for sample in samples:
            first.setdefault((sample.name, sample.kind), sample)
        self._families |= definitions_of(self.connection, {name for name, _ in first})
        for (name, _), sample in first.items():
            family = self._families.get(name)
            if family is None or (family.kind is MetricKind.HISTOGRAM and not family.bounds):
                self._families[name] = family_of(self.connection, sample)
        hidden = {(name, kind) for name, kind in first if self._families[name].kind is not kind}
        if hidden:
            self.hidden.update(sample.name for sample in samples if (sample.name, sample.kind) in hidden)

    def _ids(self, samples: Sequence[MetricSample]) -> list[int | None]:
        """The ids of the series to report to; None for a gauge beyond the limit."""
        keys = [(sample.name, sample.kind, *sample.labels, *sample.labels.values()) for sample in samples]
        ids: list[int | None] = [*map(self.known.get, keys)]
        living = {series for series in ids if series is not None}
        if living and self._ask(_ALIVE, [*living]) != [len(living)]:
            self.known.clear()  # somebody has ended one of them
            ids = [None] * len(keys)
        new = {key: sample for key, sample, series in zip(keys, samples, ids, strict=True) if series is None}
        if new:
            found = self._found(new)
            ids = [found.get(key) if series is None else series for key, series in zip(keys, ids, strict=True)]
            self.overflowed.update(key[0] for key in keys if key in self._over)
        return ids

    def _found(self, new: Mapping[_Key, MetricSample]) -> dict[_Key, int]:
        """The ids of series that are not known yet, of those that begin now, and of the overflow series."""
        identities = {key: (sample.name, sample.kind.value, labels_text(sample.labels)) for key, sample in new.items()}
        ids = self._find(identities.values())
        absent = {key: sample for key, sample in new.items() if identities[key] not in ids}
        if absent:
            ids |= self._begun(absent, identities)
        found = {key: ids[identity] for key, identity in identities.items() if identity in ids}
        self._learned |= found
        return found | {key: ids[identity] for key, identity in self._over.items()}

    def _begun(self, absent: Mapping[_Key, MetricSample], identities: Mapping[_Key, _Identity]) -> _Ids:
        """The ids of new series, and of the overflow series for what is beyond the limit of its family."""
        counted = {identities[key][:2]: 0 for key in absent}
        within = dict(zip(counted, self._ask(_COUNT, [*counted]), strict=True))
        begun: dict[_Identity, bool] = {}  # and whether it is an overflow series
        for key, sample in absent.items():
            name, kind, labels = identity = identities[key]
            overflow = labels_text(overflow_labels(sample.labels))
            if labels == overflow:
                begun[identity] = True
            elif identity not in begun and within[name, kind] < self._families[name].series_limit:
                begun[identity] = False
                within[name, kind] += 1
            elif identity not in begun and not sample.kind.is_set:
                self._over[key] = name, kind, overflow
        ids = self._find(self._over.values()) if self._over else {}
        begun |= {identity: True for identity in self._over.values() if identity not in ids}
        rows = [(*identity, overflow) for identity, overflow in begun.items()]
        write_rows(self.connection, _BEGIN, rows, self.now)
        return ids | self._find(begun)

    def _find(self, identities: Iterable[_Identity]) -> _Ids:
        wanted = [*identities]
        return {wanted[place]: series for place, series in self._ask(_FIND, wanted)}

    def _observe(self, observations: Mapping[int, Sequence[MetricSample]]) -> list[tuple[object, ...]]:
        """Add to histograms, and give the rows of the exemplars."""
        totals = dict(self._ask(_HISTOGRAMS, [*observations]))
        rows = []
        exemplars: list[tuple[object, ...]] = []
        for series, samples in observations.items():
            total = json.loads(totals[series]) if series in totals else None
            family = self._families[samples[0].name]
            bounds = family.bounds
            if family.kind is not MetricKind.HISTOGRAM:  # hidden, so that no bounds are defined now
                bounds = tuple(total[0]) if total else cast("HistogramValue", samples[0].value).bounds
            for sample in samples:
                total = _together(total, cast("HistogramValue", sample.value), bounds)
                exemplars += _exemplar_rows(series, bounds, sample)
            rows.append((series, json.dumps(total)))
        write_rows(self.connection, _SET, rows, self.now)
        return exemplars

    def _ask(self, statement: str, parameter: object) -> Any:
        """The JSON that a statement gives for a parameter as JSON."""
        (found,) = self.connection.execute(statement, (json.dumps(parameter, ensure_ascii=False),)).fetchone()
        return json.loads(found)


def _together(total: Sequence[Any] | None, value: HistogramValue, bounds: tuple[float, ...]) -> Sequence[Any]:
    """A histogram as it is stored, or none, and another one: as it is stored, under these bounds."""
    if total is not None and tuple(total[0]) == bounds == value.bounds:
        together = total[2] + exact_or_float(value.sum)
        if is_number(together):
            return bounds, [*map(add, total[1], value.counts)], together
    found = dataclasses.replace(value, sum=exact_or_float(value.sum)).under(bounds)
    if total is not None:
        found = cast("HistogramValue", from_plain(total)).under(bounds) + found
    return cast("Sequence[Any]", to_plain(found))


def _exemplar_rows(series: int, bounds: tuple[float, ...], sample: MetricSample) -> list[tuple[object, ...]]:
    return [
        (
            series,
            bisect_left(bounds, exemplar.value),
            labels_text(exemplar.labels),
            stored(exemplar.value),
            None if exemplar.timestamp is None else to_micros(exemplar.timestamp),
        )
        for exemplar in sample.exemplars
    ]
