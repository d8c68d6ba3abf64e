"""Deletion: entries that are too old or too many, found without the write lock and deleted in small steps."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from observabilipy.models import level_name, to_micros
from observabilipy_sqlite import logs, pages
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.segment import PLAIN, Columns, Segment, thinned
from observabilipy_sqlite.values import escaped, whole_numbers

__all__ = ["Deletion"]

# One transaction deletes so many segments, or so many bytes of them: some milliseconds of write lock. Their pages are
# all visited.
_STEP_SEGMENTS = 64
_STEP_BYTES = 8 * 1024 * 1024
_PACKED_SHARE = 4  # what is packed takes less than this part of its text


_FROM_THE_FIRST = -(2**63)

_Rows: TypeAlias = Sequence[tuple[int, int]]
"""First positions of segments, and how many of their entries shall go."""

_Place: TypeAlias = tuple[str, int]
"""A generation, and a position in it before which there was nothing to delete."""

_NOWHERE: _Place = ("", _FROM_THE_FIRST)


@dataclass(frozen=True, slots=True)
class _Found:
    """What one step deletes: segments as a whole, or of one segment as many entries of a level, or all older ones."""

    generation: str
    wholes: list[Segment] = field(default_factory=list)
    partly: Segment | None = None
    strays: list[int] = field(default_factory=list)
    """Of segments that are told of, but not there."""

    def __bool__(self) -> bool:
        return bool(self.wholes or self.strays) or self.partly is not None

    @property
    def begin(self) -> int:
        """The first position of any of it."""
        partly = [] if self.partly is None else [self.partly]
        positions = [*self.strays, *(segment.first for segment in [*self.wholes, *partly])]
        return min(positions, default=_FROM_THE_FIRST)


class Deletion:
    """Deletes from one database; each call is one step, and all come from the same thread.

    What goes is chosen and prepared outside of the transaction that deletes it, so no writer is held back. Another
    worker may have rewritten or deleted it in between; then the step deletes less, and the next one looks again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: tuple[object, ...] = ()
        self._reached = _NOWHERE  # by steps that asked for the same

    def before(self, timestamp: float, level: str | None) -> tuple[int, bool]:
        """Delete entries older than unix seconds. How many went, and whether there may be more."""
        limit, name = to_micros(timestamp), _stored(level)

        def wanted(segment: Segment, columns: Columns) -> list[bool]:
            older = [micros < limit for micros in columns.micros]
            return older if name is None else _and(older, _of_level(segment, columns, name))

        return self._step(("before", limit, name), partial(_older, micros=limit, level=name), wanted)

    def oldest(self, count: int, level: str | None) -> tuple[int, bool]:
        """Delete the entries committed first, at most ``count``. How many went, and whether there may be more."""
        name = _stored(level)

        def wanted(segment: Segment, columns: Columns) -> list[bool]:
            left = count
            chosen = [True] * segment.entries if name is None else _of_level(segment, columns, name)
            for index, is_chosen in enumerate(chosen):
                chosen[index] = is_chosen and left > 0
                left -= is_chosen
            return chosen

        return (
            self._step(("oldest", name), partial(_first, most=count, level=name), wanted) if count > 0 else (0, False)
        )

    def _step(
        self,
        asked: tuple[object, ...],
        find: Callable[[sqlite3.Connection, _Place], _Found],
        wanted: Callable[[Segment, Columns], list[bool]],
    ) -> tuple[int, bool]:
        found = self._found(asked, find)
        if not found:
            return 0, False
        for segment in found.wholes:
            if not segment.is_sound:
                self._database.damage.is_readable(segment)  # so that it is counted
        if found.partly is None:
            return self._database.write(partial(_delete, found=found)), True
        segment = found.partly
        number, new = segment.entries, None
        if self._database.damage.is_readable(segment):  # else nobody can read any of it
            columns = segment.read()
            gone = wanted(segment, columns)
            number = sum(gone)
            new = thinned(segment, columns, [not goes for goes in gone])

        def rewrite(connection: sqlite3.Connection) -> int:
            # A file that was put in the place of the other has other entries at these positions.
            same = logs.generation(connection) == found.generation
            return number if same and logs.replace(connection, [segment], new) else 0

        return self._database.write(rewrite), True

    def _found(self, asked: tuple[object, ...], find: Callable[[sqlite3.Connection, _Place], _Found]) -> _Found:
        """What the next step deletes: looked for where the last one was, then from the first segment on.

        To pass over 100,000 segments that have nothing of a level takes 30 ms, three times what a step takes itself.
        """
        reached = self._reached if asked == self._asked else _NOWHERE
        found = self._database.search(lambda connection: find(connection, reached))
        if not found and reached != _NOWHERE:
            found = self._database.search(lambda connection: find(connection, _NOWHERE))
        self._asked, self._reached = asked, (found.generation, found.begin)
        return found


