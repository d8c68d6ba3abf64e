"""Scrubbing: what is told of segments is looked through, a few at a time, before anybody relies on it.

What retention and counting believe is in small rows, which nobody compares with the columns unless an entry is wanted.
"""

import sqlite3

from observabilipy_sqlite import logs, pages
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.segment import Segment, thinned

__all__ = ["Scrubber"]

_STEP_SEGMENTS = 64  # 0.5 ms a second of maintenance; 100 million entries are seen in half an hour


class Scrubber:
    """Goes round the segments of one file for ever.

    What is wrong about the levels of a segment is told anew from its columns; one that cannot be read goes, counted.
    """

    def __init__(self) -> None:
        self._after = -(2**63)

    def work(self, database: Database) -> None:
        """Look at the next segments."""
        generation, heads, doubtful = database.read(self._next)
        self._after = heads[-1].first if len(heads) == _STEP_SEGMENTS else -(2**63)
        for segment in doubtful:
            new = None
            if database.damage.is_readable(segment):
                columns = segment.read()
                new = thinned(segment, columns, [True] * len(columns.micros))
            elif segment.is_sound and not segment.is_known:
                continue

            def mend(connection: sqlite3.Connection, old: Segment = segment, new: logs.Rewritten = new) -> None:
                if logs.generation(connection) == generation:
                    logs.replace(connection, [old], new)

            database.write(mend)

    def _next(self, connection: sqlite3.Connection) -> tuple[str, list[Segment], list[Segment]]:
        heads = pages.heads_after(connection, self._after, _STEP_SEGMENTS)
        is_fine = not heads or (all(head.is_sound for head in heads) and logs.shares(connection, heads) is not None)
        doubtful = [] if is_fine else [head for head in heads if not _is_fine(connection, head)]
        return logs.generation(connection), heads, [pages.whole(connection, head.first) for head in doubtful]


def _is_fine(connection: sqlite3.Connection, head: Segment) -> bool:
    return head.is_sound and logs.shares(connection, [head]) is not None
