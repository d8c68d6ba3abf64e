"""LogBuffer: records on their way from the application to the runtime."""

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from observabilipy.models import LEVELS, RANKS

__all__ = ["Dropped", "LogBuffer", "Record"]


class Record(NamedTuple):
    """What a call leaves behind. ``sequence`` orders the records of this process."""

    sequence: int
    timestamp: float
    level: str | int
    message: object
    attributes: Mapping[str, object]
    context: Mapping[str, object]


Dropped: TypeAlias = Callable[[str, str], None]
"""Called with the level of a record that is given up, and the reason."""

_WAKE_EVERY = 500
_new = tuple.__new__  # half the time of Record(...)


class LogBuffer:
    """A bounded buffer without a lock.

    Each level has its own queue, so that a full buffer gives up the lowest level first: the oldest record of the
    lowest level that has one, unless the newcomer itself is lower. Every record given up is counted by level.

    Args:
        max_entries: how many records wait at most.
        dropped: called for each record given up.
        full_batch: called after every 500 records, to have them carried away before the next interval.
    """

    def __init__(self, max_entries: int, dropped: Dropped, full_batch: Callable[[], None]) -> None:
        self._max_entries = max_entries
        self._dropped = dropped
        self._full_batch = full_batch
        self._queues: dict[str, deque[Record]] = {level: deque() for level in LEVELS}
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        for queue in self._queues.values():
            queue.clear()
        self._next_sequence = itertools.count().__next__
        self._limit = self._max_entries  # the first sequence number that finds the buffer full

    def __len__(self) -> int:
        """How many records wait."""
        return sum(map(len, self._queues.values()))

    def append(  # noqa: PLR0917 - called for every record: keywords cost
        self,
        rank: str,
        timestamp: float,
        level: str | int,
        message: object,
        attributes: Mapping[str, object],
        context: Mapping[str, object],
    ) -> None:
        """Take a record; ``rank`` is the one of the five levels that it counts as."""
        sequence = self._next_sequence()
        if sequence >= self._limit and not self._make_room(rank):
            return
        self._queues[rank].append(_new(Record, (sequence, timestamp, level, message, attributes, context)))
        if sequence % _WAKE_EVERY == _WAKE_EVERY - 1:
            self._full_batch()

    def drain(self) -> list[Record]:
        """Take all records out, in the order in which they were made."""
        taken: list[Record] = []
        for queue in self._queues.values():
            try:
                for _ in range(len(queue)):
                    taken.append(queue.popleft())  # noqa: PERF401 - one by one, so that an IndexError keeps the rest
            except IndexError:  # a full buffer gave up records meanwhile
                pass
        if not self._closed:
            self._limit += len(taken)
        taken.sort(key=_sequence)
        return taken

    def begin_anew(self) -> None:
        """In a forked child: what waits here is the parent's."""
        self._begin()

    def close(self) -> None:
        """From now on every record is given up, and counted with the reason "closed"."""
        self._closed = True
        self._limit = 0

    def _make_room(self, newcomer: str) -> bool:
        """Give up one record; False when that is the newcomer."""
        self._limit += 1
        if self._closed:
            self._limit = 0
            self._dropped(newcomer, "closed")
            return False
        for level in LEVELS:
            if RANKS[level] > RANKS[newcomer]:
                break
            try:
                self._queues[level].popleft()
            except IndexError:
                continue
            self._dropped(level, "buffer_full")
            return True
        self._dropped(newcomer, "buffer_full")
        return False


def _sequence(record: Record) -> int:
    return record.sequence
