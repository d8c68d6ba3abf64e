"""Sampling: all totals as they are now, for the history."""

import json
import math
import sqlite3
from collections.abc import Iterator
from typing import cast

from observabilipy.models import HistogramValue
from observabilipy_sqlite.families import definitions
from observabilipy_sqlite.frames import Frame, frame_of
from observabilipy_sqlite.snapshot import all_totals, split_ids
from observabilipy_sqlite.totals import visible
from observabilipy_sqlite.values import Plain, from_plain, to_plain

__all__ = ["sample"]

# One row for a family: to get the interpreter's lock back for each of 100,000 rows took half a minute beside a busy
# thread, and while it was the write lock that was held no worker could commit.
_NOT_SHOWN = """
SELECT group_concat(id) FROM series JOIN family USING (name)
WHERE ended IS NULL AND (series.kind <> family.kind OR aggregate <> 'last') GROUP BY name
"""
_BOUNDS = """
SELECT bounds, group_concat(id) FROM series JOIN family USING (name, kind)
WHERE ended IS NULL AND kind = 'histogram' GROUP BY name
"""


def sample(connection: sqlite3.Connection, timestamp: int, now: int) -> Frame:
    """All totals as they are. It only reads: whoever stores it need not hold others up meanwhile.

    Args:
        connection: in a transaction.
        timestamp: microseconds, under which they are to be kept.
        now: microseconds, which decides which workers live.
    """
    return frame_of(timestamp, _values(connection, now))


def _values(connection: sqlite3.Connection, now: int) -> Iterator[tuple[int, Plain]]:
    ids, totals = all_totals(connection)
    hidden: set[str] = set()
    for (some,) in connection.execute(_NOT_SHOWN).fetchall():
        hidden.update(split_ids([some]))
    bounds_of: dict[str, list[float]] = {}
    for stored_bounds, some in connection.execute(_BOUNDS).fetchall():
        bounds_of.update(dict.fromkeys(split_ids([some]), json.loads(stored_bounds)))
    for series, value in zip(split_ids(ids), totals, strict=True):
        if series in hidden:
            continue
        if value is None:
            yield int(series), math.nan
        elif isinstance(value, int | float) or (bounds := bounds_of.get(series)) is None or value[0] == bounds:
            yield int(series), value
        else:
            yield int(series), to_plain(cast("HistogramValue", from_plain(value)).under(tuple(bounds)))
    for family in definitions(connection):
        if family.aggregate != "last":
            for number, _, _, shown in visible(connection, family, now):
                yield number, to_plain(shown)
