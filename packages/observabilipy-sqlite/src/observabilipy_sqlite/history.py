"""The history in SQL: one compressed frame of all totals for each time they were sampled."""

import json
import math
import sqlite3
import zlib
from collections.abc import Iterable
from itertools import islice
from typing import TypeAlias, cast

from observabilipy.models import (
    HistogramValue,
    MetricKind,
    MetricQuery,
    SeriesHistory,
    SeriesValue,
    from_micros,
    to_micros,
)
from observabilipy_sqlite.families import definitions
from observabilipy_sqlite.snapshot import all_totals, split_ids
from observabilipy_sqlite.totals import visible
from observabilipy_sqlite.values import from_plain, to_plain

__all__ = [
    "Frame",
    "Known",
    "Points",
    "collect",
    "count",
    "delete_before",
    "frame_of",
    "frames",
    "give_up_oldest",
    "histories",
    "matching_series",
    "store",
    "sweep",
]

Frame: TypeAlias = tuple[int, bytes]
"""When, in microseconds, and all values, compressed."""

Known: TypeAlias = dict[str, tuple[str, MetricKind, dict[str, str]]]
"""Name, kind and labels by series id, spelled as in a frame."""

Points: TypeAlias = dict[str, list[tuple[float, SeriesValue | None]]]
"""Points by series id, oldest first."""

_FRAMES_PER_PAGE = 100
_PIECE = 4_000  # values written as JSON at once: two milliseconds with the interpreter's lock

# One row for a family: to get the interpreter's lock back for each of 100,000 rows took half a minute beside a busy
# thread, and while it was the write lock that was held no worker could commit.
_NOT_SHOWN = """
SELECT group_concat(id) FROM series JOIN family USING (name)
WHERE ended IS NULL AND (series.kind <> family.kind OR aggregate <> 'last') GROUP BY name
"""
_HISTOGRAMS = """
SELECT bounds, group_concat(id) FROM series JOIN family USING (name, kind)
WHERE ended IS NULL AND kind = 'histogram' GROUP BY name
"""


def frame_of(connection: sqlite3.Connection, now: int) -> tuple[int, bytes]:
    """All totals as they are, and how many. It only reads: whoever stores it need not hold others up meanwhile."""
    ids, totals = all_totals(connection)
    series = split_ids(ids)
    values: dict[str, object] = {}
    for start in range(0, len(totals), _PIECE):
        piece = totals[start : start + _PIECE]
        values.update(zip(islice(series, len(piece)), piece, strict=True))
    for (hidden,) in connection.execute(_NOT_SHOWN).fetchall():
        for one in split_ids([hidden]):
            values.pop(one, None)
    for stored_bounds, some in connection.execute(_HISTOGRAMS).fetchall():
        bounds = json.loads(stored_bounds)
        for one in split_ids([some]):
            value = values.get(one)
            if isinstance(value, list) and value[0] != bounds:
                values[one] = to_plain(cast("HistogramValue", from_plain(value)).under(tuple(bounds)))
    for family in definitions(connection):
        if family.aggregate != "last":
            values.update({str(one): to_plain(value) for one, _, _, value in visible(connection, family, now)})
    return len(values), _compressed(values)


def store(connection: sqlite3.Connection, timestamp: float, points: int, frame: bytes) -> None:
    """Append a frame under this time (unix seconds)."""
    connection.execute(
        "INSERT OR REPLACE INTO history (timestamp, points, frame) VALUES (?, ?, ?)",
        (to_micros(timestamp), points, frame),
    )


def _compressed(values: dict[str, object]) -> bytes:
    """As a JSON object, NaN for None."""
    packer = zlib.compressobj(1)
    items = iter(values.items())
    packed = [packer.compress(b"{")]
    comma = ""
    while piece := {key: math.nan if value is None else value for key, value in islice(items, _PIECE)}:
        packed.append(packer.compress(f"{comma}{json.dumps(piece, separators=(',', ':'))[1:-1]}".encode()))
        comma = ","
    return b"".join((*packed, packer.compress(b"}"), packer.flush()))


def matching_series(connection: sqlite3.Connection, query: MetricQuery) -> Known:
    """The series that a query asks for, those that ended included."""
    found = connection.execute("SELECT id, name, kind, labels FROM series WHERE name = ?", (query.name,))
    known = {str(series): (name, MetricKind(kind), json.loads(labels)) for series, name, kind, labels in found}
    return {
        series: about
        for series, about in known.items()
        if all(matcher.accepts(about[0], about[2]) for matcher in query.matchers)
    }


def frames(connection: sqlite3.Connection, query: MetricQuery, after: int | None) -> list[Frame]:
    """The next frames of the query's time after one in microseconds; empty at the end."""
    since = -(2**63) if query.since is None else to_micros(query.since)
    until = 2**63 - 1 if query.until is None else to_micros(query.until)
    return connection.execute(
        "SELECT timestamp, frame FROM history WHERE timestamp >= ? AND timestamp < ? ORDER BY timestamp LIMIT ?",
        (since if after is None else max(since, after + 1), until, _FRAMES_PER_PAGE),
    ).fetchall()


def collect(page: Iterable[Frame], known: Known, points: Points) -> None:
    """Add what frames say of the known series; the first frame without a series that was there marks its end."""
    for micros, frame in page:
        values = json.loads(zlib.decompress(frame))
        moment = from_micros(micros)
        for series in known:
            if series in values:
                points.setdefault(series, []).append((moment, from_plain(values[series])))
            elif series in points and points[series][-1][1] is not None:
                points[series].append((moment, None))


def histories(known: Known, points: Points) -> list[SeriesHistory]:
    """Each series that has points."""
    return [SeriesHistory(*known[series], points=tuple(points[series])) for series in known if series in points]


def count(connection: sqlite3.Connection) -> int:
    """How many points there are."""
    (points,) = connection.execute("SELECT coalesce(sum(points), 0) FROM history").fetchone()
    return int(points)


def delete_before(connection: sqlite3.Connection, timestamp: float) -> int:
    """Delete frames older than unix seconds. Gives how many points went."""
    gone = connection.execute(
        "DELETE FROM history WHERE timestamp < ? RETURNING points", (to_micros(timestamp),)
    ).fetchall()
    return sum(points for (points,) in gone)


def give_up_oldest(connection: sqlite3.Connection) -> int:
    """Delete the oldest frame. Gives how many points went; 0 when there is none."""
    oldest = connection.execute(
        "DELETE FROM history WHERE timestamp = (SELECT min(timestamp) FROM history) RETURNING points"
    ).fetchall()
    return sum(max(1, points) for (points,) in oldest)


def sweep(connection: sqlite3.Connection) -> None:
    """Forget series that ended before the oldest frame: nothing mentions them any more."""
    connection.execute(
        "DELETE FROM series WHERE ended < (SELECT coalesce(min(timestamp), 9223372036854775807) FROM history)"
        " AND id < (SELECT max(id) FROM series)"  # an id is never used again: snapshots remember whose it is
    )
