"""Where to read in the log: some segments at a time, so that each transaction is short, and what it gives is small."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from observabilipy.models import LogQuery, parse_cursor, resume
from observabilipy_sqlite.bloom import may_have
from observabilipy_sqlite.checks import head_checksum
from observabilipy_sqlite.logs import ends, generation
from observabilipy_sqlite.matching import Condition, Matching
from observabilipy_sqlite.segment import PLAIN, Segment
from observabilipy_sqlite.values import whole_numbers

__all__ = ["MOST_HEADS", "Span", "begin", "go_on", "head", "heads", "heads_after", "plain_heads", "segments", "whole"]

MOST_HEADS = 256
"""Segments looked at in one transaction; those that are read are fewer when they hold much."""

_NUMBERS = ("places", "entries", "bytes", "oldest", "newest", "levels", "codec", "segment.checksum")
_HEAD = "first, " + whole_numbers(*_NUMBERS)
_HEADS_COLUMNS = 9
# Names are no text before the checksum was looked at. And what stands for a body that is not there fits no checksum.
_COLUMNS = "CAST(names AS BLOB), body.checksum, filter, timestamps, codes, messages, attributes"
_NO_BODY = (b"", -1, None, b"", b"", b"", b"")


@dataclass(frozen=True, slots=True)
class Span:
    """Positions still to be read: ``low`` up to but not including ``high``."""

    generation: str
    low: int
    high: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return self.low >= self.high

    def after(self, segment: Segment | None, *, down: bool) -> "Span":
        """What is left behind a segment, in the direction of reading; behind none there is nothing."""
        if segment is None:
            return Span(self.generation, self.high, self.high)
        if down:
            return Span(self.generation, self.low, max(self.low, min(self.high, segment.first)))
        return Span(self.generation, min(self.high, segment.end), self.high)


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
    return Span(known.generation, low, max(low, high))


def go_on(connection: sqlite3.Connection, todo: Span) -> Span:
    """What is still to be read; nothing in another file that has taken the place of the first one."""
    return todo if generation(connection) == todo.generation else todo.after(None, down=False)


def heads(
    connection: sqlite3.Connection, todo: Span, condition: Condition, *, down: bool = False, most: int = MOST_HEADS
) -> list[Segment]:
    """The next segments that have something of a span, and fulfil a condition; without their columns."""
    where, parameters = condition
    rows = connection.execute(
        f"SELECT {_HEAD} FROM segment"  # noqa: S608 - our own text
        # From the one that spans the position on: the others are found by their number.
        " WHERE first >= coalesce((SELECT max(first) FROM segment WHERE first <= ?), ?) AND first < ?"
        f" AND first + places > ? AND {where} ORDER BY first {'DESC' if down else 'ASC'} LIMIT {most + 1}",
        (todo.low, todo.low, todo.high, todo.low, *parameters),
    )
    # One that is damaged may seem to reach into the span; one more was asked for, since there is one of these at most.
    return [found for found in map(_head, rows) if found.end > todo.low]


def head(connection: sqlite3.Connection, first: int) -> Segment | None:
    """A segment without its columns, if it is there."""
    row = connection.execute(f"SELECT {_HEAD} FROM segment WHERE first = ?", (first,)).fetchone()  # noqa: S608 - our own text
    return None if row is None else _head(row)


def heads_after(connection: sqlite3.Connection, last: int, most: int) -> list[Segment]:
    """The next segments that begin behind a position, whatever they have; without their columns."""
    rows = connection.execute(
        f"SELECT {_HEAD} FROM segment WHERE first > ? ORDER BY first LIMIT ?",  # noqa: S608 - our own text
        (last, most),
    )
    return list(map(_head, rows))


def plain_heads(connection: sqlite3.Connection) -> Iterator[Segment]:
    """The oldest segments that are as they were written, as far as they follow one another."""
    rows = connection.execute(
        f"SELECT {_HEAD} FROM segment"  # noqa: S608 - our own text
        " WHERE first >= (SELECT min(first) FROM segment WHERE codec = 0) ORDER BY first"
    )
    # One after the other: whoever puts them together stops after a few, where hundreds may wait.
    return takewhile(lambda found: found.codec == PLAIN, map(_head, rows))


def whole(connection: sqlite3.Connection, first: int) -> Segment:
    """A segment that is there, with its columns. Whether they are intact, and there at all, is for ``fault``."""
    row = connection.execute(
        f"SELECT {_HEAD}, {_COLUMNS} FROM segment LEFT JOIN body USING (first) WHERE first = ?",  # noqa: S608 - our own text
        (first,),
    ).fetchone()
    head = _head(row[:_HEADS_COLUMNS])
    names, checksum, filter_, *columns = row[_HEADS_COLUMNS:]
    if set(map(type, (names, *columns))) != {bytes}:  # there is none, or damage made text of it
        names, checksum, filter_, *columns = _NO_BODY
    head.names, head.checksum, head.filter = names.decode(errors="replace"), checksum, _bytes_or_none(filter_)
    head.timestamps, head.codes, head.messages, head.attributes = columns
    return head


def _head(row: tuple[int, int, int, int, int, int, int, int, int]) -> Segment:
    numbers = row[:8]
    return Segment(*numbers, "", 0, None, b"", b"", b"", b"", head_checksum(*numbers) == row[8])


def segments(
    connection: sqlite3.Connection, todo: Span, matching: Matching, *, down: bool, most_bytes: int
) -> tuple[list[Segment], Span]:
    """The next segments of a span that may match, in the order of reading, and what is left behind them.

    No more of them than have so many bytes of text, or one.
    """
    found = heads(connection, todo, matching.segments(), down=down)
    taken: list[Segment] = []
    size = 0
    last: Segment | None = None
    for known in found:
        if matching.pairs and not may_have(_filter(connection, known), matching.pairs):
            last = known
            continue
        size += known.size
        if taken and size > most_bytes:
            break
        taken.append(whole(connection, known.first))
        last = known
    is_last = not found or (last is found[-1] and len(found) < MOST_HEADS)
    return taken, todo.after(None if is_last else last, down=down)


def _filter(connection: sqlite3.Connection, known: Segment) -> bytes | None:
    row = connection.execute("SELECT filter FROM body WHERE first = ?", (known.first,)).fetchone()
    return None if row is None else _bytes_or_none(row[0])


def _bytes_or_none(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None
