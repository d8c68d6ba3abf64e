"""Stretches of the history in SQL: times that follow one another, and chunks with the points of 64 series each.

All chunks of a stretch become readable in the transaction that deletes what they were made of, so that a reader finds
each point once, and whoever was interrupted has changed nothing.
"""

import secrets
import sqlite3
import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from observabilipy_sqlite import logs
from observabilipy_sqlite.columns import (
    Run,
    array_bytes,
    array_of,
    packed,
    packed_column,
    unpacked,
    unpacked_column,
)
from observabilipy_sqlite.frames import SLICE
from observabilipy_sqlite.tiers import Tiers

__all__ = [
    "BEING_DELETED",
    "BEING_WRITTEN",
    "READABLE",
    "Chunk",
    "Draft",
    "Lost",
    "Stretch",
    "abandon",
    "begin",
    "cut",
    "erase",
    "finish",
    "give_up_oldest",
    "is_readable",
    "put",
    "read_chunks",
    "replace",
    "select",
    "slices",
    "too_old",
]

BEING_WRITTEN, READABLE, BEING_DELETED = 0, 1, 2

_DEAD_MICROS = 600 * 1_000_000  # what nobody went on writing for so long is nobody's any more
_TOLD_MICROS = 60 * 1_000_000  # whoever goes on says so as often: each statement takes the interpreter's lock
_AXIS_LEVEL = 6
_CHUNKS_A_STEP = 64  # deleted in one transaction
_COLUMNS = "id, step, sealed, oldest, newest, since, times, CAST(axis AS BLOB)"


class Lost(Exception):
    """Somebody else changed what this was made of, or took it away: nothing was done."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Times that follow one another. The fields are those of the table; ``points`` is counted when it is stored."""

    id: int
    step: int
    sealed: bool
    oldest: int
    newest: int
    since: int
    times: int
    axis: bytes

    def read_axis(self) -> tuple[list[int], list[int]]:
        """The times in microseconds, and how many series have a value at each.

        Raises:
            ValueError: they are damaged.
        """
        try:
            raw = zlib.decompress(self.axis)
            times, at = unpacked_column(raw, 0, self.times)
            counts, _ = unpacked_column(raw, at, self.times)
        except (zlib.error, struct.error, LookupError) as error:
            raise ValueError(f"the times of stretch {self.id} are damaged: {error}") from error
        return list(times), list(counts)  # type: ignore[arg-type] # whole ones were packed


class Chunk(NamedTuple):
    """The points of one slice of a stretch, packed."""

    stretch: int
    slice: int
    directory: bytes
    checksum: int
    data: bytes

    def read(self, wanted: Iterable[int] | None = None) -> tuple[dict[int, list[Run]], set[int]]:
        """Runs by series, and the series that are damaged; of those that are wanted, or all.

        Raises:
            ValueError: nobody knows whose points these are.
        """
        if zlib.crc32(self.directory) != self.checksum:
            raise ValueError(f"the directory of slice {self.slice} in stretch {self.stretch} is damaged")
        count = len(self.directory) // 5
        places, lengths = self.directory[:count], array_of("I", self.directory[count:])
        only = None if wanted is None else set(wanted)
        found: dict[int, list[Run]] = {}
        damaged = set()
        at = 0
        for place, length in zip(places, lengths, strict=True):
            series = self.slice * SLICE + place
            if only is None or series in only:
                try:
                    found[series] = unpacked(self.data[at : at + int(length)])
                except ValueError:
                    damaged.add(series)
            at += int(length)
        return found, damaged


@dataclass(slots=True)
class Draft:
    """A stretch that is being written: how many values there are at each time is counted on the way."""

    id: int
    token: bytes  # in place of the axis: an id may be given anew to another draft, when this one was given up for dead
    generation: str
    step: int
    oldest: int
    newest: int
    times: Sequence[int]
    told: int  # microseconds; when it was said last that somebody writes it
    changes: list[int]
    counts: list[int] = field(default_factory=list)
    axis: bytes = b""

    def chunk(self, slice_: int, points: Mapping[int, Sequence[Run]], turn: Callable[[], object]) -> Chunk:
        """Pack the points of a slice; ``turn`` is called after each series, so that others have theirs."""
        pieces = []
        series = sorted(one for one in points if points[one])
        for one in series:
            for run in points[one]:
                self.changes[run.start] += 1
                self.changes[run.end] -= 1
            pieces.append(packed(points[one]))
            turn()
        places = bytes(one - slice_ * SLICE for one in series)
        directory = places + array_bytes(array("I", map(len, pieces)))
        return Chunk(self.id, slice_, directory, zlib.crc32(directory), b"".join(pieces))

    def close(self) -> None:
        """There are no more chunks: pack the axis, which nobody should wait for while it is made readable."""
        self.counts = list(accumulate(self.changes))[:-1]
        self.axis = zlib.compress(packed_column(list(self.times)) + packed_column(self.counts), _AXIS_LEVEL)


