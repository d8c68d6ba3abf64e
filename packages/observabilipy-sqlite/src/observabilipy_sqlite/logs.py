"""The log in SQL: what it takes in, what it knows, what it deletes. Each function works inside a transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import TypeAlias

from observabilipy.encoding.encoded_entries import encoded
from observabilipy.models import RANKS, LevelFacts, LogEntry, LogFacts, from_micros
from observabilipy_sqlite.values import escaped, unescaped

__all__ = ["Row", "append", "delete", "ends", "facts", "generation", "rows_of"]

Row: TypeAlias = tuple[int, str, int, str, str]
"""Timestamp in microseconds, level, bytes, message, attributes as JSON text; level and message are escaped."""


def rows_of(entries: Iterable[LogEntry]) -> list[Row]:
    """What is stored of entries; to be made before the transaction, which holds the write lock."""
    rows = []
    for micros, level, message, attributes in encoded(entries):
        size = len(attributes) if attributes.isascii() else len(attributes.encode())
        size += len(message) if message.isascii() else len(message.encode())
        rows.append((micros, level if level in RANKS else escaped(level), size, escaped(message), attributes))
    return rows


_INSERT = "INSERT INTO log (timestamp, level, bytes, message, attributes) VALUES "
_ONE = "(?, ?, ?, ?, ?)"
_MANY = 50
_INSERT_MANY = _INSERT + ", ".join([_ONE] * _MANY)


def append(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Store rows at the next positions.

    Many in one statement, because each statement writes the last position down (AUTOINCREMENT): two thirds of the time.
    """
    together = len(rows) - len(rows) % _MANY
    for start in range(0, together, _MANY):
        connection.execute(_INSERT_MANY, list(chain.from_iterable(rows[start : start + _MANY])))
    connection.executemany(_INSERT + _ONE, rows[together:])
    _count(connection, [(level, size) for _, level, size, _, _ in rows], 1)


def generation(connection: sqlite3.Connection) -> str:
    """Which life of the store this is."""
    return str(connection.execute("SELECT generation FROM meta").fetchone()[0])


def ends(connection: sqlite3.Connection) -> LogFacts:
    """The generation, the oldest position and the next one, without levels."""
    (oldest,) = connection.execute("SELECT min(position) FROM log").fetchone()
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'").fetchone()
    upcoming = (0 if last is None else last[0]) + 1
    return LogFacts(generation(connection), upcoming if oldest is None else oldest, upcoming)


def facts(connection: sqlite3.Connection) -> LogFacts:
    """Everything that is known of the log without reading it."""
    known = ends(connection)
    levels = {
        unescaped(name): LevelFacts(count, from_micros(oldest), from_micros(newest), size)
        for name, count, size, oldest, newest in connection.execute(
            "SELECT name, count, bytes, (SELECT min(timestamp) FROM log WHERE level = name),"
            " (SELECT max(timestamp) FROM log WHERE level = name) FROM level ORDER BY name"
        )
    }
    return LogFacts(known.generation, known.oldest, known.upcoming, levels)


def delete(connection: sqlite3.Connection, positions: list[int]) -> int:
    """Delete the entries at these positions, as far as they are still there. Gives how many went."""
    marks = ",".join("?" * len(positions))
    gone = connection.execute(
        f"DELETE FROM log WHERE position IN ({marks}) RETURNING level, bytes",  # noqa: S608 - question marks
        positions,
    ).fetchall()
    _count(connection, gone, -1)
    connection.execute("DELETE FROM level WHERE count = 0")
    return len(gone)


def _count(connection: sqlite3.Connection, changed: Iterable[tuple[str, int]], sign: int) -> None:
    """Keep the table of levels in step with the log."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for level, size in changed:
        counts[level] += sign
        sizes[level] += sign * size
    connection.executemany(
        "INSERT INTO level VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET count = count + excluded.count, bytes = bytes + excluded.bytes",
        [(level, counts[level], sizes[level]) for level in counts],
    )
