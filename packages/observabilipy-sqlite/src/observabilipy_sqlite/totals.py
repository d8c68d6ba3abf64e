"""Totals in SQL: how samples are added, and how families are read. Each function works inside a transaction."""

import dataclasses
import json
import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    Matcher,
    MetricKind,
    MetricSample,
    Series,
    from_micros,
    to_micros,
)
from observabilipy.models.totals import add_increment, combine_gauges, overflow_labels
from observabilipy.ports import CommitReport
from observabilipy_sqlite.families import definition, family_of
from observabilipy_sqlite.values import Stored, exact_or_float, from_stored, labels_text, stored

__all__ = ["NO_WORKER", "Writer", "delete_series", "read", "sweep", "visible"]

NO_WORKER = ""
"""Under this id stand the gauges of plain writes, which no process's end takes away."""

_SERIES_MAX_AGE = 30 * 86_400 * 1_000_000


@dataclass(slots=True)
class Writer:
    """Adds samples to the totals within one transaction, and counts what it could not take as it was."""

    connection: sqlite3.Connection
    now: int  # microseconds
    worker: str = NO_WORKER
    overflowed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    _families: dict[str, Family] = field(default_factory=dict)
    _within: dict[tuple[str, MetricKind], int] = field(default_factory=dict)  # series that count against the limit

    def add(self, samples: Iterable[MetricSample]) -> None:
        """Add increments and set gauges, in their order."""
        for sample in samples:
            family = self._family(sample)
            if family.kind is not sample.kind:
                self.hidden[sample.name] += 1
            series = self._series(sample, family)
            if series is None:
                self.refused[sample.name] += 1
            elif sample.kind.is_set:
                self._set(series, cast("float", sample.value))
            else:
                self._add(series, sample, family)

    def report(self) -> CommitReport:
        """What was counted."""
        return CommitReport(dict(self.overflowed), dict(self.refused), dict(self.hidden))

    def _family(self, sample: MetricSample) -> Family:
        known = self._families.get(sample.name)
        if known is None or (known.kind is MetricKind.HISTOGRAM and not known.bounds):
            known = self._families[sample.name] = family_of(self.connection, sample)
        return known

    def _series(self, sample: MetricSample, family: Family) -> int | None:
        """The id of the series to report to, or None for a gauge beyond the limit."""
        labels = labels_text(sample.labels)
        found = self._found(sample, labels)
        if found is not None:
            return found
        overflow = labels_text(overflow_labels(sample.labels))
        if labels == overflow or self._count(sample) < family.series_limit:
            return self._begun(sample, labels)
        if sample.kind.is_set:
            return None
        self.overflowed[sample.name] += 1
        return self._found(sample, overflow) or self._begun(sample, overflow)

    def _found(self, sample: MetricSample, labels: str) -> int | None:
        found = self.connection.execute(
            "UPDATE series SET reported = ? WHERE name = ? AND kind = ? AND labels = ? AND ended IS NULL RETURNING id",
            (self.now, sample.name, sample.kind.value, labels),
        ).fetchone()
        return None if found is None else int(found[0])

    def _begun(self, sample: MetricSample, labels: str) -> int:
        overflow = labels == labels_text(overflow_labels(sample.labels))
        (series,) = self.connection.execute(
            "INSERT INTO series (name, kind, labels, overflow, created, reported) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET created = excluded.created, reported = excluded.reported, ended = NULL"
            " RETURNING id",
            (sample.name, sample.kind.value, labels, overflow, self.now, self.now),
        ).fetchone()
        if not overflow:
            self._within[sample.name, sample.kind] += 1  # they were counted before
        return int(series)

    def _count(self, sample: MetricSample) -> int:
        # Counted by SQL once: for each of 20,000 new series it held the write lock for 40 seconds.
        known = self._within.get((sample.name, sample.kind))
        if known is None:
            (known,) = self.connection.execute(
                "SELECT count(*) FROM series WHERE name = ? AND kind = ? AND ended IS NULL AND NOT overflow",
                (sample.name, sample.kind.value),
            ).fetchone()
            self._within[sample.name, sample.kind] = known
        return known

    def _set(self, series: int, value: float) -> None:
        # Both, whatever the aggregate: a newer definition may choose another one.
        self._store(series, value)
        self.connection.execute(
            "INSERT INTO gauge (series, worker, value) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET value = excluded.value",
            (series, self.worker, stored(value)),
        )

    def _add(self, series: int, sample: MetricSample, family: Family) -> None:
        (old,) = self.connection.execute("SELECT value FROM total WHERE series = ?", (series,)).fetchone() or (0,)
        total, increment, bounds = from_stored(old), sample.value, family.bounds
        if isinstance(increment, HistogramValue):
            if family.kind is not MetricKind.HISTOGRAM:  # hidden, so that no bounds are defined now
                bounds = total.bounds if isinstance(total, HistogramValue) else increment.bounds
            value = dataclasses.replace(increment, sum=exact_or_float(increment.sum)).under(bounds)
            self._store(series, total.under(bounds) + value if isinstance(total, HistogramValue) else value)
        else:
            # Not added by SQL: there a sum of integers beyond 2**63 is rounded in silence.
            self._store(series, add_increment(cast("float", total), exact_or_float(increment)))
        for exemplar in sample.exemplars:
            self._exemplify(series, bisect_left(bounds, exemplar.value), exemplar)

    def _exemplify(self, series: int, bucket: int, exemplar: Exemplar) -> None:
        moment = None if exemplar.timestamp is None else to_micros(exemplar.timestamp)
        self.connection.execute(
            "INSERT OR REPLACE INTO exemplar (series, bucket, labels, value, timestamp) VALUES (?, ?, ?, ?, ?)",
            (series, bucket, labels_text(exemplar.labels), stored(exemplar.value), moment),
        )

    def _store(self, series: int, value: float | HistogramValue) -> None:
        self.connection.execute(
            "INSERT INTO total (series, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (series, stored(value)),
        )