def begin(
    connection: sqlite3.Connection, step: int, span: tuple[int, int], times: Sequence[int], *, now: int, generation: str
) -> Draft:
    """Begin a stretch that stands for samples from the one time to the other (microseconds)."""
    _check(connection, generation)
    token = secrets.token_bytes(8)
    (number,) = connection.execute(
        "INSERT INTO stretch (state, step, sealed, oldest, newest, since, points, changed, times, axis)"
        " VALUES (0, ?, 0, ?, ?, ?, 0, ?, 0, ?) RETURNING id",
        (step, *span, span[0], now, token),
    ).fetchone()
    return Draft(number, token, generation, step, *span, times, now, [0] * (len(times) + 1))


def put(connection: sqlite3.Connection, draft: Draft, chunk: Chunk, now: int) -> None:
    """Store a chunk of what is being written, in one statement: each asks for the interpreter's lock back.

    Raises:
        Lost: it was given up for dead.
    """
    if abs(now - draft.told) > _TOLD_MICROS:
        connection.execute(
            "UPDATE stretch SET changed = ? WHERE id = ? AND state = 0 AND axis = ?", (now, *_name(draft))
        )
        draft.told = now
    inserted = connection.execute(
        "INSERT OR REPLACE INTO chunk (stretch, slice, directory, checksum, data) SELECT ?, ?, ?, ?, ?"
        " WHERE (SELECT generation FROM meta) = ?"
        " AND EXISTS (SELECT 1 FROM stretch WHERE id = ? AND state = 0 AND axis = ?)",
        (*chunk, draft.generation, *_name(draft)),
    )
    if inserted.rowcount != 1:
        raise Lost


def finish(connection: sqlite3.Connection, draft: Draft, since: int, now: int, *, sealed: bool) -> None:
    """Make a stretch that was closed readable; what is older than ``since`` (microseconds) was deleted meanwhile.

    Raises:
        Lost: it was given up for dead.
    """
    _check(connection, draft.generation)
    updated = connection.execute(
        "UPDATE stretch SET state = ?, sealed = ?, since = ?, points = ?, changed = ?, times = ?, axis = ?"
        " WHERE id = ? AND state = 0 AND axis = ?",
        (
            READABLE,
            sealed,
            since,
            sum(draft.counts[bisect_left(draft.times, since) :]),
            now,
            len(draft.counts),
            draft.axis,
            *_name(draft),
        ),
    )
    if updated.rowcount != 1:
        raise Lost


def abandon(connection: sqlite3.Connection, draft: Draft, now: int) -> None:
    """Give up what is being written."""
    connection.execute(
        "UPDATE stretch SET state = ?, changed = ? WHERE id = ? AND state = 0 AND axis = ?",
        (BEING_DELETED, now, *_name(draft)),
    )


def replace(connection: sqlite3.Connection, sources: Sequence[Stretch], now: int) -> int:
    """Delete stretches of which others were made. Gives since when something is left of them.

    Raises:
        Lost: somebody was faster.
    """
    ids = _list(source.id for source in sources)
    since, oldest = connection.execute(
        f"SELECT max(iif(since > oldest, since, NULL)), min(oldest) FROM stretch WHERE id IN {_EACH} AND state = 1",  # noqa: S608 - a constant
        (ids,),
    ).fetchone()
    gone = connection.execute(
        f"UPDATE stretch SET state = {BEING_DELETED}, changed = ? WHERE id IN {_EACH} AND state = {READABLE}",  # noqa: S608 - constants
        (now, ids),
    )
    if gone.rowcount != len(sources):
        raise Lost
    return int(oldest if since is None else since)


