"""Segments: entries that follow one another, column by column, as they lie in the file."""

import logging
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress, pairwise
from operator import add
from typing import NamedTuple, TypeAlias

from observabilipy.encoding.encoded_entries import EncodedEntry
from observabilipy.models import LEVELS
from observabilipy_sqlite.bloom import filter_of
from observabilipy_sqlite.values import escaped, escaped_lines

__all__ = [
    "MOST_BYTES",
    "MOST_NAMES",
    "MOST_PLACES",
    "ONLY",
    "PACKED",
    "PLAIN",
    "Columns",
    "Segment",
    "Share",
    "is_intact",
    "level_bits",
    "merged",
    "segments_of",
    "thinned",
]

PLAIN = 0
"""Columns as they are: how the log is written."""

PACKED = 1
"""Columns compressed by zlib, timestamps as differences: how it is kept."""

MOST_BYTES = 524_288
"""Bytes of text in a segment, unless one entry alone has more."""

MOST_PLACES = 1_024
"""Places in a segment. With more it would be somewhat smaller, and a reader of a few entries would unpack more."""

_LARGEST_FILTER = 4  # a filter takes a tenth of the attributes; one of more than a part in so many is made anew
_COMPRESSION = 6  # 5 takes a third less time and leaves 4 % more bytes, 9 twice the time for 3 % less
_CODES = {level: code for code, level in enumerate(LEVELS, 1)}
_OTHERS = len(LEVELS) + 1  # the code of the first name beyond the five
MOST_NAMES = 250
"""Names of levels in a segment: a code is a byte, and a few are taken."""

ONLY = [bytes(code) + b"\1" + bytes(255 - code) for code in range(256)]
"""For each code a table for ``bytes.translate``: 1 for it, 0 for the others."""

_OTHER_BIT = 1 << _OTHERS

Share: TypeAlias = tuple[str, int, int, int, int]
"""What a segment has of one level: its name, escaped; entries, bytes, oldest and newest in microseconds."""


class Columns(NamedTuple):
    """What a segment holds: a code a place, 0 where there is no entry, and the rest for each entry that there is."""

    codes: bytes
    micros: Sequence[int]
    messages: bytes
    """As within a JSON string, joined by line feeds, which cannot occur in one."""
    attributes: bytes
    """JSON objects, joined by line feeds."""


@dataclass(slots=True)
class Segment:
    """One segment. ``first``, ``places``, ``entries`` and ``codec`` together say which rewriting of it this is.

    Args:
        first: the position of its first place.
        places: how many positions it spans.
        entries: how many of them have an entry.
        size: bytes of messages and attributes.
        oldest: microseconds.
        newest: microseconds.
        levels: a bit for each level that occurs, see ``level_bits``.
        codec: PLAIN or PACKED.
        names: of levels beyond the five, escaped, joined by line feeds.
        checksum: CRC-32 of the names and the four columns, one after the other.
        filter: of the attributes, if it is packed.
        timestamps, codes, messages, attributes: the columns, as the codec has them.
    """

    first: int
    places: int
    entries: int
    size: int
    oldest: int
    newest: int
    levels: int
    codec: int
    names: str
    checksum: int
    filter: bytes | None
    timestamps: bytes
    codes: bytes
    messages: bytes
    attributes: bytes

    @property
    def level_names(self) -> list[str]:
        """Names by code, escaped; 0 is none."""
        return ["", *LEVELS, *(self.names.split("\n") if self.names else ())]

    def read_codes(self) -> bytes:
        """A code a place."""
        return self._unpacked(self.codes)

    def read_micros(self) -> Sequence[int]:
        """Microseconds, an entry each."""
        if self.codec == PLAIN:
            return _numbers("q", self.timestamps)
        raw = zlib.decompress(self.timestamps)
        width, planes = raw[0], raw[9:]
        count = len(planes) // width
        joined = bytearray(len(planes))
        for plane in range(width):
            joined[plane::width] = planes[plane * count : (plane + 1) * count]
        differences = _numbers("i" if width == _NARROW else "q", bytes(joined))
        return list(accumulate(differences[1:], initial=int.from_bytes(raw[1:9], "little", signed=True)))

    def read_messages(self) -> bytes:
        """Escaped messages, joined by line feeds."""
        return self._unpacked(self.messages, self.size)

    def read_attributes(self) -> bytes:
        """JSON objects, joined by line feeds."""
        return self._unpacked(self.attributes, self.size)

    def read(self) -> Columns:
        """All columns."""
        return Columns(self.read_codes(), self.read_micros(), self.read_messages(), self.read_attributes())

    def _unpacked(self, column: bytes, bytes_: int = zlib.DEF_BUF_SIZE) -> bytes:
        """A column; ``bytes_`` is what it may have: with room for all at once it takes a fifth less time."""
        return column if self.codec == PLAIN else zlib.decompress(column, bufsize=max(1, min(bytes_, 2 * MOST_BYTES)))


