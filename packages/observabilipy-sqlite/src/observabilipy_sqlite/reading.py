"""Reading the log: each function here is one trip to the file, and no transaction is open while a reader thinks.

They run on the thread of the asynchronous connection. Segments are unpacked after the transaction.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from observabilipy.encoding.ndjson import seconds_text
from observabilipy.models import LogEntry, LogQuery, LogVolume, from_micros
from observabilipy.models.volume import volumes_of
from observabilipy.ports import NdjsonPage
from observabilipy.storage.ndjson import pages_of
from observabilipy_sqlite import pages
from observabilipy_sqlite.courier import Courier
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.matching import Matching, Row
from observabilipy_sqlite.pages import Span
from observabilipy_sqlite.segment import Segment, is_intact
from observabilipy_sqlite.turns import Turns
from observabilipy_sqlite.values import unescaped

__all__ = ["Part", "Volume", "count", "entries", "ndjson", "volume", "volumes"]

T = TypeVar("T")

Volume: TypeAlias = tuple[tuple[int, str], int]
"""The number of a step of time, a level, and how many entries they have."""

# Text that one trip reads. Unpacked and put into lines it holds up other threads for about a millisecond; where level,
# text or attributes decide, a part of it is.
_BYTES = 262_144
_SIFTED_BYTES = 1_048_576
_FOUND_BYTES = 524_288


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
    where, told, others, rest = database.read(partial(_told, query=query, matching=matching, todo=todo))
    number = sum(count for _, level, count in told if matching.wants_level(level))
    for segment in _intact(others):
        number += matching.count(segment, where.low, where.high)
    return Part([], number, rest)


def volume(database: Database, query: LogQuery, todo: Span | None, step: int) -> Part[Volume]:
    """The next entries, counted by number of the step of so many microseconds and by level."""
    matching = Matching(query)
    counts: Counter[tuple[int, str]] = Counter()
    if matching.looks_inside:
        rows, _, rest = _rows(database, query, todo, 2**63)
        counts.update((micros // step, level) for _, micros, level, _, _ in rows)
    else:
        look = partial(_told, query=query, matching=matching, todo=todo, step=step)
        where, told, others, rest = database.read(look)
        for number, level, count in told:
            if matching.wants_level(level):
                counts[number, level] += count
        for segment in _intact(others):
            counts.update(matching.volume(segment, where.low, where.high, step))
    volumes = [((number, unescaped(level)), count) for (number, level), count in counts.items()]
    return Part(volumes, counts.total(), rest)


_OTHERS = 16  # segments of which a trip that counts looks at the times
_ALL_TIME = 2**62  # a step that is as long as all time


def _told(
    connection: sqlite3.Connection, query: LogQuery, matching: Matching, todo: Span | None, step: int = _ALL_TIME
) -> tuple[Span, list[tuple[int, str, int]], list[Segment], Span]:
    """What the shares tell of the next entries by number of the step and level, and the segments to be looked into."""
    wanted = matching.segments()
    if todo is None:
        todo = pages.narrowed(connection, pages.begin(connection, query), wanted)
    else:
        todo = pages.go_on(connection, todo)
    told = matching.told(todo.low, todo.high, step)
    some, heads = pages.strip(connection, todo, wanted, told, _OTHERS)
    others = [pages.whole(connection, head.first) for head in heads]
    return some, pages.shares(connection, some, wanted, told, step), others, Span(todo.generation, some.high, todo.high)


def _intact(segments: list[Segment]) -> Iterator[Segment]:
    """Those that can be read, with a turn for other threads after each."""
    turns = Turns()
    for segment in segments:
        if is_intact(segment):
            yield segment
        turns.take()


def _rows(database: Database, query: LogQuery, todo: Span | None, left: int) -> tuple[list[Row], str, Span]:
    """The next rows, at most ``left``, with their generation and what is left."""
    matching = Matching(query)
    down = query.order == "desc"
    most = _FOUND_BYTES if matching.looks_inside else _SIFTED_BYTES if matching.sifts else _BYTES

    def look(connection: sqlite3.Connection) -> tuple[Span, list[Segment], Span]:
        where = pages.begin(connection, query) if todo is None else pages.go_on(connection, todo)
        return where, *pages.segments(connection, where, matching, down=down, most_bytes=most)

    where, found, rest = database.read(look)
    taken: list[Row] = []
    size = 0
    for segment in _intact(found):
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


async def volumes(courier: Courier, database: Database, query: LogQuery, step: int) -> AsyncIterator[LogVolume]:
    """How many entries of each level there are in each step of so many microseconds."""
    counts: Counter[tuple[int, str]] = Counter()
    todo: Span | None = None
    while todo is None or not todo.is_empty:
        part = await courier.carry(partial(volume, database, query, todo, step))
        counts.update(dict(part.items))
        todo = part.rest
    for found in volumes_of(counts, step):
        yield found
