"""The history in SQL: one compressed frame of all totals for each time they were sampled."""

import json
import sqlite3
import zlib
from collections.abc import Iterable
from typing import TypeAlias

from observabilipy.models import MetricKind, MetricQuery, SeriesHistory, SeriesValue, from_micros, to_micros
from observabilipy_sqlite.families import definition
from observabilipy_sqlite.totals import visible
from observabilipy_sqlite.values import from_plain, to_plain

__all__ = ["Frame", "Known", "Points", "collect", "count", "delete_before", "frames", "histories", "matching_series",
           "sample", "sweep"]  # fmt: skip

Frame: TypeAlias = tuple[int, bytes]
"""When, in microseconds, and all values, compressed."""

Known: TypeAlias = dict[str, tuple[str, MetricKind, dict[str, str]]]
"""Name, kind and labels by series id, spelled as in a frame."""

Points: TypeAlias = dict[str, list[tuple[float, SeriesValue | None]]]
"""Points by series id, oldest first."""

_FRAMES_PER_PAGE = 100


def sample(connection: sqlite3.Connection, timestamp: float, now: int) -> None:
    """Append all totals as they are under this time (unix seconds)."""
    values = {}
    for (name,) in connection.execute("SELECT name FROM family").fetchall():
        family = definition(connection, name)
        if family is not None:
            values.update({series: to_plain(value) for series, _, _, value in visible(connection, family, now)})
    frame = zlib.compress(json.dumps(values, separators=(",", ":")).encode(), 1)
    connection.execute("INSERT OR REPLACE INTO history VALUES (?, ?, ?)", (to_micros(timestamp), len(values), frame))


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


def sweep(connection: sqlite3.Connection) -> None:
    """Forget series that ended before the oldest frame: nothing mentions them any more."""
    connection.execute(
        "DELETE FROM series WHERE ended < (SELECT coalesce(min(timestamp), 9223372036854775807) FROM history)"
        " AND id < (SELECT max(id) FROM series)"  # an id is never used again: snapshots remember whose it is
    )
