"""Reading the log page by page: each page is one short transaction, and none is open while a reader thinks."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from observabilipy.models import (
    RANKS,
    Cursor,
    LogEntry,
    LogQuery,
    from_micros,
    level_rank,
    parse_cursor,
    resume,
    to_micros,
)
from observabilipy_sqlite.logs import ends

__all__ = ["Span", "StoredRow", "count_whole", "entries_of", "matching", "page", "page_limit", "span"]

StoredRow: TypeAlias = tuple[int, int, str, str, str]
"""Position, timestamp in microseconds, level, message, attributes as JSON text."""

_PAGE_ROWS = 1_000
_PAGE_POSITIONS = 20_000  # where few rows match, a page ends here: looking at each must stay a short transaction


@dataclass(frozen=True, slots=True)
class Span:
    """Positions still to be read: ``low`` up to but not including ``high``."""

    generation: str
    low: int
    high: int


def span(connection: sqlite3.Connection, query: LogQuery) -> Span:
    """Where the query begins and ends, as things are now: entries that come later are not read."""
    known = ends(connection)
    low, high = known.oldest, known.upcoming
    if query.after is not None:
        after = parse_cursor(query.after)
        low, _ = resume(after, generation=known.generation, oldest=known.oldest, upcoming=known.upcoming)
    if query.before is not None:
        before = parse_cursor(query.before)
        high = min(high, before.position) if before.generation == known.generation else low
    if query.since is not None or query.until is not None:
        condition, parameters = _within(query)
        first, last = connection.execute(
            f"SELECT min(position), max(position) FROM log WHERE {condition}",  # noqa: S608 - our own text
            parameters,
        ).fetchone()
        low, high = (low, low) if first is None else (max(low, first), min(high, last + 1))
    return Span(known.generation, low, max(low, high))


def page(connection: sqlite3.Connection, query: LogQuery, todo: Span, limit: int) -> tuple[list[StoredRow], Span]:
    """The next rows that may match, at most ``limit``, in the query's order; and what is left after them."""
    down = query.order == "desc"
    # Jump over what was deleted.
    (start,) = connection.execute(
        f"SELECT {'max' if down else 'min'}(position) FROM log WHERE position >= ? AND position < ?",  # noqa: S608
        (todo.low, todo.high),
    ).fetchone()
    if start is None:
        return [], Span(todo.generation, todo.low, todo.low)
    low = max(todo.low, start - _PAGE_POSITIONS + 1) if down else start
    high = start + 1 if down else min(todo.high, start + _PAGE_POSITIONS)
    condition, parameters = _condition(query)
    most = min(limit, _PAGE_ROWS)
    rows: list[StoredRow] = connection.execute(
        # NOT INDEXED: the rowid alone gives the order without sorting.
        "SELECT position, timestamp, level, message, attributes FROM log NOT INDEXED"  # noqa: S608 - our own text
        f" WHERE position >= ? AND position < ? AND {condition}"
        f" ORDER BY position {'DESC' if down else 'ASC'} LIMIT ?",
        (low, high, *parameters, most),
    ).fetchall()
    full = len(rows) == most
    if down:
        return rows, Span(todo.generation, todo.low, rows[-1][0] if full else low)
    return rows, Span(todo.generation, rows[-1][0] + 1 if full else high, todo.high)


def page_limit(query: LogQuery, left: int | None) -> int:
    """How many rows to ask for: no more than are wanted, where SQL alone decides which match."""
    return _PAGE_ROWS if left is None or query.text or query.attributes else left


def matching(query: LogQuery, rows: list[StoredRow]) -> list[StoredRow]:
    """Those that match in every respect."""
    if not query.text and not query.attributes:
        return rows
    accepts = query.predicate()
    return [row for row in rows if accepts(*row[1:])]


def entries_of(generation: str, rows: list[StoredRow]) -> list[LogEntry]:
    """Rows as entries with their cursors."""
    return [
        LogEntry(
            from_micros(micros),
            level,
            message,
            json.loads(attributes),
            cursor=str(Cursor(generation, position)),
        )
        for position, micros, level, message, attributes in rows
    ]


def count_whole(connection: sqlite3.Connection) -> int:
    """How many entries there are, without reading them."""
    (count,) = connection.execute("SELECT coalesce(sum(count), 0) FROM level").fetchone()
    return int(count)


def _condition(query: LogQuery) -> tuple[str, list[object]]:
    """Time and level as SQL; text and attributes are matched by ``LogQuery.predicate``."""
    time, parameters = _within(query)
    conditions = [time]
    if query.levels is not None:
        conditions.append(f"level IN ({_marks(query.levels)})")
        parameters.extend(query.levels)
    if query.min_level is not None:
        # Names outside the five rank as INFO, so it is the five that are listed, those wanted or those not.
        rank = level_rank(query.min_level)
        unwanted = rank <= RANKS["INFO"]
        names = [name for name in RANKS if (RANKS[name] < rank) is unwanted]
        conditions.append(f"level {'NOT IN' if unwanted else 'IN'} ({_marks(names)})")
        parameters.extend(names)
    return " AND ".join(conditions), parameters


def _within(query: LogQuery) -> tuple[str, list[object]]:
    since = -(2**63) if query.since is None else to_micros(query.since)
    until = 2**63 - 1 if query.until is None else to_micros(query.until)
    return "timestamp >= ? AND timestamp < ?", [since, until]


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
