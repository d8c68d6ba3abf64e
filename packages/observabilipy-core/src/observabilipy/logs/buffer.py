"""LogBuffer: records on their way from the application to the runtime."""

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from logging import LogRecord
from operator import itemgetter
from typing import Protocol, TypeAlias

from observabilipy import process
from observabilipy.logs.context import current_context
from observabilipy.logs.exceptions import with_exception
from observabilipy.models import LEVELS, RANKS, Clock

__all__ = ["WAKE_EVERY", "Append", "Attributes", "Buffer", "Dropped", "LogBuffer", "LogCall", "Record", "told_as"]

Attributes: TypeAlias = Mapping[str, object] | LogRecord
"""What an entry tells beside its message; of standard logging the whole record, which is read later."""

Record: TypeAlias = tuple[int, float, str | int, object, Attributes, Mapping[str, object]]
"""What a call leaves behind: sequence, timestamp, level, message, attributes, context.

Sequences order the records of a process. A plain tuple is made in 30 ns, a NamedTuple in 300.
"""

Dropped: TypeAlias = Callable[[str, str], None]
"""Called with the level of a record that is given up, and the reason."""

WAKE_EVERY = 250
"""Records that are a full batch: they are carried away before the next interval."""


class LogCall(Protocol):
    """Records an entry of one level; ``message`` is positional only, so attributes may have any name."""

    def __call__(self, message: str, /, **attributes: object) -> None:
        """Record it."""


class Append(Protocol):
    """Takes a record; ``rank`` is the one of the five levels that it counts as. The mappings do not change any more."""

    def __call__(  # noqa: PLR0917 - called for every record: keywords cost
        self,
        rank: str,
        timestamp: float,
        level: str | int,
        message: object,
        attributes: Attributes,
        context: Mapping[str, object],
        /,
    ) -> None:
        """Take it."""


class Buffer(Protocol):
    """What the calls that log need of a buffer."""

    @property
    def append(self) -> Append:
        """Take a record."""
        ...

    def call(self, level: str, clock: Clock, bound: Mapping[str, object]) -> LogCall:
        """The call of a logger that takes records of this level, and gives them the attributes that are bound."""
        ...


def told_as(call: LogCall, level: str) -> LogCall:
    """What ``help()`` and a TypeError say of it."""
    call.__name__ = call.__qualname__ = level.lower()  # type: ignore[attr-defined]  # of a function
    call.__doc__ = f"Record an entry of level {level}: a message, and attributes as key=value."
    return call


class LogBuffer:
    """A bounded buffer without a lock.

    Each level has its own queue, so that a full buffer gives up the lowest level first: the oldest record of the
    lowest level that has one, unless the newcomer itself is lower. Every record given up is counted by level.

    Args:
        max_entries: how many records wait at most.
        dropped: called for each record given up.
        full_batch: called after every 250 records, to have them carried away before the next interval.
    """

    append: Append

    def __init__(self, max_entries: int, dropped: Dropped, full_batch: Callable[[], None]) -> None:
        self._max_entries = max_entries
        self._dropped = dropped
        self._full_batch = full_batch
        self._queues: dict[str, deque[Record]] = {level: deque() for level in LEVELS}
        self._next_sequence = itertools.count().__next__
        self._closed = False
        self.append = self._appending()
        self._begin()

    def _begin(self) -> None:
        for queue in self._queues.values():
            queue.clear()
        sequence = self._next_sequence()
        self._limit = sequence + 1 + self._max_entries  # the first sequence number that finds the buffer full
        self._full = sequence + WAKE_EVERY  # the one that makes the next batch full
        self._mark = 0  # the first one that needs a closer look: never above the other two

    def __len__(self) -> int:
        """How many records wait."""
        return sum(map(len, self._queues.values()))

    def call(self, level: str, clock: Clock, bound: Mapping[str, object]) -> LogCall:
        """What ``append`` does, in one piece: 0.45 microseconds instead of 0.55, or 0.9 as methods."""
        next_sequence = self._next_sequence
        put = self._queues[level].append

        def call(message: str, /, **attributes: object) -> None:
            if process.asleep:
                process.wake()
            sequence = next_sequence()
            if sequence >= self._mark and not self._has_room(sequence, level):
                return
            if "exc_info" in attributes:  # now: the thread that carries it away handles no exception
                attributes = with_exception(attributes)
            if bound:
                attributes = {**bound, **attributes}
            put((sequence, clock(), level, message, attributes, current_context()))

        return told_as(call, level)

    def drain(self) -> list[Record]:
        """Take all records out, in the order in which they were made."""
        taken: list[Record] = []
        for queue in self._queues.values():
            try:
                for _ in range(len(queue)):
                    taken.append(queue.popleft())  # noqa: PERF401 - one by one, so that an IndexError keeps the rest
            except IndexError:  # a full buffer gave up records meanwhile
                pass
        count = len(taken)  # not below: no call between reading and setting, see _has_room
        if not self._closed:
            self._limit += count
        taken.sort(key=_sequence)
        return taken

    def begin_anew(self) -> None:
        """In a forked child: what waits here is the parent's."""
        self._begin()

    def close(self) -> None:
        """From now on every record is given up, and counted with the reason "closed"."""
        self._closed = True
        self._mark = self._limit = 0

    def _appending(self) -> Append:
        queues = {level: queue.append for level, queue in self._queues.items()}
        next_sequence = self._next_sequence

        def append(  # noqa: PLR0917 - called for every record: keywords cost
            rank: str,
            timestamp: float,
            level: str | int,
            message: object,
            attributes: Attributes,
            context: Mapping[str, object],
            /,
        ) -> None:
            sequence = next_sequence()
            if sequence >= self._mark and not self._has_room(sequence, rank):
                return
            queues[rank]((sequence, timestamp, level, message, attributes, context))

        return append

    def _has_room(self, sequence: int, newcomer: str) -> bool:
        """The closer look: a batch is full, or the buffer is. False when the newcomer is given up."""
        if sequence >= self._full:
            self._full = sequence + WAKE_EVERY
            self._full_batch()
        has_room = sequence < self._limit or self._make_room(newcomer)
        # No call between reading and setting, so that no other thread comes in between; see ARCHITECTURE, "No lock".
        self._mark = self._full if self._full < self._limit else self._limit  # noqa: FURB136 - min is a call
        return has_room

    def _make_room(self, newcomer: str) -> bool:
        """Give up one record; False when that is the newcomer."""
        if self._closed:
            self._dropped(newcomer, "closed")
            return False
        self._limit += 1
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


_sequence = itemgetter(0)
