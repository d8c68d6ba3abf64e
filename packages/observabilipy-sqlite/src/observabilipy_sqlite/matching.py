"""LogQuery for segments: which of them may hold what is wanted, and which entries of one are."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from operator import and_
from typing import TypeAlias

from observabilipy.encoding.json_text import json_text
from observabilipy.models import LEVELS, RANKS, LogQuery, level_rank, to_micros
from observabilipy_sqlite.bloom import pairs_of
from observabilipy_sqlite.segment import ONLY, Segment, level_bits
from observabilipy_sqlite.values import escaped, unescaped

__all__ = ["Condition", "Matching", "Row"]

Condition: TypeAlias = tuple[str, list[object]]
"""A boolean expression over columns of the file, and its parameters."""

Row: TypeAlias = tuple[int, int, str, str, str]
"""Position, timestamp in microseconds, level, message, attributes as JSON text; level and message are escaped."""

_Chosen: TypeAlias = Sequence[int]
"""For each entry of a segment whether it is wanted, 0 or 1."""

_OTHER = ""  # stands for any level beyond the five


class Matching:
    """What a query wants, but for its cursors, order and limit."""

    def __init__(self, query: LogQuery) -> None:
        self._since = None if query.since is None else to_micros(query.since)
        self._until = None if query.until is None else to_micros(query.until)
        self._query = query
        self._text = escaped(query.text).encode().lower() if query.text else b""
        # An entry that matches holds what is looked for, escaped as the entry is.
        self._pieces = [
            piece.encode()
            for name, value in query.attributes.items()
            for piece in ([json_text(name)] if _has_spellings(value) else [json_text(name), escaped(value)])
        ]
        pairs = [pairs_of(name, value) for name, value in query.attributes.items()]
        self.pairs = [one for one in pairs if one is not None]
        """For attributes that a filter knows, how each may lie in the file."""
        self._accepts = query.predicate()
        self._levels = _wanted(query)
        self._bits = _bits(query)

    @property
    def looks_inside(self) -> bool:
        """Whether texts decide, too; else time and level do."""
        return bool(self._text or self._pieces)

    @property
    def sifts(self) -> bool:
        """Whether level decides, so that of a segment a few entries may be wanted."""
        return self._levels is not None

    @property
    def has_text(self) -> bool:
        """Whether a text is looked for in the messages."""
        return bool(self._text)

    def has_text_in(self, messages: bytes) -> bool:
        """Whether the text is in messages, which are escaped."""
        return self._text in messages.lower()

    def segments(self) -> Condition:
        """What a segment must fulfil to have anything that is wanted."""
        conditions, parameters = ["levels & ?"], [self._bits]
        if self._since is not None:
            conditions.append("newest >= ?")
            parameters.append(self._since)
        if self._until is not None:
            conditions.append("oldest < ?")
            parameters.append(self._until)
        return " AND ".join(conditions), list(parameters)

    def told(self, low: int, high: int, step: int) -> Condition:
        """When the shares of a segment tell all: its entries are in a span, in the time wanted, and in one step.

        Not before 1970: there SQLite's division rounds up.
        """
        conditions = ["first >= ? AND first + places <= ? AND oldest >= 0 AND oldest / ? = newest / ?"]
        parameters: list[object] = [low, high, step, step]
        if self._since is not None:
            conditions.append("oldest >= ?")
            parameters.append(self._since)
        if self._until is not None:
            conditions.append("newest < ?")
            parameters.append(self._until)
        return " AND ".join(conditions), parameters

    def all_within(self, oldest: int, newest: int) -> bool:
        """Whether all between two times is wanted, as far as time goes."""
        return (self._since is None or oldest >= self._since) and (self._until is None or newest < self._until)

    def wants_level(self, name: str) -> bool:
        """Whether entries of this level, escaped, are wanted."""
        return self._levels is None or self._levels(unescaped(name))

    def count(self, segment: Segment, low: int, high: int) -> int:
        """How many entries of a segment are wanted, as far as time and level go."""
        codes = segment.read_codes()
        chosen = self._chosen(segment, codes, low, high)
        return segment.entries if chosen is None else sum(chosen)

    def volume(self, segment: Segment, low: int, high: int, step: int) -> Counter[tuple[int, str]]:
        """The same by number of the step of so many microseconds, and by level, escaped."""
        codes = segment.read_codes()
        chosen = self._chosen(segment, codes, low, high)
        micros = segment.read_micros()
        present = codes.translate(None, b"\0")
        if chosen is not None:
            micros, present = list(compress(micros, chosen)), bytes(compress(present, chosen))
        counts: Counter[tuple[int, str]] = Counter()
        for code in set(present):
            # Nearly in order, so that sorting costs little: a quarter of what it takes to divide each time.
            times = sorted(compress(micros, present.translate(ONLY[code])))
            begin = 0
            while begin < len(times):
                number = times[begin] // step
                end = bisect_left(times, (number + 1) * step, begin)
                counts[number, segment.level_names[code]] += end - begin
                begin = end
        return counts

    def rows(self, segment: Segment, low: int, high: int) -> list[Row]:
        """What is wanted of a segment, in the order of positions from ``low`` up to, not including, ``high``."""
        messages: bytes | None = None
        attributes: bytes | None = None
        if self._text:
            messages = segment.read_messages()
            if self._text not in messages.lower():
                return []
        if self._pieces:
            attributes = segment.read_attributes()
            if not all(piece in attributes for piece in self._pieces):
                return []
        codes = segment.read_codes()
        chosen = self._chosen(segment, codes, low, high)
        if messages is not None:
            chosen = _both(chosen, [self._text in message for message in messages.lower().split(b"\n")])
        if attributes is not None:
            for piece in self._pieces:
                chosen = _both(chosen, [piece in object_ for object_ in attributes.split(b"\n")])
        if chosen is not None and not any(chosen):
            return []
        names = segment.level_names
        first = segment.first
        positions: Iterable[int] = range(first, first + segment.places)
        if segment.places != segment.entries:
            positions = [first + place for place, code in enumerate(codes) if code]
        micros: Iterable[int] = segment.read_micros()
        present: Iterable[int] = codes.translate(None, b"\0")
        if chosen is not None:
            positions, micros, present = (compress(column, chosen) for column in (positions, micros, present))
        rows: list[Row] = list(
            zip(
                positions,
                micros,
                [names[code] for code in present],
                _lines(segment.read_messages() if messages is None else messages, chosen),
                _lines(segment.read_attributes() if attributes is None else attributes, chosen),
                strict=True,
            )
        )
        return list(filter(self._matches, rows)) if self.looks_inside else rows

    def _chosen(self, segment: Segment, codes: bytes, low: int, high: int) -> _Chosen | None:
        """For each entry whether position, time and level are right; None for all."""
        chosen: _Chosen | None = None
        first = segment.first
        if low > first or high < first + segment.places:
            chosen = [low <= first + place < high for place, code in enumerate(codes) if code]
        if self._levels is not None:
            names = segment.level_names
            wanted = bytearray(256)
            for code in set(codes) - {0}:
                wanted[code] = self.wants_level(names[code])
            chosen = _both(chosen, codes.translate(wanted, b"\0"))
        if not self.all_within(segment.oldest, segment.newest):
            since = segment.oldest if self._since is None else self._since
            until = segment.newest + 1 if self._until is None else self._until
            chosen = _both(chosen, [since <= micros < until for micros in segment.read_micros()])
        return chosen

    def _matches(self, row: Row) -> bool:
        _, micros, level, message, attributes = row
        if not self._pieces and "\\" not in message:
            return True  # what was found is no part of an escape
        return self._accepts(micros, unescaped(level), unescaped(message), attributes)


def _both(one: _Chosen | None, other: _Chosen) -> _Chosen:
    return other if one is None else list(map(and_, one, other))


def _lines(column: bytes, chosen: _Chosen | None) -> list[str]:
    """The texts that were chosen; only these are decoded."""
    if chosen is not None:
        column = b"\n".join(compress(column.split(b"\n"), chosen))
    return column.decode().split("\n")


def _wanted(query: LogQuery) -> Callable[[str], bool] | None:
    """Whether a level, by its name, is wanted; None for all."""
    levels, least = query.levels, query.min_level
    if levels is None and least is None:
        return None
    rank = -1 if least is None else level_rank(least)
    return lambda name: (levels is None or name in levels) and level_rank(name) >= rank


def _bits(query: LogQuery) -> int:
    """The levels of which a segment must have one."""
    wants = _wanted(query)
    if wants is None:
        return level_bits([*LEVELS, _OTHER])
    # Names beyond the five rank as INFO; which of them are wanted is looked up in the segment.
    others = [_OTHER] if query.levels is None else [name for name in query.levels if name not in RANKS]
    return level_bits([*filter(wants, LEVELS), *(name for name in others if name == _OTHER or wants(name))])


def _has_spellings(value: str) -> bool:
    """Whether an attribute of this value may lie in the file as another text: numbers in other notations, lists."""
    if value.startswith(("[", "{")):
        return True
    if value.lstrip("-").isdecimal():
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True
