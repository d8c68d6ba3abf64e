"""Where to read in the log: some segments at a time, so that each transaction is short, and what it gives is small."""

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from observabilipy.models import LogQuery, parse_cursor, resume
from observabilipy_sqlite.bloom import may_have
from observabilipy_sqlite.checks import head_checksum
from observabilipy_sqlite.logs import ends, generation
from observabilipy_sqlite.matching import Condition, Matching
from observabilipy_sqlite.segment import MOST_BYTES, PACKED, PLAIN, Segment
from observabilipy_sqlite.turns import Turns
from observabilipy_sqlite.values import whole_numbers

__all__ = [
    "MOST_HEADS",
    "Span",
    "begin",
    "go_on",
    "head",
    "heads",
    "heads_after",
    "narrowed",
    "plain_heads",
    "segments",
    "shares",
    "strip",
    "whole",
]

MOST_HEADS = 256
"""Segments looked at in one transaction; those that are read are fewer when they hold much."""

_STRIP = 4_096  # segments whose shares one transaction adds up: ten milliseconds, without the interpreter's lock
_SEARCHED_BYTES = 16_777_216  # of segments whose messages one transaction searches: a dozen milliseconds
_MOST_ROOM = 2 * MOST_BYTES
_NUMBERS = ("places", "entries", "bytes", "oldest", "newest", "levels", "codec", "segment.checksum")
_HEAD = "first, " + whole_numbers(*_NUMBERS)
_HEADS_COLUMNS = 9
# Nothing is text before the checksum was looked at: one flipped bit makes text of a column, which sqlite3 could not
# decode. And what stands for a body that is not there fits no checksum.
_FILTER, _MESSAGES = "CAST(filter AS BLOB)", "CAST(messages AS BLOB)"
_COLUMNS = (
    f"CAST(names AS BLOB), body.checksum, {_FILTER}, CAST(timestamps AS BLOB), CAST(codes AS BLOB), {_MESSAGES},"
    " CAST(attributes AS BLOB)"
)
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
    with contextlib.closing(_heads(connection, todo, condition, down, most)) as rows:
        # One that is damaged may seem to reach into the span; of these there is one at most, so one more was asked for.
        return [found for found in map(_head, rows) if found.end > todo.low]


def _heads(  # noqa: PLR0917 - the last one is for what heads are read together with
    connection: sqlite3.Connection, todo: Span, condition: Condition, down: bool, most: int, columns: str = ""
) -> sqlite3.Cursor:
    """Their rows, with columns of the bodies; to be closed, lest the transaction stays open."""
    where, parameters = condition
    return connection.execute(
        f"SELECT {_HEAD}{columns} FROM segment {'LEFT JOIN body USING (first)' if columns else ''}"  # noqa: S608 - our own text
        # From the one that spans the position on: the others are found by their number.
        " WHERE first >= coalesce((SELECT max(first) FROM segment WHERE first <= ?), ?) AND first < ?"
        f" AND first + places > ? AND {where} ORDER BY first {'DESC' if down else 'ASC'} LIMIT {most + 1}",
        (todo.low, todo.low, todo.high, todo.low, *parameters),
    )


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


def narrowed(connection: sqlite3.Connection, todo: Span, condition: Condition) -> Span:
    """What of a span has segments that fulfil a condition: one look at all heads, which later ones spare."""
    low, high = connection.execute(
        "SELECT min(first), max(first + places) FROM segment"  # noqa: S608 - our own text
        f" WHERE first < ? AND first + places > ? AND {condition[0]}",
        (todo.high, todo.low, *condition[1]),
    ).fetchone()
    if low is None:
        return todo.after(None, down=False)
    return Span(todo.generation, max(todo.low, low), min(todo.high, high))


def strip(
    connection: sqlite3.Connection, todo: Span, condition: Condition, told: Condition, most: int
) -> tuple[Span, list[Segment]]:
    """The beginning of a span, and the segments in it that fulfil a condition but are not told by their shares.

    There are no more of these than ``most``, and so few segments in all that a transaction is short.
    """
    row = connection.execute(
        f"SELECT first FROM segment WHERE first >= ? ORDER BY first LIMIT 1 OFFSET {_STRIP}",  # noqa: S608 - our own text
        (todo.low,),
    ).fetchone()
    some = todo if row is None else Span(todo.generation, todo.low, min(todo.high, row[0]))
    where, parameters = f"{condition[0]} AND NOT ({told[0]})", [*condition[1], *told[1]]
    others = heads(connection, some, (where, parameters), most=most + 1)
    if len(others) > most:
        some = Span(todo.generation, todo.low, others[most].first)
    return some, others[:most]


def shares(
    connection: sqlite3.Connection, some: Span, condition: Condition, told: Condition, step: int
) -> list[tuple[int, str, int]]:
    """What the shares tell of the segments of a span: by number of the step of time, the entries of each level."""
    rows = connection.execute(
        f"SELECT segment.oldest / ?, CAST(level AS BLOB), {whole_numbers('sum(share.entries)')}"  # noqa: S608 - our own text
        f" FROM (SELECT first, oldest FROM segment WHERE first >= ? AND first < ? AND {condition[0]} AND {told[0]})"
        " AS segment JOIN share USING (first) GROUP BY 1, 2",
        (step, some.low, some.high, *condition[1], *told[1]),
    )
    return [(number, level.decode(errors="replace"), count) for number, level, count in rows]


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
    columns = f", {_FILTER if matching.pairs else 'NULL'}, {_MESSAGES if matching.has_text else 'NULL'}"
    looks_inside = matching.pairs or matching.has_text
    taken: list[Segment] = []
    size = looked_at = searched = 0
    last: Segment | None = None
    is_last = False
    turns = Turns()
    rows = _heads(connection, todo, matching.segments(), down, MOST_HEADS, columns if looks_inside else "")
    with contextlib.closing(rows):
        for row in rows:
            looked_at += 1
            known = _head(row[:_HEADS_COLUMNS])
            if known.end <= todo.low:
                continue
            if not looks_inside or _may_match(known, matching, *map(_bytes_or_none, row[_HEADS_COLUMNS:])):
                size += known.size
                if taken and size > most_bytes:
                    break
                taken.append(whole(connection, known.first))
            last = known
            if matching.has_text:  # to unpack messages is a turn in itself: a tenth of a millisecond without the lock
                searched += known.size
                if searched > _SEARCHED_BYTES:
                    break
            else:
                turns.take()
        else:
            is_last = looked_at < MOST_HEADS
    return taken, todo.after(None if is_last else last, down=down)


def _may_match(known: Segment, matching: Matching, filter_: bytes | None, messages: bytes | None) -> bool:
    """Whether a segment may have what is wanted, as far as one knows without reading all of it."""
    if not may_have(filter_, matching.pairs):
        return False
    if messages is None or known.codec != PACKED:
        return True
    try:
        # Room for all at once: a fifth of the time.
        return matching.has_text_in(zlib.decompress(messages, bufsize=max(1, min(known.size, _MOST_ROOM))))
    except zlib.error:  # whoever reads all of it will tell
        return True


def _bytes_or_none(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None
