"""Columns: the numbers of one series over time as bytes, and back. Nothing is lost: what comes back is equal."""

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from operator import eq, sub
from typing import TypeAlias, cast

__all__ = [
    "Column",
    "Numbers",
    "Run",
    "array_bytes",
    "array_of",
    "packed",
    "packed_column",
    "unpacked",
    "unpacked_column",
]

Column: TypeAlias = Sequence[float]
"""Numbers that follow one another in time; in memory a list or an array."""

Numbers: TypeAlias = "array[int] | array[float]"
"""Numbers in as few bytes as they need."""

_LEVEL = 6
_SAMPLE = 8  # numbers that are looked at before all of them are multiplied

_RUN = struct.Struct("<III")  # place on the axis of the first point, points, bounds or _NUMBERS or _RANGES
_NUMBERS = 0xFFFFFFFF
_RANGES = 0xFFFFFFFE
_COLUMN = struct.Struct("<cBq")  # how, parts of one, the first number
_JSON_LENGTH = struct.Struct("<I")
_PARTS = (1, 1000)  # whole numbers, or thousandths: as people round what they measure


@dataclass(slots=True)
class Run:
    """Points of one series without a gap, column by column.

    Args:
        start: the place of the first one on the axis of time.
        count: how many.
        columns: of numbers one; of thinned gauges mean, lowest and highest; of histograms one for each bucket, the
            last is +Inf, then the sums.
        bounds: of a histogram, None for everything else.
    """

    start: int
    count: int
    columns: list[Column]
    bounds: tuple[float, ...] | None = None

    @property
    def end(self) -> int:
        """The place after the last point."""
        return self.start + self.count


def packed(runs: Sequence[Run]) -> bytes:
    """The runs of one series as bytes, compressed."""
    parts = []
    for run in runs:
        parts.append(_RUN.pack(run.start, run.count, _shape(run)))
        if run.bounds is not None:
            parts.append(struct.pack(f"<{len(run.bounds)}d", *run.bounds))
        parts.extend(map(packed_column, run.columns))
    return zlib.compress(b"".join(parts), _LEVEL)


def unpacked(data: bytes) -> list[Run]:
    """The runs as they were.

    Raises:
        ValueError: this is not what ``packed`` made.
    """
    try:
        return _unpacked(zlib.decompress(data))
    except (zlib.error, struct.error, IndexError) as error:
        raise ValueError(f"these points are damaged: {error}") from error


def _unpacked(raw: bytes) -> list[Run]:
    runs = []
    at = 0
    while at < len(raw):
        start, count, shape = _RUN.unpack_from(raw, at)
        at += _RUN.size
        bounds = None
        number = {_NUMBERS: 1, _RANGES: 3}.get(shape, 0)
        if not number:
            bounds = struct.unpack_from(f"<{shape}d", raw, at)
            at += 8 * shape
            number = shape + 2
        columns = []
        for _ in range(number):
            column, at = unpacked_column(raw, at, count)
            columns.append(column)
        runs.append(Run(start, count, columns, bounds))
    return runs


def _shape(run: Run) -> int:
    if run.bounds is None:
        return _NUMBERS if len(run.columns) == 1 else _RANGES
    return len(run.bounds)


def packed_column(numbers: Column) -> bytes:
    """One column, not compressed: differences in the fewest bytes, floats, or JSON where neither can hold it."""
    for parts in _PARTS:
        whole = _whole(numbers, parts)
        if whole is not None:
            changes = list(map(sub, whole[1:], whole))
            kind = _smallest(changes)
            if kind is not None:
                head = _COLUMN.pack(kind.encode(), _PARTS.index(parts), whole[0])
                return head if kind == "c" else head + _planes(array(kind, changes))
    floats = _floats(numbers)
    if floats is not None:
        return _COLUMN.pack(b"d", 0, 0) + _planes(floats)
    text = json.dumps(list(numbers), separators=(",", ":")).encode()
    return _COLUMN.pack(b"j", 0, 0) + _JSON_LENGTH.pack(len(text)) + text


