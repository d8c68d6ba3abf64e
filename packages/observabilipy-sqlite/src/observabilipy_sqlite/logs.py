"""The log in SQL: what it takes in, what it knows, what it gives up. Each function works inside a transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from observabilipy.encoding.encoded_entries import encoded
from observabilipy.models import LevelFacts, LogEntry, LogFacts, from_micros
from observabilipy_sqlite.segment import Segment, Share, segments_of
from observabilipy_sqlite.values import unescaped, whole_numbers

__all__ = [
    "Prepared",
    "append",
    "count",
    "drop",
    "ends",
    "facts",
    "generation",
    "prepared",
    "remove",
    "remove_stray_shares",
    "replace",
    "shares",
]

Prepared: TypeAlias = Sequence[tuple[Segment, list[Share]]]
"""Segments as they will be written, but for their positions."""

_SEGMENT = (
    "INSERT INTO segment (first, places, entries, bytes, oldest, newest, levels, codec) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_BODY = (
    "INSERT INTO body (first, names, checksum, filter, timestamps, codes, messages, attributes)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SHARE = "INSERT INTO share (first, level, entries, bytes, oldest, newest) VALUES (?, ?, ?, ?, ?, ?)"
_NUMBERS = whole_numbers("entries", "bytes", "oldest", "newest")
_SUMS = whole_numbers("sum(entries)", "sum(bytes)", "min(oldest)", "max(newest)")
_VERSION = whole_numbers("places", "entries", "codec")  # which rewriting of a segment it is


def prepared(entries: Iterable[LogEntry]) -> Prepared:
    """What is stored of entries; to be made before the transaction, which holds the write lock."""
    return segments_of(encoded(entries))


def append(connection: sqlite3.Connection, new: Prepared) -> None:
    """Store segments at the next positions."""
    places = sum(segment.places for segment, _ in new)
    if not places:
        return
    (upcoming,) = connection.execute("UPDATE meta SET upcoming = upcoming + ? RETURNING upcoming", (places,)).fetchone()
    start = upcoming - places
    for segment, shares_ in new:
        _insert(connection, segment, shares_, start + segment.first)


def generation(connection: sqlite3.Connection) -> str:
    """Which life of the store this is."""
    return str(connection.execute("SELECT generation FROM meta").fetchone()[0])


def ends(connection: sqlite3.Connection) -> LogFacts:
    """The generation, the oldest position and the next one, without levels."""
    # A segment begins and ends with an entry.
    name, oldest, upcoming = connection.execute(
        "SELECT generation, (SELECT min(first) FROM segment), upcoming FROM meta"
    ).fetchone()
    return LogFacts(name, upcoming if oldest is None else oldest, upcoming)


def facts(connection: sqlite3.Connection) -> LogFacts:
    """Everything that is known of the log without reading it."""
    known = ends(connection)
    levels = {
        unescaped(name.decode(errors="replace")): LevelFacts(count, from_micros(oldest), from_micros(newest), size)
        for name, count, size, oldest, newest in connection.execute(
            # No text: one name that is damaged would cost all that is known.
            f"SELECT CAST(level AS BLOB), {_SUMS} FROM share GROUP BY level ORDER BY level"  # noqa: S608 - our own text
        )
    }
    return LogFacts(known.generation, known.oldest, known.upcoming, levels)


def count(connection: sqlite3.Connection) -> int:
    """How many entries there are."""
    return int(connection.execute("SELECT coalesce(sum(entries), 0) FROM segment").fetchone()[0])


def shares(connection: sqlite3.Connection, first: int, last: int) -> list[Share]:
    """What the segments from one to another have of each level."""
    rows = connection.execute(
        f"SELECT CAST(level AS BLOB), {_NUMBERS} FROM share WHERE first BETWEEN ? AND ?",  # noqa: S608 - our own text
        (first, last),
    )
    return [(name.decode(errors="replace"), *numbers) for name, *numbers in rows]


def remove(connection: sqlite3.Connection, known: Segment) -> bool:
    """Remove a segment, unless somebody has rewritten or removed it meanwhile."""
    removed = connection.execute(
        f"DELETE FROM segment WHERE first = ? AND ({_VERSION}) = (?, ?, ?)",  # noqa: S608 - our own text
        (known.first, known.places, known.entries, known.codec),
    ).rowcount
    if removed:
        connection.execute("DELETE FROM body WHERE first = ?", (known.first,))
        connection.execute("DELETE FROM share WHERE first = ?", (known.first,))
    return bool(removed)


def drop(connection: sqlite3.Connection, first: int) -> Counter[str]:
    """Remove a segment whatever it is by now. Gives how many entries of each level went."""
    levels = connection.execute(
        f"SELECT CAST(level AS BLOB), {whole_numbers('entries')} FROM share WHERE first = ?",  # noqa: S608 - our own text
        (first,),
    ).fetchall()
    for table in ("segment", "body", "share"):
        connection.execute(f"DELETE FROM {table} WHERE first = ?", (first,))  # noqa: S608 - our own text
    return Counter({unescaped(name.decode(errors="replace")): entries for name, entries in levels})


def remove_stray_shares(connection: sqlite3.Connection, first: int) -> None:
    """Remove what is told of a segment that is not there: damage took it, or gave it another number."""
    connection.execute(
        "DELETE FROM share WHERE first = ? AND NOT EXISTS (SELECT 1 FROM segment WHERE first = ?)", (first, first)
    )


def replace(connection: sqlite3.Connection, known: Sequence[Segment], new: tuple[Segment, list[Share]] | None) -> bool:
    """Put a segment in the place of others, or nothing; not if somebody has rewritten one of them meanwhile."""
    connection.execute("SAVEPOINT replacing")
    is_done = all(remove(connection, segment) for segment in known)
    if not is_done:
        connection.execute("ROLLBACK TO replacing")
    elif new is not None:
        segment, shares_ = new
        _insert(connection, segment, shares_, segment.first)
    connection.execute("RELEASE replacing")
    return is_done


def _insert(connection: sqlite3.Connection, segment: Segment, shares_: list[Share], first: int) -> None:
    connection.execute(
        _SEGMENT,
        (
            first,
            segment.places,
            segment.entries,
            segment.size,
            segment.oldest,
            segment.newest,
            segment.levels,
            segment.codec,
        ),
    )
    connection.execute(
        _BODY,
        (
            first,
            segment.names,
            segment.checksum,
            segment.filter,
            segment.timestamps,
            segment.codes,
            segment.messages,
            segment.attributes,
        ),
    )
    connection.executemany(_SHARE, [(first, *share) for share in shares_])
