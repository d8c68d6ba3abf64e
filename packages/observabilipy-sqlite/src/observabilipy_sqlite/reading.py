"""Reading the log: each function here is one trip to the file, and no transaction is open while a reader thinks.

They run on the thread of the asynchronous connection. What needs no snapshot comes after the transaction.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from observabilipy.encoding.ndjson import encode_stored
from observabilipy.models import LogEntry, LogQuery, from_micros
from observabilipy.ports import NdjsonPage
from observabilipy.storage.ndjson import pages_of
from observabilipy_sqlite import pages
from observabilipy_sqlite.conditions import is_exact
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.lines import lines_of
from observabilipy_sqlite.pages import Span
from observabilipy_sqlite.values import unescaped

__all__ = ["Part", "count", "count_whole", "entries", "ndjson"]

T = TypeVar("T")

_Row: TypeAlias = tuple[int, int, str, str, str]
"""Position, timestamp in microseconds, level, message, attributes as JSON text."""

# What one trip reads where rows are handled in Python, which holds up other threads: for a millisecond.
_ROWS = 128
_ROW_BYTES = 65_536
# The same where SQLite makes the lines alone: it takes a millisecond, too, and the way there and back 0.15 ms.
_LINES = 1_000
_LINE_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """What one trip gave: so many entries, in whatever form, and what is left to be read."""

    items: list[T]
    entries: int
    rest: Span


def entries(database: Database, query: LogQuery, todo: Span | None, left: int) -> Part[LogEntry]:
    """The next entries, at most ``left``; without ``todo`` the first ones."""
    generation, rows, rest = _rows(database, query, todo, left)
    return Part([_entry(generation, row) for row in rows], len(rows), rest)


def ndjson(database: Database, query: LogQuery, todo: Span | None, left: int) -> Part[NdjsonPage]:
    """The same as pages of NDJSON."""
    if is_exact(query):
        number, lines, rest = _lines(database, query, todo, left)
    else:
        generation, rows, rest = _rows(database, query, todo, left)
        number, lines = len(rows), b"".join([_line(generation, row) for row in rows])
    return Part(list(pages_of(lines)), number, rest)


def count(database: Database, query: LogQuery, todo: Span | None) -> Part[None]:
    """How many the next entries are; their number may be beyond the limit of the query."""
    if not is_exact(query):
        _, rows, rest = _rows(database, query, todo, _ROWS)
        return Part([], len(rows), rest)

    def look(connection: sqlite3.Connection) -> Part[None]:
        where = pages.begin(connection, query) if todo is None else pages.go_on(connection, todo)
        near = pages.ahead(connection, query, where)
        return Part([], pages.count(connection, query, near), pages.rest(query, where, near))

    return database.read(look)


def count_whole(connection: sqlite3.Connection) -> int:
    """How many entries there are, without reading them."""
    (number,) = connection.execute("SELECT coalesce(sum(count), 0) FROM level").fetchone()
    return int(number)


def _lines(database: Database, query: LogQuery, todo: Span | None, left: int) -> tuple[int, bytes, Span]:
    def look(connection: sqlite3.Connection) -> tuple[int, bytes, Span]:
        where = pages.begin(connection, query) if todo is None else pages.go_on(connection, todo)
        near = pages.stretch(connection, query, where, most_rows=min(left, _LINES), most_bytes=_LINE_BYTES)
        lines = lines_of(connection, query, where.generation, near) if near.rows else b""
        return near.rows, lines, pages.rest(query, where, near)

    return database.read(look)


def _rows(database: Database, query: LogQuery, todo: Span | None, left: int) -> tuple[str, list[_Row], Span]:
    """The next rows that match in every respect, at most ``left``, with their generation."""
    exact = is_exact(query)

    def look(connection: sqlite3.Connection) -> tuple[str, list[_Row], Span]:
        where = pages.begin(connection, query) if todo is None else pages.go_on(connection, todo)
        most = min(left, _ROWS) if exact else _ROWS
        near = pages.stretch(connection, query, where, most_rows=most, most_bytes=_ROW_BYTES)
        select = pages.selection(query, near, "position, timestamp, level, message, attributes")
        return where.generation, connection.execute(*select).fetchall(), pages.rest(query, where, near)

    generation, stored, rest = database.read(look)
    rows = [
        (position, micros, unescaped(level), unescaped(message), attributes)
        for position, micros, level, message, attributes in stored
    ]
    if not exact:
        accepts = query.predicate()
        rows = [row for row in rows if accepts(*row[1:])][:left]
    return generation, rows, rest


def _entry(generation: str, row: _Row) -> LogEntry:
    position, micros, level, message, attributes = row
    return LogEntry(from_micros(micros), level, message, json.loads(attributes), cursor=f"{generation}-{position}")


def _line(generation: str, row: _Row) -> bytes:
    position, micros, level, message, attributes = row
    return encode_stored(f"{generation}-{position}", micros, level, message, attributes)