def is_intact(segment: Segment) -> bool:
    """Whether the columns are as they were written. Of others is told here, once; whoever asks does without them."""
    columns = (segment.timestamps, segment.codes, segment.messages, segment.attributes)
    if _checksum(segment.names, *columns) == segment.checksum and _has_what_it_says(segment):
        return True
    which = segment.first, segment.checksum
    if which not in _told:
        if len(_told) >= _MOST_TOLD:
            _told.clear()
        _told.add(which)
        logging.getLogger("observabilipy").warning(
            "the log is damaged at position %d: %d entries cannot be read", segment.first, segment.entries
        )
    return False


_told: set[tuple[int, int]] = set()
"""Damaged segments of which this process has told; each reader of them would tell again."""

_MOST_TOLD = 1_024


def _has_what_it_says(segment: Segment) -> bool:
    """Whether the head, which has no checksum, fits the columns, which were found to be right."""
    if segment.codec not in {PLAIN, PACKED}:
        return False
    try:
        codes = segment.read_codes()
    except zlib.error:
        return False
    return (len(codes), len(codes) - codes.count(0)) == (segment.places, segment.entries)


_NARROW = 4  # bytes of a difference of up to 35 minutes; the others have 8


def level_bits(names: Iterable[str]) -> int:
    """Levels as bits, by which a segment that has none of them is passed over; names beyond the five share one."""
    bits = 0
    for name in names:
        code = _CODES.get(name)
        bits |= _OTHER_BIT if code is None else 1 << code
    return bits


def segments_of(entries: Sequence[EncodedEntry]) -> list[tuple[Segment, list[Share]]]:
    """Entries as they are written first, with what each segment has of each level; ``first`` begins at 0."""
    if not entries:
        return []
    micros, levels, messages, attributes = zip(*entries, strict=True)
    made = []
    start = 0
    for end in _ends(levels, messages, attributes):
        one = slice(start, end)
        made.append(_plain(start, micros[one], levels[one], messages[one], attributes[one]))
        start = end
    return made


def _ends(levels: Sequence[str], messages: Sequence[str], attributes: Sequence[str]) -> list[int]:
    """Where the segments end."""
    count = len(levels)
    is_small = sum(map(len, messages)) + sum(map(len, attributes)) <= MOST_BYTES
    if is_small and count <= MOST_PLACES and len(set(levels)) <= MOST_NAMES:
        return [count]  # nearly always
    ends: list[int] = []
    start = size = 0
    names: set[str] = set()
    for index, (level, message, object_) in enumerate(zip(levels, messages, attributes, strict=True)):
        length = len(message) + len(object_)
        names.add(level)
        if index > start and (index - start == MOST_PLACES or size + length > MOST_BYTES or len(names) > MOST_NAMES):
            ends.append(index)
            start, size, names = index, 0, {level}
        size += length
    return [*ends, count]


def _plain(
    first: int, micros: Sequence[int], levels: Sequence[str], messages: Sequence[str], attributes: Sequence[str]
) -> tuple[Segment, list[Share]]:
    used = set(levels)
    others = sorted(used - _CODES.keys())
    names = [escaped(name) for name in others]
    code_of = {**_CODES, **{name: _OTHERS + index for index, name in enumerate(others)}}
    texts = escaped_lines(messages).encode()
    objects = "\n".join(attributes).encode()
    if len(used) == 1:
        (level,) = used
        codes = bytes([code_of[level]]) * len(levels)
        size = len(texts) + len(objects) - 2 * (len(levels) - 1)
        shares: list[Share] = [(escaped(level), len(levels), size, min(micros), max(micros))]
    else:
        codes = bytes(map(code_of.__getitem__, levels))
        sizes = list(map(add, map(len, messages), map(len, attributes)))
        if sum(sizes) + 2 * (len(levels) - 1) != len(texts) + len(objects):  # else a character is a byte, nearly always
            sizes = _sizes(texts, objects)
        shares = _shares(["", *LEVELS, *names], codes, micros, sizes)
    columns = Columns(codes, micros, texts, objects)
    return _stored(first, PLAIN, "\n".join(names), columns, shares), shares