def select(connection: sqlite3.Connection, where: str, *values: object) -> list[Stretch]:
    """Readable stretches for which a condition holds, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM stretch WHERE state = {READABLE} AND {where} ORDER BY oldest, id",  # noqa: S608 - constants, and conditions of ours
        values,
    )
    return [Stretch(number, step, bool(sealed), *rest) for number, step, sealed, *rest in rows]


def is_readable(connection: sqlite3.Connection, ids: Sequence[int]) -> bool:
    """Whether all of these are still what there is."""
    (left,) = connection.execute(
        f"SELECT count(*) FROM stretch WHERE id IN {_EACH} AND state = {READABLE}",  # noqa: S608 - constants
        (_list(ids),),
    ).fetchone()
    return bool(left == len(ids))


def read_chunks(connection: sqlite3.Connection, stretch: int, slices: Iterable[int]) -> list[Chunk]:
    """Chunks of some slices of one stretch, as far as there are any."""
    rows = connection.execute(
        # As bytes: one flipped bit makes text of a column, which sqlite3 could not decode.
        "SELECT stretch, slice, CAST(directory AS BLOB), checksum, CAST(data AS BLOB) FROM chunk"  # noqa: S608 - constants
        f" WHERE stretch = ? AND slice IN {_EACH}",
        (stretch, _list(slices)),
    )
    return list(map(Chunk._make, rows))


def cut(connection: sqlite3.Connection, micros: int, now: int) -> int:
    """Delete what is older than microseconds from all stretches. Gives how many points went."""
    (gone,) = connection.execute(
        "SELECT coalesce(sum(points), 0) FROM stretch WHERE state = ? AND newest < ?", (READABLE, micros)
    ).fetchone()
    connection.execute(
        "UPDATE stretch SET state = ?, changed = ? WHERE state = ? AND newest < ?",
        (BEING_DELETED, now, READABLE, micros),
    )
    for stretch in select(connection, "oldest < ? AND since < ?", micros, micros):
        try:
            times, counts = stretch.read_axis()
        except ValueError:
            continue  # nobody reads it either
        start, end = bisect_left(times, stretch.since), bisect_left(times, micros)
        went = sum(counts[start:end])
        connection.execute(
            "UPDATE stretch SET since = ?, points = points - ?, changed = ? WHERE id = ?",
            (micros, went, now, stretch.id),
        )
        gone += went
    return int(gone)


def too_old(connection: sqlite3.Connection, tiers: Tiers, now: int) -> list[int]:
    """Ids of stretches that are too old, or nobody's; first those whose deletion has begun.

    What is still to be thinned stays for as long as anything does.
    """
    rows = connection.execute(
        "SELECT id, state, step, sealed, newest, changed FROM stretch WHERE state <> ? OR newest < ?"
        " ORDER BY state DESC, id",
        (READABLE, now - round(tiers.age(0) * 1_000_000)),
    )
    return [
        number
        for number, state, step, sealed, newest, changed in rows
        if state == BEING_DELETED
        or (state == BEING_WRITTEN and abs(now - changed) > _DEAD_MICROS)
        or (state == READABLE and newest < now - round((tiers.age(step) if sealed else tiers.longest) * 1_000_000))
    ]


def erase(connection: sqlite3.Connection, stretch: int, now: int) -> bool:
    """Delete some chunks of a stretch, which nobody reads from now on; True when it is gone."""
    connection.execute(
        "UPDATE stretch SET state = ?, changed = ? WHERE id = ? AND state <> ?",
        (BEING_DELETED, now, stretch, BEING_DELETED),
    )
    deleted = connection.execute(
        "DELETE FROM chunk WHERE stretch = ? AND slice IN (SELECT slice FROM chunk WHERE stretch = ? LIMIT ?)",
        (stretch, stretch, _CHUNKS_A_STEP),
    )
    if deleted.rowcount == _CHUNKS_A_STEP:
        return False
    connection.execute("DELETE FROM stretch WHERE id = ?", (stretch,))
    return True


def give_up_oldest(connection: sqlite3.Connection) -> int | None:
    """Delete the oldest of the history, first of what takes most room: as it was sampled, then what is coarser.

    Gives how many points went; None when there is nothing.
    """
    gone = _give_up(connection, coarse=False)
    if gone is None:
        frame = connection.execute(
            "DELETE FROM frame WHERE timestamp = (SELECT min(timestamp) FROM frame) RETURNING points"
        ).fetchall()
        gone = int(frame[0][0]) if frame else _give_up(connection, coarse=True)
    return gone


def _give_up(connection: sqlite3.Connection, *, coarse: bool) -> int | None:
    # What is being deleted anyway comes first, and has no points any more.
    found = connection.execute(
        "SELECT id, iif(state = ?, points, 0) FROM stretch WHERE state <> ? AND (state = ? OR (step > 0) = ?)"
        " ORDER BY state DESC, step, oldest LIMIT 1",
        (READABLE, BEING_WRITTEN, BEING_DELETED, coarse),
    ).fetchone()
    if found is None:
        return None
    number, points = found
    connection.execute("DELETE FROM chunk WHERE stretch = ?", (number,))
    connection.execute("DELETE FROM stretch WHERE id = ?", (number,))
    return int(points)


def slices(connection: sqlite3.Connection, ids: Iterable[int]) -> list[int]:
    """The slices of which any of these stretches has points."""
    (found,) = connection.execute(
        f"SELECT group_concat(DISTINCT slice) FROM chunk WHERE stretch IN {_EACH}",  # noqa: S608 - constants
        (_list(ids),),
    ).fetchone()
    return sorted(map(int, found.split(","))) if found else []


_EACH = "(SELECT value FROM json_each(?))"


def _name(draft: Draft) -> tuple[int, bytes]:
    return draft.id, draft.token


def _list(numbers: Iterable[int]) -> str:
    return f"[{','.join(map(str, numbers))}]"


def _check(connection: sqlite3.Connection, generation: str) -> None:
    # Another file may have been put in the place of the one that was read: its ids are other series'.
    if logs.generation(connection) != generation:
        raise Lost
