"""Definitions of families in SQL. Each function works inside a transaction."""

import dataclasses
import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache

from observabilipy.models import DEFAULT_SERIES_LIMIT, Aggregate, Family, HistogramValue, MetricKind, MetricSample
from observabilipy.models.totals import placeholder_help
from observabilipy_sqlite.bulk import write_rows

__all__ = ["definition", "definitions", "definitions_of", "family_of", "register"]

_DEFINITIONS = "SELECT name, kind, help, unit, aggregate, bounds, series_limit FROM family"


def register(connection: sqlite3.Connection, families: Sequence[Family]) -> list[str]:
    """Define families; the newest definition of a name replaces the older one. Gives those that hide an older kind.

    A histogram that is defined without bounds keeps those it has. Stored counts move to new bounds when they are read.
    """
    known = definitions_of(connection, {family.name for family in families})
    newest = {family.name: family for family in families}
    write_rows(
        connection,
        "INSERT INTO family (name, kind, help, unit, aggregate, bounds, series_limit) VALUES {rows}"
        " ON CONFLICT DO UPDATE SET help = excluded.help,"
        " unit = excluded.unit, aggregate = excluded.aggregate, series_limit = excluded.series_limit,"
        " bounds = iif(excluded.bounds = '[]' AND excluded.kind = kind, bounds, excluded.bounds), kind = excluded.kind",
        [
            (
                family.name,
                family.kind.value,
                family.help,
                family.unit,
                family.aggregate,
                json.dumps(family.bounds),
                family.series_limit,
            )
            for family in families
        ],
    )
    return [name for name, family in newest.items() if name in known and known[name].kind is not family.kind]


def definition(connection: sqlite3.Connection, name: str) -> Family | None:
    """The family of this name, without series."""
    found = connection.execute(f"{_DEFINITIONS} WHERE name = ?", (name,)).fetchone()
    return None if found is None else _defined(found)


def definitions_of(connection: sqlite3.Connection, names: Iterable[str]) -> dict[str, Family]:
    """The families of these names that are defined, without series, by one statement (see ``bulk``)."""
    (found,) = connection.execute(
        "SELECT json_group_array(json_array(name, kind, help, unit, aggregate, bounds, series_limit))"
        " FROM family WHERE name IN (SELECT value FROM json_each(?))",
        (json.dumps([*names], ensure_ascii=False),),
    ).fetchone()
    families = (_defined(tuple(row)) for row in json.loads(found))
    return {family.name: family for family in families if family is not None}


def definitions(connection: sqlite3.Connection) -> list[Family]:
    """All families, without series, in the order of their names."""
    found = map(_defined, connection.execute(f"{_DEFINITIONS} ORDER BY name"))
    return [family for family in found if family is not None]


@lru_cache(maxsize=4_096)  # they are the same in nearly every flush
def _defined(row: tuple[str, str, str, str, Aggregate, str, int]) -> Family | None:
    """The family of a row; None where damage left none: the next report defines it anew."""
    name, kind, text, unit, aggregate, bounds, limit = row
    try:
        return Family(
            name,
            MetricKind(kind),
            text,
            unit,
            aggregate=aggregate,
            bounds=tuple(json.loads(bounds)),
            series_limit=limit,
        )
    except (ValueError, TypeError):
        return None


def family_of(connection: sqlite3.Connection, sample: MetricSample) -> Family:
    """The family that a sample reports to. A bare sample defines what nobody else has defined."""
    found = definition(connection, sample.name)
    bounds = sample.value.bounds if isinstance(sample.value, HistogramValue) else ()
    if found is None:
        found = Family(
            sample.name,
            sample.kind,
            placeholder_help(sample.name),
            bounds=bounds,
            series_limit=DEFAULT_SERIES_LIMIT,
        )
        register(connection, [found])
    elif bounds and not found.bounds and found.kind is MetricKind.HISTOGRAM:
        register(connection, [_with_bounds(found, bounds)])
        found = _with_bounds(found, bounds)
    return found


def _with_bounds(family: Family, bounds: tuple[float, ...]) -> Family:
    return dataclasses.replace(family, bounds=bounds)
