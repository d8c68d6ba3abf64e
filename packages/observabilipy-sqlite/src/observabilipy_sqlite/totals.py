"""Totals in SQL: how families are read, and how series end. Each function works inside a transaction."""

import dataclasses
import json
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import cast

from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    Matcher,
    Series,
    from_micros,
    to_micros,
)
from observabilipy.models.totals import combine_gauges
from observabilipy_sqlite.families import definition
from observabilipy_sqlite.values import Stored, exact_or_float, from_stored

__all__ = ["delete_series", "end_idle", "forget", "forgettable", "idle", "read", "visible"]

_SERIES_MAX_AGE = 30 * 86_400 * 1_000_000


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
            "SELECT id, name, labels FROM series JOIN total ON series = id WHERE ended IS NULL AND reported < ?",
            (2**63 - 1 if idle_since is None else to_micros(idle_since),),
        )
        if all(matcher.accepts(name, json.loads(labels)) for matcher in matchers)
    ]
    _end(connection, ids, now)
    return len(ids)


def idle(connection: sqlite3.Connection, now: int) -> list[int]:
    """Series that were idle for long, and gauges over living workers of which none is left; ``now`` in microseconds.

    A gauge that a known worker stands for is not idle: it is reported when it changes.
    """
    return [series for (series,) in connection.execute(_IDLE, (now - _SERIES_MAX_AGE,))]


def end_idle(connection: sqlite3.Connection, some: Sequence[int], idle_at: int, now: int) -> None:
    """End those of some series that were idle at the one moment, at the other one (microseconds)."""
    among = f"{_IDLE} AND series.id IN (SELECT value FROM json_each(?))"  # noqa: S608 - a constant
    _end(connection, connection.execute(among, (idle_at - _SERIES_MAX_AGE, json.dumps(some))).fetchall(), now)


def forgettable(connection: sqlite3.Connection) -> list[int]:
    """Some of the series that ended before the oldest point: nothing mentions them any more."""
    return [series for (series,) in connection.execute(f"SELECT id FROM series WHERE {_UNMENTIONED} LIMIT 10000")]  # noqa: S608 - a constant


def forget(connection: sqlite3.Connection, some: Sequence[int]) -> None:
    """Forget those of some series that ended before the oldest point."""
    connection.execute(
        f"DELETE FROM series WHERE id IN (SELECT value FROM json_each(?)) AND {_UNMENTIONED}",  # noqa: S608 - a constant
        (json.dumps(some),),
    )


_IDLE = (
    "SELECT series.id FROM series JOIN family USING (name) LEFT JOIN total ON series = id WHERE ended IS NULL AND ("
    " coalesce(reported, 0) < ? AND NOT EXISTS (SELECT 1 FROM gauge WHERE series = series.id AND worker <> '')"
    " OR aggregate <> 'last' AND series.kind IN ('gauge', 'info')"
    " AND NOT EXISTS (SELECT 1 FROM gauge WHERE series = series.id))"
)
_UNMENTIONED = (
    "ended < min("
    " (SELECT coalesce(min(timestamp), 9223372036854775807) FROM frame),"
    " (SELECT coalesce(min(max(oldest, since)), 9223372036854775807) FROM stretch WHERE state < 2))"
    " AND id < (SELECT max(id) FROM series)"  # an id is never used again: snapshots remember whose it is
)


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
