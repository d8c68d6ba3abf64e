"""Where to read in the log: a stretch at a time, so that each transaction is short, and what it gives is small."""

import sqlite3
from dataclasses import dataclass
from typing import TypeAlias

from observabilipy.models import LogQuery, parse_cursor, resume
from observabilipy_sqlite.conditions import condition, within_time
from observabilipy_sqlite.logs import ends, generation

__all__ = ["Selection", "Span", "Stretch", "ahead", "begin", "count", "go_on", "rest", "selection", "stretch"]

Selection: TypeAlias = tuple[str, list[object]]
"""A SELECT, and its parameters."""

_POSITIONS = 20_000  # looked at in one transaction where few rows match; 2 to 8 ms
_INDEX_ROWS = 100_000  # looked at in the index over time, to leave out what lies before and after; 5 to 10 ms


@dataclass(frozen=True, slots=True)
class Span:
    """Positions still to be read: ``low`` up to but not including ``high``."""

    generation: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Positions to be read next, with so many rows that SQL says match."""

    low: int
    high: int
    rows: int


def begin(connection: sqlite3.Connection, query: LogQuery) -> Span:
    """Where the query begins and ends, as things are now: entries that come later are not read."""
    known = ends(connection)
    low, high = known.oldest, known.upcoming
    if query.after is not None:
        after = parse_cursor(query.after)
        low, _ = resume(after, generation=known.generation, oldest=known.oldest, upcoming=known.upcoming)
    if query.before is not None:
        before = parse_cursor(query.before)
        high = min(high, before.position) if before.generation == known.generation else low
    if high - low > _POSITIONS and (query.since is not None or query.until is not None):
        low, high = _within_time(connection, query, low, high)
    return Span(known.generation, low, max(low, high))


def go_on(connection: sqlite3.Connection, todo: Span) -> Span:
    """What is still to be read; nothing in another file that has taken the place of the first one."""
    return todo if generation(connection) == todo.generation else Span(todo.generation, todo.low, todo.low)


def _within_time(connection: sqlite3.Connection, query: LogQuery, low: int, high: int) -> tuple[int, int]:
    """The same positions, without those before and after the time, unless that takes long to find out."""
    where, parameters = within_time(query)
    seen, first, last = connection.execute(
        "SELECT count(*), min(position), max(position)"  # noqa: S608 - our own text
        f" FROM (SELECT position FROM log WHERE {where} LIMIT {_INDEX_ROWS})",
        parameters,
    ).fetchone()
    if seen == _INDEX_ROWS:
        return low, high
    return (max(low, first), min(high, last + 1)) if seen else (low, low)


def ahead(connection: sqlite3.Connection, query: LogQuery, todo: Span) -> Stretch:
    """The positions to look at next, beyond what was deleted; all of them when nothing is left there."""
    down = query.order == "desc"
    (start,) = connection.execute(
        f"SELECT {'max' if down else 'min'}(position) FROM log WHERE position >= ? AND position < ?",  # noqa: S608
        (todo.low, todo.high),
    ).fetchone()
    if start is None:
        return Stretch(todo.low, todo.high, 0)
    if down:
        return Stretch(max(todo.low, start - _POSITIONS + 1), start + 1, _POSITIONS)
    return Stretch(start, min(todo.high, start + _POSITIONS), _POSITIONS)


def stretch(connection: sqlite3.Connection, query: LogQuery, todo: Span, *, most_rows: int, most_bytes: int) -> Stretch:
    """What to read next: at most so many rows, and so many bytes of text or one row or somewhat more."""
    near = ahead(connection, query, todo)
    rows = min(near.rows, most_rows)
    down = query.order == "desc"
    while rows > 0:
        select, parameters = selection(query, Stretch(near.low, near.high, rows), "position, bytes")
        seen, last, size = connection.execute(
            f"SELECT count(*), {'min' if down else 'max'}(position), sum(bytes) FROM ({select})",  # noqa: S608
            parameters,
        ).fetchone()
        if seen > 1 and size > 2 * most_bytes:
            rows = max(1, seen * most_bytes // size)
        elif seen < rows:
            return Stretch(near.low, near.high, seen)
        else:
            return Stretch(last, near.high, seen) if down else Stretch(near.low, last + 1, seen)
    return near


def rest(query: LogQuery, todo: Span, done: Stretch) -> Span:
    """What is left after a stretch."""
    if query.order == "desc":
        return Span(todo.generation, todo.low, done.low)
    return Span(todo.generation, done.high, todo.high)


def selection(query: LogQuery, wanted: Stretch, columns: str) -> Selection:
    """The rows of a stretch that SQL says match, in the query's order."""
    where, parameters = condition(query)
    return (
        # NOT INDEXED: the rowid alone gives the order without sorting.
        f"SELECT {columns} FROM log NOT INDEXED WHERE position >= ? AND position < ? AND {where}"  # noqa: S608
        f" ORDER BY position {'DESC' if query.order == 'desc' else 'ASC'} LIMIT ?",
        [wanted.low, wanted.high, *parameters, wanted.rows],
    )


def count(connection: sqlite3.Connection, query: LogQuery, near: Stretch) -> int:
    """How many rows of a stretch SQL says match."""
    where, parameters = condition(query)
    (matched,) = connection.execute(
        f"SELECT count(*) FROM log NOT INDEXED WHERE position >= ? AND position < ? AND {where}",  # noqa: S608
        (near.low, near.high, *parameters),
    ).fetchone()
    return int(matched)