def read(connection: sqlite3.Connection, now: int, names: Iterable[str]) -> list[Family]:
    """Families of these names that have series, in order; ``now`` (microseconds) decides which workers live."""
    families = (definition(connection, name) for name in sorted(set(names)))
    filled = (_filled(connection, family, now) for family in families if family is not None)
    return [family for family in filled if family.series]


def visible(
    connection: sqlite3.Connection, family: Family, now: int
) -> list[tuple[int, str, int, float | HistogramValue]]:
    """The series of a family that have a value now: id, labels as JSON, created in microseconds, value."""
    if family.aggregate == "last":
        return [
            (series, labels, created, _shown(family, value))
            for series, labels, created, value in connection.execute(
                "SELECT id, labels, created, value FROM series JOIN total ON series = id"
                " WHERE name = ? AND kind = ? AND ended IS NULL ORDER BY labels",
                (family.name, family.kind.value),
            )
        ]
    return _combined(connection, family, now)


def delete_series(
    connection: sqlite3.Connection, matchers: Sequence[Matcher], idle_since: float | None, now: int
) -> int:
    """End the series that match, and forget their totals. Gives how many."""
    ids = [
        (series,)
        for series, name, labels in connection.execute(
            "SELECT id, name, labels FROM series WHERE ended IS NULL AND reported < ?",
            (2**63 - 1 if idle_since is None else to_micros(idle_since),),
        )
        if all(matcher.accepts(name, json.loads(labels)) for matcher in matchers)
    ]
    _end(connection, ids, now)
    return len(ids)


def sweep(connection: sqlite3.Connection, now: int) -> None:
    """End series that were idle for long, and gauges over living workers of which none is left.

    A gauge that a known worker stands for is not idle: it is reported when it changes.
    """
    ids = connection.execute(
        "SELECT series.id FROM series JOIN family USING (name) WHERE ended IS NULL AND ("
        " reported < ? AND NOT EXISTS (SELECT 1 FROM gauge WHERE series = series.id AND worker <> '')"
        " OR aggregate <> 'last' AND series.kind IN ('gauge', 'info')"
        " AND NOT EXISTS (SELECT 1 FROM gauge WHERE series = series.id))",
        (now - _SERIES_MAX_AGE,),
    ).fetchall()
    _end(connection, ids, now)


def _end(connection: sqlite3.Connection, ids: list[tuple[int]], now: int) -> None:
    for table in ("total", "gauge", "exemplar"):
        connection.executemany(f"DELETE FROM {table} WHERE series = ?", ids)  # noqa: S608 - names from the line above
    connection.executemany("UPDATE series SET ended = ? WHERE id = ?", [(now, series) for (series,) in ids])


def _combined(
    connection: sqlite3.Connection, family: Family, now: int
) -> list[tuple[int, str, int, float | HistogramValue]]:
    """Gauges over the living workers; a series of which none lives has no value."""
    about: dict[int, tuple[str, int]] = {}
    values: dict[int, list[float]] = {}
    for series, labels, created, value in connection.execute(
        "SELECT series.id, labels, created, value FROM series JOIN gauge ON series = series.id"
        " WHERE name = ? AND kind = ? AND ended IS NULL AND"
        " (worker = '' OR EXISTS (SELECT 1 FROM worker AS w WHERE w.id = gauge.worker AND expires > ?))"
        " ORDER BY labels",
        (family.name, family.kind.value, now),
    ):
        about[series] = labels, created
        values.setdefault(series, []).append(cast("float", from_stored(value)))
    return [
        (series, *about[series], exact_or_float(combine_gauges(family.aggregate, values[series]))) for series in about
    ]


def _filled(connection: sqlite3.Connection, family: Family, now: int) -> Family:
    exemplars = _exemplars(connection, family)
    series = tuple(
        Series(json.loads(labels), value, from_micros(created), exemplars.get(series, ()))
        for series, labels, created, value in visible(connection, family, now)
    )
    return dataclasses.replace(family, series=series)


def _exemplars(connection: sqlite3.Connection, family: Family) -> dict[int, tuple[Exemplar, ...]]:
    """By series, the newest of each bucket, lowest first: newer bounds may put several into one bucket."""
    buckets: dict[int, dict[int, Exemplar]] = {}
    for series, labels, value, micros in connection.execute(
        "SELECT series, exemplar.labels, value, timestamp FROM series JOIN exemplar ON series = id"
        " WHERE name = ? AND kind = ? AND ended IS NULL ORDER BY timestamp, bucket",
        (family.name, family.kind.value),
    ):
        number = cast("float", from_stored(value))
        exemplar = Exemplar(json.loads(labels), number, None if micros is None else from_micros(micros))
        buckets.setdefault(series, {})[bisect_left(family.bounds, number)] = exemplar
    return {series: tuple(found[bucket] for bucket in sorted(found)) for series, found in buckets.items()}


def _shown(family: Family, value: Stored) -> float | HistogramValue:
    found = from_stored(value)
    return found.under(family.bounds) if isinstance(found, HistogramValue) else found
