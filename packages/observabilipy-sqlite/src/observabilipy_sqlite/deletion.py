"""Deletion: entries that are too old or too many, found without the write lock and deleted in small steps."""

import sqlite3
from dataclasses import dataclass
from functools import partial

from observabilipy.models import level_name, to_micros
from observabilipy_sqlite import logs
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.values import escaped

__all__ = ["Deletion"]

# One transaction deletes so many rows, or so many bytes: about 3 ms of write lock for small entries. Their pages are
# all read, so large entries are dear.
_STEP_ROWS = 1_000
_STEP_BYTES = 8 * 1024 * 1024
_SCAN_POSITIONS = 20_000  # looked at in one transaction in search of a level: some milliseconds


@dataclass(frozen=True, slots=True)
class _Found:
    """Positions of entries that shall go, and of which life of the store they are; ``last`` when there are no more."""

    generation: str
    positions: list[int]
    last: bool


class Deletion:
    """Deletes from one database; each call is one step, and all come from the same thread.

    What goes is chosen in a transaction of its own, which holds no writer back. Another worker may have deleted it in
    between; then a step deletes less.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._generation = ""
        self._reached: dict[
            str, int
        ] = {}  # below which position a level has nothing: new entries come above all others

    def before(self, timestamp: float, level: str | None) -> tuple[int, bool]:
        """Delete entries older than unix seconds. How many went, and whether there may be more."""
        return self._delete(self._database.search(partial(_older, micros=to_micros(timestamp), level=_stored(level))))

    def oldest(self, count: int, level: str | None) -> tuple[int, bool]:
        """Delete the entries committed first, at most ``count``. How many went, and whether there may be more."""
        rows = max(0, min(count, _STEP_ROWS))
        if level is None:
            return self._delete(self._database.search(partial(_first, rows=rows)))
        return self._delete(self._database.search(partial(self._first_of, rows=rows, level=escaped(level_name(level)))))

    def _first_of(self, connection: sqlite3.Connection, rows: int, level: str) -> _Found:
        generation = logs.generation(connection)
        if generation != self._generation:
            self._generation, self._reached = generation, {}
        start, newest = connection.execute(
            "SELECT min(position), (SELECT max(position) FROM log) FROM log WHERE position >= ?",
            (self._reached.get(level, 0),),
        ).fetchone()
        if start is None:
            return _Found(generation, [], last=True)
        end = min(start + _SCAN_POSITIONS, newest + 1)
        # By position, which is the order of commits; with the index by level, SQLite would sort all of the level first.
        found = _taken(
            connection.execute(
                "SELECT position, bytes FROM log NOT INDEXED WHERE position >= ? AND position < ? AND level = ?"
                " ORDER BY position LIMIT ?",
                (start, end, level, rows),
            )
        )
        self._reached[level] = found[0] if found else end
        return _Found(generation, found, last=not found and end > newest)

    def _delete(self, found: _Found) -> tuple[int, bool]:
        def delete(connection: sqlite3.Connection) -> int:
            # A file that was put in the place of the other has other entries at these positions.
            return logs.delete(connection, found.positions) if logs.generation(connection) == found.generation else 0

        return self._database.write(delete) if found.positions else 0, not found.last


def _older(connection: sqlite3.Connection, micros: int, level: str | None) -> _Found:
    where, parameters = ("TRUE", ()) if level is None else ("level = ?", (level,))
    rows = connection.execute(
        f"SELECT position, bytes FROM log WHERE timestamp < ? AND {where} ORDER BY timestamp LIMIT ?",  # noqa: S608 - text from this function alone
        (micros, *parameters, _STEP_ROWS),
    )
    return _all_of(connection, rows)


def _first(connection: sqlite3.Connection, rows: int) -> _Found:
    return _all_of(connection, connection.execute("SELECT position, bytes FROM log ORDER BY position LIMIT ?", (rows,)))


def _all_of(connection: sqlite3.Connection, rows: sqlite3.Cursor) -> _Found:
    positions = _taken(rows)
    return _Found(logs.generation(connection), positions, last=not positions)


def _taken(rows: sqlite3.Cursor) -> list[int]:
    """The positions of so many rows that their bytes are enough for one step; the others are never read."""
    positions: list[int] = []
    size = 0
    for position, row_bytes in rows:
        positions.append(position)
        size += row_bytes
        if size >= _STEP_BYTES:
            break
    rows.close()
    return positions


def _stored(level: str | None) -> str | None:
    return None if level is None else escaped(level_name(level))