def unpacked_column(raw: bytes, at: int, count: int) -> tuple[Column, int]:
    """A column of so many numbers that begins at a byte, and where the next one begins."""
    code, parts, first = _COLUMN.unpack_from(raw, at)
    at += _COLUMN.size
    kind = code.decode("latin-1")
    if kind == "j":
        (length,) = _JSON_LENGTH.unpack_from(raw, at)
        at += _JSON_LENGTH.size
        numbers = json.loads(raw[at : at + length])
        at += length
    elif kind == "d":
        numbers = _numbers("d", raw, at, count)
        at += 8 * count
    elif kind == "c":
        numbers = [first] * count
    elif kind in {"b", "h", "i", "q"}:
        changes = _numbers(kind, raw, at, count - 1)
        at += changes.itemsize * (count - 1)
        numbers = list(accumulate(changes, initial=first))
    else:
        raise ValueError(f"no column begins with {code!r}")
    if parts:
        divisor = _PARTS[parts]
        numbers = [number / divisor for number in numbers]
    if len(numbers) != count:
        raise ValueError(f"{count} numbers expected, got {len(numbers)}")
    return numbers, at


def array_of(kind: str, raw: bytes) -> Numbers:
    """Numbers from little-endian bytes."""
    numbers: array[float] = array(kind)
    numbers.frombytes(raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def array_bytes(numbers: Numbers) -> bytes:
    """Numbers as little-endian bytes."""
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _whole(numbers: Column, parts: int) -> "array[int] | None":
    """The numbers as so many parts of one, if all of them are whole then."""
    if isinstance(numbers, array) and numbers.typecode == "q":
        return cast("array[int]", numbers) if parts == 1 else None
    try:
        if parts == 1 and type(numbers[0]) is int:
            with suppress(TypeError):  # a float among them
                return array("q", cast("Sequence[int]", numbers))
        if not all((float(number) * parts).is_integer() for number in numbers[:_SAMPLE]):
            return None
        whole = array("q", [round(number * parts) for number in numbers])
    except (OverflowError, ValueError):  # too large; infinite or NaN
        return None
    back = whole if parts == 1 else [number / parts for number in whole]
    return whole if all(map(eq, back, numbers)) else None


def _smallest(changes: Iterable[int]) -> str | None:
    """The smallest type of an array that holds them; "c" if nothing changes."""
    low, high = min(changes, default=0), max(changes, default=0)
    if low == high == 0:
        return "c"
    for kind, bits in (("b", 7), ("h", 15), ("i", 31), ("q", 63)):
        if -(1 << bits) <= low and high < 1 << bits:
            return kind
    return None


def _floats(numbers: Column) -> "array[float] | None":
    """The numbers as floats, if any of them is one and the others are equal to one."""
    if isinstance(numbers, array) and numbers.typecode == "d":
        return numbers
    if {int}.issuperset(map(type, numbers)):
        return None  # integers stay integers
    try:
        floats = array("d", numbers)
    except OverflowError:
        return None
    if any(type(number) is int and number != near for number, near in zip(numbers, floats, strict=True)):
        return None
    return floats


def _planes(numbers: Numbers) -> bytes:
    """The lowest byte of all of them, then the next one: where numbers are alike, so are these bytes."""
    raw = array_bytes(numbers)
    width = numbers.itemsize
    return raw if width == 1 else b"".join([raw[plane::width] for plane in range(width)])


def _numbers(kind: str, raw: bytes, at: int, count: int) -> Numbers:
    width = array(kind).itemsize
    planes = raw[at : at + width * count]
    if width == 1 or len(planes) < width * count:
        return array_of(kind, planes)
    joined = bytearray(len(planes))
    for plane in range(width):
        joined[plane::width] = planes[plane * count : (plane + 1) * count]
    return array_of(kind, bytes(joined))
