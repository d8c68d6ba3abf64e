"""Reading the log: each function here is one trip to the file, and no transaction is open while a reader thinks.

They run on the thread of the asynchronous connection. Segments are unpacked after the transaction.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Generic, TypeVar

from observabilipy.encoding.ndjson import seconds_text
from observabilipy.models import LogEntry, LogQuery, from_micros
from observabilipy.ports import NdjsonPage
from observabilipy.storage.ndjson import pages_of
from observabilipy_sqlite import logs, pages
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.matching import Matching, Row
from observabilipy_sqlite.pages import Span
from observabilipy_sqlite.segment import Segment
from observabilipy_sqlite.values import unescaped

__all__ = ["Part", "count", "entries", "ndjson"]

T = TypeVar("T")

# Text that one trip looks at. Unpacked and put into lines it holds up other threads for about a millisecond; what is
# only searched for a text takes a twentieth of that.
_BYTES = 262_144
_SEARCHED_BYTES = 4_194_304


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """What one trip gave: so many entries, in whatever form, and what is left to be read."""

    items: list[T]
    entries: int
    rest: Span


def entries(database: Database, query: LogQuery, todo: Span | None, left: int) -> Part[LogEntry]:
    """The next entries, at most ``left``; without ``todo`` the first ones."""
    rows, generation, rest = _rows(database, query, todo, left)
    return Part([_entry(generation, row) for row in rows], len(rows), rest)


def ndjson(database: Database, query: LogQuery, todo: Span | None, left: int) -> Part[NdjsonPage]:
    """The same as pages of NDJSON."""
    rows, generation, rest = _rows(database, query, todo, left)
    return Part(list(pages_of(_lines(generation, rows))), len(rows), rest)


def count(database: Database, query: LogQuery, todo: Span | None) -> Part[None]:
    """How many the next entries are; their number may be beyond the limit of the query."""
    matching = Matching(query)
    if matching.looks_inside:
        rows, _, rest = _rows(database, query, todo, 2**63)
        return Part([], len(rows), rest)

    def look(connection: sqlite3.Connection) -> tuple[Span, int, list[Segment], Span]:
        where = pages.begin(connection, query) if todo is None else pages.go_on(connection, todo)
        found = pages.heads(connection, where, matching.segments())
        known, unknown = 0, []
        last = None
        for last in found:
            within = last.is_sound and where.low <= last.first and last.end <= where.high
            kinds = None
            if within and matching.all_within(last.oldest, last.newest):
                kinds = logs.shares(connection, [last])
            if kinds is not None:
                known += sum(number for level, number, *_ in kinds if matching.wants_level(level))
            else:
                unknown.append(pages.whole(connection, last.first))
                if len(unknown) == _UNPACKED:
                    break
        is_last = last is None or (last is found[-1] and len(found) < pages.MOST_HEADS)
        return where, known, unknown, where.after(None if is_last else last, down=False)

    where, number, unknown, rest = database.read(look)
    for segment in unknown:
        if database.damage.is_readable(segment):
            number += matching.count(segment, where.low, where.high)
    return Part([], number, rest)


_UNPACKED = 16  # segments of which a trip that counts looks at the times


def _rows(database: Database, query: LogQuery, todo: Span | None, left: int) -> tuple[list[Row], str, Span]:
    """The next rows, at most ``left``, with their generation and what is left."""
    matching = Matching(query)
    down = query.order == "desc"
    most = _SEARCHED_BYTES if matching.looks_inside else _BYTES

    def look(connection: sqlite3.Connection) -> tuple[Span, list[Segment], Span]:
        where = pages.begin(connection, query) if todo is None else pages.go_on(connection, todo)
        return where, *pages.segments(connection, where, matching, down=down, most_bytes=most)

    where, found, rest = database.read(look)
    taken: list[Row] = []
    size = 0
    for segment in found:
        if not database.damage.is_readable(segment):
            continue
        rows = matching.rows(segment, where.low, where.high)
        if down:
            rows.reverse()
        taken += rows[: left - len(taken)]
        size += segment.size * len(rows) // segment.entries
        if len(taken) == left or size > _BYTES:
            rest = where.after(segment, down=down)
            break
    return taken, where.generation, rest


def _entry(generation: str, row: Row) -> LogEntry:
    position, micros, level, message, attributes = row
    return LogEntry(
        from_micros(micros),
        unescaped(level),
        unescaped(message),
        json.loads(attributes),
        cursor=f"{generation}-{position}",
    )


def _lines(generation: str, rows: list[Row]) -> bytes:
    """The very bytes that encode_entry makes of each entry."""
    return "".join(
        [
            f'{{"cursor":"{generation}-{position}","timestamp":{seconds_text(micros)},"level":"{level}",'
            f'"message":"{message}","attributes":{attributes}}}\n'
            for position, micros, level, message, attributes in rows
        ]
    ).encode()
