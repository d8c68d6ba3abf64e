"""Cap: how large the file may become, and what it gives up so that new records fit into it.

The file never shrinks: what is deleted leaves free pages, which are used again. That is what lets a full file go on
while others fill the disk, and what spares it the copying of pages that shrinking costs.
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field

from observabilipy_sqlite import logs, stretches

__all__ = ["LEAST_MAX_BYTES", "Evicted", "bound", "evict", "missing_pages"]

LEAST_MAX_BYTES = 4 * 1024 * 1024
"""The smallest cap: a file with less would be emptied for every batch of a busy moment."""

_AS_LARGE_AS_IT_GETS = 2**32 - 2  # pages (sqlite.org/pragma.html#pragma_max_page_count)
_RESERVE_BYTES = 4 * 1024 * 1024  # free in a file at its cap: flushes between two rounds of maintenance find room
_RESERVE_SHARE = 16  # of a small file one part in so many is what else is 4 MiB
_STEP_SEGMENTS = 64  # given up in one transaction, some milliseconds of write lock
_STEP_FRAMES = 64
_MOST_RESERVES = 8  # beyond so many free ones, it is not the lack of pages that makes a write fail


@dataclass(slots=True)
class Evicted:
    """What a file at its cap gave up: entries of the log by level, and points of the history."""

    entries: Counter[str] = field(default_factory=Counter)
    points: int = 0
    anything: bool = False  # also what nobody could read any more

    def __bool__(self) -> bool:
        return self.anything or bool(self.entries) or self.points > 0


@dataclass(frozen=True, slots=True)
class _Pages:
    """Of a file, as a transaction sees it."""

    used: int  # the free ones included
    free: int
    most: int
    reserve: int

    @property
    def is_at_cap(self) -> bool:
        return self.used + self.reserve >= self.most


def bound(connection: sqlite3.Connection, max_bytes: int | None, *, grows: bool) -> None:
    """Let the file grow up to the cap, or not at all; for the connection, which forgets it when it is closed.

    A file that is larger already keeps its size: SQLite takes no less than the number of pages that there are.
    """
    most = 1 if not grows else _AS_LARGE_AS_IT_GETS if max_bytes is None else max_bytes // _page_size(connection)
    connection.execute(f"PRAGMA max_page_count = {most}")


def missing_pages(connection: sqlite3.Connection, max_bytes: int, *, grows: bool) -> int:
    """How many pages a file at its cap lacks of its reserve, so that a flush hardly ever meets the cap."""
    pages = _pages(connection, max_bytes)
    growth = max(0, pages.most - pages.used) if grows else 0
    return max(0, pages.reserve - pages.free - growth) if pages.is_at_cap else 0


def evict(connection: sqlite3.Connection, max_bytes: int, *, grows: bool, attempt: int = 0) -> Evicted:
    """Give up the oldest of the log, then of the history; some dozens of segments or frames at most.

    Args:
        connection: in a transaction that writes.
        max_bytes: the cap.
        grows: whether the disk has room. If it has none, nothing is given up but by a file at its cap: elsewhere it is
            others who lack the room, and what is deleted would make none for them.
        attempt: how often the same write has failed before: each time more is given up.
    """
    pages = _pages(connection, max_bytes)
    gone = Evicted()
    if not grows and (not pages.is_at_cap or pages.free >= _MOST_RESERVES * pages.reserve):
        return gone
    enough = pages.free + pages.reserve * 2 ** min(attempt, 16)
    for first in connection.execute("SELECT first FROM segment ORDER BY first LIMIT ?", (_STEP_SEGMENTS,)).fetchall():
        gone.entries.update(logs.drop(connection, *first))
        if _free(connection) >= enough:
            return gone
    if not gone:
        for _ in range(_STEP_FRAMES):
            points = stretches.give_up_oldest(connection)
            if points is None:
                break
            gone.points += points
            gone.anything = True
            if _free(connection) >= enough:
                break
    return gone


def _pages(connection: sqlite3.Connection, max_bytes: int) -> _Pages:
    size = _page_size(connection)
    (used,) = connection.execute("PRAGMA page_count").fetchone()
    reserve = min(_RESERVE_BYTES, max_bytes // _RESERVE_SHARE) // size
    return _Pages(used, _free(connection), max_bytes // size, reserve)


def _free(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def _page_size(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_size").fetchone()[0])
