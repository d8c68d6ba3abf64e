"""Sealing: the small segments of commits become large ones, which are packed; so does what retention leaves."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from observabilipy_sqlite import logs, pages
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.segment import MOST_BYTES, MOST_NAMES, MOST_PLACES, PACKED, Segment, Share, merged, shares_of

__all__ = ["Gatherer", "seal"]

_SLICE_SECONDS = 0.1  # of sealing, then whoever called has other things to do
_LONGEST_RUN = MOST_PLACES * 5 // 4  # so that commits of half a segment make one together
_FROM_THE_FIRST = -(2**63)
_WINDOW = 256  # packed segments looked at in one transaction: half a millisecond
_GATHER_SECONDS = 0.05
_WIDEST = 65_536  # places of a gathered segment: whoever reads it unpacks a byte for each


@dataclass(frozen=True, slots=True)
class _Run:
    """Segments that follow one another and are enough for one, with what they have of each level."""

    generation: str
    segments: list[Segment]
    shares: list[Share] | None
    """None when they are damaged: the columns know, too."""


def seal(database: Database) -> bool:
    """Seal what is enough for a segment, oldest first, for a tenth of a second at most. Whether there may be more.

    What is put together is prepared outside of the transaction that writes it; if somebody has rewritten any of it
    meanwhile, nothing is changed.
    """
    give_up = time.monotonic() + _SLICE_SECONDS
    while time.monotonic() < give_up:
        run = database.read(_next_run)
        if run is None or not _seal(database, run):
            return False
    return True


class Gatherer:
    """Goes round the packed segments of one file for ever, and puts together what retention by level left of them.

    Each time at least twice as much comes together as any of them had, so an entry is rewritten ten times at most.
    """

    def __init__(self) -> None:
        self._after = _FROM_THE_FIRST

    def work(self, database: Database) -> None:
        """Look at the next segments, for a twentieth of a second at most."""
        give_up = time.monotonic() + _GATHER_SECONDS
        while True:
            run = database.read(self._next)
            if run is None or not _seal(database, run) or time.monotonic() > give_up:
                return

    def _next(self, connection: sqlite3.Connection) -> _Run | None:
        heads = pages.heads_after(connection, self._after, _WINDOW)
        run: list[Segment] = []
        for head in heads:
            if _fits(run, head):
                run.append(head)
            elif _worthy(run):
                break
            else:
                run = [head] if _is_packed(head) else []
        worthy = _worthy(run)
        if not worthy:
            self._after = heads[-1].first if len(heads) == _WINDOW else _FROM_THE_FIRST
            return None
        self._after = worthy[0].first
        return _with_columns(connection, worthy)


def _fits(run: Sequence[Segment], head: Segment) -> bool:
    return _is_packed(head) and (
        not run
        or (
            sum(segment.entries for segment in run) + head.entries <= MOST_PLACES
            and sum(segment.size for segment in run) + head.size <= MOST_BYTES
            and head.end - run[0].first <= _WIDEST
        )
    )


def _is_packed(head: Segment) -> bool:
    return head.is_sound and head.codec == PACKED


def _worthy(run: Sequence[Segment]) -> Sequence[Segment]:
    """As many of the first ones as can be had so that none of them has more than half of all."""
    worthy = total = largest = 0
    for number, segment in enumerate(run, 1):
        total += segment.entries
        largest = max(largest, segment.entries)
        if total >= 2 * largest:
            worthy = number
    return run[:worthy]


def _seal(database: Database, run: _Run) -> bool:
    damaged = [segment for segment in run.segments if not database.damage.is_readable(segment)]
    # What is damaged nobody can read; it would stand in the way of the others for ever.
    new = None
    if not damaged:
        shares = run.shares
        if shares is None:
            shares = [share for segment in run.segments for share in shares_of(segment)]
        new = merged(run.segments, shares)
    known = damaged or run.segments

    def replace(connection: sqlite3.Connection) -> bool:
        # A file that was put in the place of the other has other entries at these positions.
        return logs.generation(connection) == run.generation and logs.replace(connection, known, new)

    return database.write(replace)


def _next_run(connection: sqlite3.Connection) -> _Run | None:
    run: list[Segment] = []
    is_enough = False
    size = 0
    for head in pages.plain_heads(connection):
        if not head.is_sound:
            return _Run(logs.generation(connection), [head], None)
        size += head.size
        if run and (head.end - run[0].first > _LONGEST_RUN or size > MOST_BYTES):
            is_enough = True
            break
        run.append(head)
    if not is_enough and run:
        is_enough = run[-1].end - run[0].first >= MOST_PLACES
    if not is_enough:
        return None
    return _with_columns(connection, run)


def _with_columns(connection: sqlite3.Connection, run: Sequence[Segment]) -> _Run:
    segments: list[Segment] = []
    names: set[str] = set()
    for head in run:
        segment = pages.whole(connection, head.first)
        names.update(segment.names.split("\n"))
        if segments and len(names) > MOST_NAMES:
            break
        segments.append(segment)
    shares = logs.shares(connection, segments)
    return _Run(logs.generation(connection), segments, shares)
