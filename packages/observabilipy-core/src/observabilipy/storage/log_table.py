"""LogTable: log entries in a list, in commit order. Not safe for threads: its owner holds the lock."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias

from observabilipy.encoding.encoded_entries import EncodedEntry
from observabilipy.models import LevelFacts, LogQuery, from_micros, parse_cursor, resume

__all__ = ["LogTable", "Row", "Span", "facts_of", "in_bits"]

Row: TypeAlias = tuple[int, int, str, str, str]
"""Position, microseconds, level, message, attributes as JSON text. A tuple: half the memory and time of a class."""

_position = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Span:
    """Positions from ``start`` up to, not including, ``end``, in the generation they belong to."""

    generation: str
    start: int
    end: int


class LogTable:
    """Rows in the order of their positions, which begin at 1 and are never used again.

    Over its bounds it drops the rows committed first, even one that is larger than ``max_bytes`` alone.
    """

    def __init__(self, generation: str, max_entries: int | None = None, max_bytes: int | None = None) -> None:
        self.generation = generation
        self.upcoming = 1
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._rows: list[Row] = []
        self._bytes = 0

    @property
    def oldest(self) -> int:
        """The position of the oldest row kept, or the upcoming one."""
        return self._rows[0][0] if self._rows else self.upcoming

    def append(self, entries: Sequence[EncodedEntry]) -> None:
        """Give the entries their positions."""
        rows = [(position, *parts) for position, parts in enumerate(entries, self.upcoming)]
        self._rows += rows
        self._bytes += sum(map(_size, rows))
        self.upcoming += len(rows)
        self._drop_over_bounds()

    def span(self, query: LogQuery) -> Span:
        """Which positions the cursors of a query leave; what is appended later is not in it."""
        start, end = self.oldest, self.upcoming
        if query.after is not None:
            after = parse_cursor(query.after)
            start, _ = resume(after, generation=self.generation, oldest=start, upcoming=end)
        if query.before is not None:
            before = parse_cursor(query.before)
            # Whatever this generation holds was committed after every place of another one.
            end = min(end, before.position) if before.generation == self.generation else start
        return Span(self.generation, start, max(start, end))

    def first(self, span: Span, count: int) -> list[Row]:
        """The first rows within a span, at most so many."""
        low, high = self._slice(span)
        return self._rows[low : min(high, low + count)]

    def last(self, span: Span, count: int) -> list[Row]:
        """The last rows within a span, at most so many, newest first."""
        low, high = self._slice(span)
        return self._rows[max(low, high - count) : high][::-1]

    def rows(self) -> list[Row]:
        """A copy of all rows."""
        return self._rows.copy()

    def delete_before(self, micros: int, level: str | None) -> int:
        """Delete rows with an older timestamp, of one level or all."""
        return self._delete(lambda row: row[1] < micros and level in {None, row[2]})

    def delete_oldest(self, count: int, level: str | None) -> int:
        """Delete the rows committed first, of one level or all."""
        wanted = (row[0] for row in self._rows if level in {None, row[2]})
        doomed = {position for position, _ in zip(wanted, range(count), strict=False)}
        return self._delete(lambda row: row[0] in doomed)

    def _slice(self, span: Span) -> tuple[int, int]:
        return (
            bisect_left(self._rows, span.start, key=_position),
            bisect_left(self._rows, span.end, key=_position),
        )

    def _delete(self, doomed: Callable[[Row], bool]) -> int:
        kept = [row for row in self._rows if not doomed(row)]
        gone = len(self._rows) - len(kept)
        self._rows = kept
        self._bytes = sum(map(_size, kept))
        return gone

    def _drop_over_bounds(self) -> None:
        over = 0 if self._max_entries is None else len(self._rows) - self._max_entries
        size = self._bytes
        dropped = 0
        while dropped < over or (self._max_bytes is not None and size > self._max_bytes):
            size -= _size(self._rows[dropped])
            dropped += 1
        self._bytes = size
        del self._rows[:dropped]


def in_bits(rows: Sequence[Row], most_rows: int, most_bytes: int) -> Iterator[list[Row]]:
    """The same rows, at most so many at a time; a bit ends with the row whose text reaches so many bytes, too."""
    bit: list[Row] = []
    size = 0
    for row in rows:
        bit.append(row)
        size += len(row[3]) + len(row[4])  # characters: near enough, and ten times cheaper
        if size >= most_bytes or len(bit) == most_rows:
            yield bit
            bit, size = [], 0
    if bit:
        yield bit


def facts_of(rows: Iterable[Row]) -> dict[str, LevelFacts]:
    """Count, oldest, newest and bytes by level."""
    by_level: dict[str, list[Row]] = {}
    for row in rows:
        by_level.setdefault(row[2], []).append(row)
    return {level: _facts(of_level) for level, of_level in by_level.items()}


def _facts(rows: Sequence[Row]) -> LevelFacts:
    times = [row[1] for row in rows]
    return LevelFacts(len(rows), from_micros(min(times)), from_micros(max(times)), sum(map(_size, rows)))


def _size(row: Row) -> int:
    return _utf8_length(row[3]) + _utf8_length(row[4])


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