def _delete(connection: sqlite3.Connection, found: _Found) -> int:
    if logs.generation(connection) != found.generation:
        return 0
    for first in found.strays:
        logs.remove_stray_shares(connection, first)
    gone = logs.remove(connection, found.wholes)
    return sum(segment.entries for segment in found.wholes if segment.first in gone and segment.is_sound)


def _older(connection: sqlite3.Connection, place: _Place, micros: int, level: str | None) -> _Found:
    where, parameters = ("TRUE", ()) if level is None else ("level = ?", (level,))

    def after(last: int) -> _Rows:
        return connection.execute(
            f"SELECT first, {whole_numbers('sum(entries)')} FROM share"  # noqa: S608 - our own text
            f" WHERE first > ? AND oldest < ? AND {where} GROUP BY first ORDER BY first LIMIT {_STEP_SEGMENTS}",
            (last, micros, *parameters),
        ).fetchall()

    return _found(connection, place, after, lambda head, entries: head.newest < micros and entries == head.entries)


def _first(connection: sqlite3.Connection, place: _Place, most: int, level: str | None) -> _Found:
    where, parameters = ("segment WHERE TRUE", ()) if level is None else ("share WHERE level = ?", (level,))

    def after(last: int) -> _Rows:
        return connection.execute(
            f"SELECT first, {whole_numbers('entries')} FROM {where}"  # noqa: S608 - our own text
            f" AND first > ? ORDER BY first LIMIT {_STEP_SEGMENTS}",
            (*parameters, last),
        ).fetchall()

    left = most

    def is_whole(head: Segment, entries: int) -> bool:
        nonlocal left
        left -= entries
        return left >= 0 and entries == head.entries

    return _found(connection, place, after, is_whole)


def _found(
    connection: sqlite3.Connection,
    place: _Place,
    rows_after: Callable[[int], _Rows],
    is_whole: Callable[[Segment, int], bool],
) -> _Found:
    """The first of these segments from a place on: as many as go as a whole, else the one that goes in part.

    One that is damaged goes as a whole, since nobody can read it. One of a later version's codec cannot be taken apart
    here: it stays until all of it may go, or a worker of that version comes.
    """
    generation = logs.generation(connection)
    wholes: list[Segment] = []
    strays: list[int] = []
    size = 0
    last = _before(connection, place[1]) if place[0] == generation else _FROM_THE_FIRST
    while not (wholes or strays) and (rows := rows_after(last)):
        for first, entries in rows:
            last = first
            head = pages.head(connection, first)
            if head is None:
                strays.append(first)
                continue
            if head.is_sound and not is_whole(head, entries):
                if not head.is_known:
                    continue
                return _Found(generation, wholes, None if wholes or strays else pages.whole(connection, first), strays)
            wholes.append(head)
            size += head.size if head.codec == PLAIN else head.size // _PACKED_SHARE
            if size >= _STEP_BYTES:
                break
    return _Found(generation, wholes, strays=strays)


def _before(connection: sqlite3.Connection, position: int) -> int:
    """A position behind which the segment with another one begins: it may have been put together with earlier ones."""
    (first,) = connection.execute("SELECT max(first) FROM segment WHERE first <= ?", (position,)).fetchone()
    return _FROM_THE_FIRST if first is None else max(_FROM_THE_FIRST, first - 1)


def _of_level(segment: Segment, columns: Columns, name: str) -> list[bool]:
    names = segment.level_names
    code = names.index(name) if name in names else 0  # damage may tell of a level that is not there
    return [found == code for found in columns.codes if found]


def _and(one: list[bool], other: list[bool]) -> list[bool]:
    return [a and b for a, b in zip(one, other, strict=True)]


def _stored(level: str | None) -> str | None:
    return None if level is None else escaped(level_name(level))