def merged(parts: Sequence[Segment], shares: Iterable[Share]) -> tuple[Segment, list[Share]]:
    """Segments that follow one another as one that is packed; ``shares`` are those of all of them."""
    first = parts[0].first
    names: dict[str, int] = {}
    codes = bytearray()
    micros: list[int] = []
    texts, objects = [], []
    for part in parts:
        columns = part.read()
        codes.extend(bytes(part.first - first - len(codes)))  # what was deleted in between
        own = [name for name in part.names.split("\n") if name]
        table = bytes(range(_OTHERS)) + bytes(_OTHERS + names.setdefault(name, len(names)) for name in own)
        codes += columns.codes.translate(table.ljust(256, b"\0")) if own else columns.codes
        micros += columns.micros
        texts.append(columns.messages)
        objects.append(columns.attributes)
    together: dict[str, Share] = {}
    for name, count, size, oldest, newest in shares:
        _, counts, sizes, first_seen, last_seen = together.get(name, (name, 0, 0, oldest, newest))
        together[name] = (name, counts + count, sizes + size, min(first_seen, oldest), max(last_seen, newest))
    columns = Columns(bytes(codes), micros, b"\n".join(texts), b"\n".join(objects))
    kept = list(together.values())
    return _stored(first, PACKED, "\n".join(names), columns, kept, filter_of(columns.attributes)), kept


def thinned(segment: Segment, columns: Columns, keeps: Sequence[bool]) -> tuple[Segment, list[Share]] | None:
    """The segment without the entries for which ``keeps`` says no, in the codec that it has; None without any."""
    if not any(keeps):
        return None
    answers = iter(keeps)
    codes = bytes([code if code and next(answers) else 0 for code in columns.codes])
    micros = list(compress(columns.micros, keeps))
    texts = b"\n".join(compress(columns.messages.split(b"\n"), keeps))
    objects = b"\n".join(compress(columns.attributes.split(b"\n"), keeps))
    shares = _shares(segment.level_names, codes, micros, _sizes(texts, objects))
    before = len(codes) - len(codes.lstrip(b"\0"))
    left = Columns(codes.strip(b"\0"), micros, texts, objects)
    # A filter says "perhaps" of what went, too; where little is left, it would be larger than that.
    filter_ = segment.filter
    if filter_ is not None and len(filter_) * _LARGEST_FILTER > len(objects):
        filter_ = filter_of(objects)
    return _stored(segment.first + before, segment.codec, segment.names, left, shares, filter_), shares


def _stored(  # noqa: PLR0917 - all of them by their place in the file
    first: int, codec: int, names: str, columns: Columns, shares: list[Share], filter_: bytes | None = None
) -> Segment:
    timestamps = _packed_micros(columns.micros) if codec == PACKED else _bytes_of("q", columns.micros)
    packed = (
        timestamps,
        *(
            zlib.compress(column, _COMPRESSION) if codec == PACKED else column
            for column in (columns.codes, columns.messages, columns.attributes)
        ),
    )
    return Segment(
        first,
        len(columns.codes),
        len(columns.micros),
        sum(size for _, _, size, _, _ in shares),
        min(oldest for _, _, _, oldest, _ in shares),
        max(newest for _, _, _, _, newest in shares),
        level_bits(name for name, *_ in shares),
        codec,
        names,
        _checksum(names, *packed),
        filter_,
        *packed,
    )


def _shares(names: Sequence[str], codes: bytes, micros: Sequence[int], sizes: Sequence[int]) -> list[Share]:
    present = codes.translate(None, b"\0")
    shares: list[Share] = []
    for code in sorted(set(present)):
        chosen = present.translate(ONLY[code])
        times = list(compress(micros, chosen))
        shares.append((names[code], len(times), sum(compress(sizes, chosen)), min(times), max(times)))
    return shares


def _sizes(texts: bytes, objects: bytes) -> list[int]:
    """Bytes of each entry."""
    return list(map(add, map(len, texts.split(b"\n")), map(len, objects.split(b"\n"))))


def _packed_micros(micros: Sequence[int]) -> bytes:
    differences = [0, *(new - old for old, new in pairwise(micros))]
    narrow = min(differences) >= -(2**31) and max(differences) < 2**31
    width = _NARROW if narrow else 8
    raw = _bytes_of("i" if narrow else "q", differences)
    planes = [raw[plane::width] for plane in range(width)]
    head = bytes([width]) + micros[0].to_bytes(8, "little", signed=True)
    return zlib.compress(head + b"".join(planes), _COMPRESSION)


def _numbers(kind: str, raw: bytes) -> "array[int]":
    numbers = array(kind)
    numbers.frombytes(raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _bytes_of(kind: str, numbers: Iterable[int]) -> bytes:
    values = array(kind, numbers)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _checksum(names: str, *columns: bytes) -> int:
    checksum = zlib.crc32(names.encode())
    for column in columns:
        checksum = zlib.crc32(column, checksum)
    return checksum
