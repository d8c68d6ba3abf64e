"""The log in SQL: what it takes in, what it knows, what it deletes. Each function works inside a transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from observabilipy.encoding.json_text import json_text
from observabilipy.models import LevelFacts, LogEntry, LogFacts, from_micros, level_name, to_micros

__all__ = ["DELETE_STEP", "Row", "append", "delete_before", "delete_oldest", "ends", "facts", "generation", "rows_of"]

Row: TypeAlias = tuple[int, str, str, str, int]
"""Timestamp in microseconds, level, message, attributes as JSON text, bytes."""

DELETE_STEP = 5_000
"""Rows that one transaction deletes, so that writers wait for some milliseconds at most."""


def rows_of(entries: Iterable[LogEntry]) -> list[Row]:
    """What is stored of entries; to be made before the transaction, which holds the write lock."""
    rows = []
    for entry in entries:
        attributes = json_text(entry.attributes)
        size = len(entry.message.encode()) + len(attributes.encode())
        rows.append((to_micros(entry.timestamp), entry.level, entry.message, attributes, size))
    return rows


def append(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Store rows at the next positions."""
    connection.executemany(
        "INSERT INTO log (timestamp, level, message, attributes, bytes) VALUES (?, ?, ?, ?, ?)", rows
    )
    _count(connection, [(level, size) for _, level, _, _, size in rows], 1)


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
        name: LevelFacts(count, from_micros(oldest), from_micros(newest), size)
        for name, count, size, oldest, newest in connection.execute(
            "SELECT name, count, bytes, (SELECT min(timestamp) FROM log WHERE level = name),"
            " (SELECT max(timestamp) FROM log WHERE level = name) FROM level ORDER BY name"
        )
    }
    return LogFacts(known.generation, known.oldest, known.upcoming, levels)


def delete_before(connection: sqlite3.Connection, timestamp: float, level: str | None) -> int:
    """Delete at most ``DELETE_STEP`` entries older than unix seconds. Gives how many went."""
    where, parameters = _of_level(level)
    return _delete(connection, f"timestamp < ? AND {where}", [to_micros(timestamp), *parameters], DELETE_STEP)


def delete_oldest(connection: sqlite3.Connection, count: int, level: str | None) -> int:
    """Delete the oldest entries by position, at most ``DELETE_STEP`` and at most ``count``. Gives how many went."""
    where, parameters = _of_level(level)
    return _delete(connection, f"{where} ORDER BY position", parameters, min(count, DELETE_STEP))


def _of_level(level: str | None) -> tuple[str, list[object]]:
    return ("TRUE", []) if level is None else ("level = ?", [level_name(level)])


def _delete(connection: sqlite3.Connection, which: str, parameters: list[object], limit: int) -> int:
    gone = connection.execute(
        f"DELETE FROM log WHERE position IN (SELECT position FROM log WHERE {which} LIMIT ?) RETURNING level, bytes",  # noqa: S608 - text from this module alone
        (*parameters, max(limit, 0)),
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
