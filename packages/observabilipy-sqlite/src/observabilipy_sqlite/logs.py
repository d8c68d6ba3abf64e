"""The log in SQL: what it takes in, what it knows, what it gives up. Each function works inside a transaction."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from observabilipy.encoding.encoded_entries import encoded
from observabilipy.models import LevelFacts, LogEntry, LogFacts, from_micros
from observabilipy_sqlite.checks import head_checksum, share_checksum
from observabilipy_sqlite.segment import Segment, Share, segments_of
from observabilipy_sqlite.values import unescaped, whole_numbers

__all__ = [
    "Prepared",
    "Rewritten",
    "append",
    "count",
    "drop",
    "ends",
    "facts",
    "generation",
    "note_skipped",
    "prepared",
    "remove",
    "remove_stray_shares",
    "replace",
    "shares",
]

Prepared: TypeAlias = Sequence[tuple[Segment, list[Share]]]
"""Segments as they will be written, but for their positions."""

Rewritten: TypeAlias = tuple[Segment, list[Share]] | None
"""What comes in the place of segments, if anything does."""

_SEGMENT = (
    "INSERT INTO segment (first, places, entries, bytes, oldest, newest, levels, codec, checksum)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Damage gives a row the number of one that is to come, and of a body or a share without its segment nobody has any use:
# without REPLACE such a row would make that commit, or that deletion, fail for ever.
_BODY = (
    "INSERT OR REPLACE INTO body (first, names, checksum, filter, timestamps, codes, messages, attributes)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SHARE = (
    "INSERT OR REPLACE INTO share (first, level, entries, bytes, oldest, newest, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
# Behind the last segment, too, of which damage may have made another one: at a position that is taken no commit would
# ever succeed.
_TAKE = (
    "UPDATE meta SET upcoming = max(upcoming, coalesce((SELECT first + min(places, 65536) FROM segment"
    " ORDER BY first DESC LIMIT 1), 1)) + ? RETURNING upcoming"
)
# What damage made of a number must not make retention believe that there is too much. A segment of 4 MiB has 512 Ki
# characters, each of which may take 6 bytes, or one entry.
_PLAUSIBLE = "entries BETWEEN 1 AND 4096 AND bytes >= 0 AND (bytes <= 4194304 OR entries = 1)"
_NUMBERS = whole_numbers("entries", "bytes", "oldest", "newest")
_SUMS = whole_numbers("sum(entries)", "sum(bytes)", "min(oldest)", "max(newest)")
# Which rewriting of a segment it is; as ``pages`` reads it, whatever damage made of a number.
_VERSION = " || ' ' || ".join(("first", *map(whole_numbers, ("places", "entries", "codec"))))
_EACH = "(SELECT value FROM json_each(?))"


def prepared(entries: Iterable[LogEntry]) -> Prepared:
    """What is stored of entries; to be made before the transaction, which holds the write lock."""
    return segments_of(encoded(entries))


def append(connection: sqlite3.Connection, new: Prepared) -> None:
    """Store segments at the next positions."""
    places = sum(segment.places for segment, _ in new)
    if not places:
        return
    (upcoming,) = connection.execute(_TAKE, (places,)).fetchone()
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
            f"SELECT CAST(level AS BLOB), {_SUMS} FROM share WHERE {_PLAUSIBLE} GROUP BY level ORDER BY level"  # noqa: S608 - our own text
        )
    }
    return LogFacts(known.generation, known.oldest, known.upcoming, levels)


def count(connection: sqlite3.Connection) -> int:
    """How many entries there are."""
    (number,) = connection.execute(
        f"SELECT coalesce(sum(entries), 0) FROM segment WHERE {_PLAUSIBLE}"  # noqa: S608 - our own text
    ).fetchone()
    return int(number)


def shares(connection: sqlite3.Connection, segments: Sequence[Segment]) -> list[Share] | None:
    """What segments that follow one another have of each level; None when what the file says of that is damaged."""
    rows = connection.execute(
        f"SELECT first, CAST(level AS BLOB), {_NUMBERS}, checksum FROM share WHERE first BETWEEN ? AND ?",  # noqa: S608 - our own text
        (segments[0].first, segments[-1].first),
    ).fetchall()
    found = [(name.decode(errors="replace"), *numbers) for _, name, *numbers, _ in rows]
    is_sound = all(row[-1] == share_checksum(row[0], share) for row, share in zip(rows, found, strict=True))
    is_all = sum(share[1] for share in found) == sum(segment.entries for segment in segments)
    return found if is_sound and is_all else None


def note_skipped(connection: sqlite3.Connection, found: Sequence[tuple[int, str]]) -> dict[str, int]:
    """Remember segments that cannot be read, by first position and reason. Gives how many nobody knew of."""
    counts: Counter[str] = Counter()
    for first, reason in found:
        new = connection.execute(
            "INSERT OR IGNORE INTO skipped (first, reason) VALUES (?, ?) RETURNING first", (first, reason)
        )
        counts[reason] += len(new.fetchall())
    return dict(+counts)


def remove(connection: sqlite3.Connection, known: Sequence[Segment]) -> set[int]:
    """Remove segments, but for those that somebody has rewritten or removed meanwhile. Gives the firsts of the others.

    By few statements, see ``bulk``: sealing puts hundreds of segments together.
    """
    versions = [f"{segment.first} {segment.places} {segment.entries} {segment.codec}" for segment in known]
    firsts = [segment.first for segment in known]
    (same,) = connection.execute(
        f"SELECT json_group_array(first) FROM segment WHERE first IN {_EACH} AND {_VERSION} IN {_EACH}",  # noqa: S608 - our own text
        (json.dumps(firsts), json.dumps(versions)),
    ).fetchone()
    _remove(connection, same)
    return set(json.loads(same))


def drop(connection: sqlite3.Connection, firsts: Sequence[int]) -> Counter[str]:
    """Remove segments whatever they are by now. Gives how many entries of each level went."""
    wanted = json.dumps(firsts)
    levels = connection.execute(
        f"SELECT CAST(level AS BLOB), {whole_numbers('sum(entries)')} FROM share"  # noqa: S608 - our own text
        f" WHERE first IN {_EACH} AND {_PLAUSIBLE} GROUP BY level",
        (wanted,),
    ).fetchall()
    _remove(connection, wanted)
    return Counter({unescaped(name.decode(errors="replace")): entries for name, entries in levels})


def _remove(connection: sqlite3.Connection, firsts: str) -> None:
    for table in ("segment", "body", "share"):
        connection.execute(f"DELETE FROM {table} WHERE first IN {_EACH}", (firsts,))  # noqa: S608 - our own text


def remove_stray_shares(connection: sqlite3.Connection, first: int) -> None:
    """Remove what is told of a segment that is not there: damage took it, or gave it another number."""
    connection.execute(
        "DELETE FROM share WHERE first = ? AND NOT EXISTS (SELECT 1 FROM segment WHERE first = ?)", (first, first)
    )


def replace(connection: sqlite3.Connection, known: Sequence[Segment], new: Rewritten) -> bool:
    """Put a segment in the place of others, or nothing; not if somebody has rewritten one of them meanwhile."""
    connection.execute("SAVEPOINT replacing")
    is_done = len(remove(connection, known)) == len(known)
    if not is_done:
        connection.execute("ROLLBACK TO replacing")
    elif new is not None:
        segment, shares_ = new
        _insert(connection, segment, shares_, segment.first)
    connection.execute("RELEASE replacing")
    return is_done


def _insert(connection: sqlite3.Connection, segment: Segment, shares_: list[Share], first: int) -> None:
    numbers = (
        first,
        segment.places,
        segment.entries,
        segment.size,
        segment.oldest,
        segment.newest,
        segment.levels,
        segment.codec,
    )
    connection.execute(_SEGMENT, (*numbers, head_checksum(*numbers)))
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
    connection.executemany(_SHARE, [(first, *share, share_checksum(first, share)) for share in shares_])
