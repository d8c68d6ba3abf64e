"""The file of a ring, byte by byte. Numbers are unsigned and little-endian.

The head of the file, which never changes but for the states:

    at    bytes
    0     8   b"obs-ring"
    8     4   version of this format, 1
    12    4   where the area begins, a multiple of 4096
    16    8   capacity of the area, a multiple of 8
    24    8   mark: drawn at random, odd; each record repeats it, so that no message can pretend to be a record
    32    4   length of the description
    36    4   CRC-32 of bytes 0 to 36 and of the description
    512   36  a state
    1024  36  a state
    1536      description: JSON, {"worker": id, "host": name, "pid": number, "base": attributes of every entry}

A state; of the two, the valid one with the higher version counts, and the other one is written next:

    0     8   version of the state, one more with each
    8     8   tail: everything before this offset is committed, or given up
    16    8   sequence: of the latest batch that was intended
    24    8   intended: where in the area this batch ends; the tail when nothing is in doubt
    32    4   CRC-32 of the 32 bytes before

The area. An *offset* counts all bytes that ever went into the ring, so it only grows; it lies at the area's beginning
plus the offset modulo the capacity. Records begin at multiples of 8:

    0     8   offset of the record itself
    8     4   length of the payload
    12    4   CRC-32 of the payload, exclusive-or the lower half of the offset
    16    8   mark; the header is written after the payload, and this last
    24        payload, and up to 7 bytes of anything

A payload that reaches the end of the area goes on at its beginning. A header does not: the file is 24 bytes longer than
the area. A record is whole when it has the offset at which it is looked for, the mark, and a fitting checksum. Where
there is none, the next one is looked for at the multiples of 8 that follow; nothing lies beyond tail plus capacity.

The checksums of payloads and states begin with the lower half of the mark, so that zeros never fit. Without the offset
in it, a page that a power failure has torn away could make a record of the last lap one of this.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from mmap import mmap
from struct import Struct, error
from typing import NamedTuple
from zlib import crc32

__all__ = [
    "FIRST_PAGE",
    "MARK_AT",
    "RECORD",
    "RING_SUFFIX",
    "STATE_BYTES",
    "UNBORN_SUFFIX",
    "Description",
    "Layout",
    "State",
    "area_begin",
    "bytes_of_state",
    "latest_state",
    "new_head",
    "next_record",
    "place_of_state",
    "read_head",
    "record_at",
    "record_size",
    "records",
]

RING_SUFFIX = ".ring"
"""How the name of a ring ends."""

UNBORN_SUFFIX = ".ring-new"
"""How the name of a file ends that is going to be a ring and holds nothing yet."""

FIRST_PAGE = 4096
"""So many bytes are enough for ``area_begin``."""

RECORD = Struct("<QIIQ")
"""The header of a record: offset, length, checksum, mark."""

MARK_AT = 16
"""Where in the header of a record the mark lies."""

_HEAD = Struct("<8sIIQQI")
_STATE = Struct("<QQQQ")
_CHECKSUM = Struct("<I")
_MAGIC = b"obs-ring"
_VERSION = 1
_STATES_AT = (512, 1024)  # in blocks of their own: a power failure that tears one leaves the other
_DESCRIPTION_AT = 1536
_LEAST_CAPACITY = 64

STATE_BYTES = _STATE.size + _CHECKSUM.size
"""How long a state is."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie in a file, and what its records have in common."""

    area: int
    capacity: int
    mark: int

    @property
    def area_end(self) -> int:
        """Where the area ends."""
        return self.area + self.capacity

    @property
    def file_bytes(self) -> int:
        """How long the file is."""
        return self.area_end + RECORD.size

    @property
    def seed(self) -> int:
        """What checksums begin with."""
        return self.mark & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Description:
    """Whose ring it is, and the attributes that each of its entries has."""

    worker_id: str
    host: str
    pid: int
    base: Mapping[str, object]


class State(NamedTuple):
    """How far the ring was carried away."""

    version: int
    tail: int
    sequence: int
    intended: int


def new_head(description: Description, capacity: int) -> tuple[bytes, Layout]:
    """Everything before the area of an empty ring.

    Raises:
        ValueError: the capacity cannot be had.
    """
    if capacity < _LEAST_CAPACITY or capacity % 8:
        raise ValueError(
            f"the capacity of a ring must be a multiple of 8 and at least {_LEAST_CAPACITY} bytes, got {capacity}"
        )
    text = json.dumps(
        {
            "worker": description.worker_id,
            "host": description.host,
            "pid": description.pid,
            "base": dict(description.base),
        },
        default=str,
    ).encode()
    area = -(-(_DESCRIPTION_AT + len(text)) // FIRST_PAGE) * FIRST_PAGE
    layout = Layout(area, capacity, int.from_bytes(os.urandom(8), "little") | 1)
    fixed = _HEAD.pack(_MAGIC, _VERSION, area, capacity, layout.mark, len(text))
    head = bytearray(area)
    head[: _HEAD.size] = fixed
    _CHECKSUM.pack_into(head, _HEAD.size, crc32(text, crc32(fixed)))
    head[_DESCRIPTION_AT : _DESCRIPTION_AT + len(text)] = text
    state = State(1, 0, 0, 0)
    place = place_of_state(state)
    head[place : place + STATE_BYTES] = bytes_of_state(state, layout)
    return bytes(head), layout


def area_begin(first_page: bytes) -> int:
    """Where the area begins: so much of the file ``read_head`` needs.

    Raises:
        ValueError: it is no ring, or one of another version.
    """
    if len(first_page) < FIRST_PAGE or not first_page.startswith(_MAGIC):
        raise ValueError('it is no ring: a ring begins with "obs-ring"; remove the file')
    _, version, area, _, _, _ = _HEAD.unpack_from(first_page)
    if version != _VERSION:
        raise ValueError(f"its format has version {version}, and this release reads {_VERSION}: use the other release")
    if area % FIRST_PAGE or not area:
        raise ValueError(f"its head is damaged: an area never begins at {area}; remove the file")
    return int(area)


def read_head(head: bytes) -> tuple[Layout, Description]:
    """Layout and description, of everything before the area.

    Raises:
        ValueError: it is damaged.
    """
    _, _, area, capacity, mark, length = _HEAD.unpack_from(head)
    text = head[_DESCRIPTION_AT : _DESCRIPTION_AT + length]
    if crc32(text, crc32(head[: _HEAD.size])) != _CHECKSUM.unpack_from(head, _HEAD.size)[0]:
        raise ValueError("the checksum of its head does not fit, so its records cannot be found: remove the file")
    told = json.loads(text)
    return Layout(area, capacity, mark), Description(told["worker"], told["host"], told["pid"], told["base"])


def place_of_state(state: State) -> int:
    """Where in the file this state belongs."""
    return _STATES_AT[state.version % 2]


def bytes_of_state(state: State, layout: Layout) -> bytes:
    """The state as it lies in the file."""
    packed = _STATE.pack(*state)
    return packed + _CHECKSUM.pack(crc32(packed, layout.seed))


def latest_state(head: bytes, layout: Layout) -> State:
    """The state that counts.

    Raises:
        ValueError: both are damaged.
    """
    valid = []
    for place in _STATES_AT:
        packed = head[place : place + _STATE.size]
        if crc32(packed, layout.seed) == _CHECKSUM.unpack_from(head, place + _STATE.size)[0]:
            valid.append(State(*_STATE.unpack(packed)))
    if not valid:
        raise ValueError("both of its states are damaged, so nobody knows what was committed: remove the file")
    return max(valid)


def record_size(length: int) -> int:
    """How many bytes of the ring a payload of so many bytes takes."""
    return length + (RECORD.size + 7) & -8


def record_at(file: bytes | mmap, layout: Layout, offset: int, limit: int) -> bytes | None:
    """The payload of the record at this offset; None when there is no whole one that ends before ``limit``."""
    place = layout.area + offset % layout.capacity
    try:
        own_offset, length, checksum, mark = RECORD.unpack_from(file, place)
    except error:  # the file was cut
        return None
    if own_offset != offset or mark != layout.mark or offset + record_size(length) > limit:
        return None
    payload = _piece(file, layout, offset + RECORD.size, length)
    return payload if crc32(payload, layout.seed) ^ offset & 0xFFFFFFFF == checksum else None


def _piece(file: bytes | mmap, layout: Layout, offset: int, length: int) -> bytes:
    begin = layout.area + offset % layout.capacity
    room = layout.area_end - begin
    if length <= room:
        return file[begin : begin + length]
    return file[begin : layout.area_end] + file[layout.area : layout.area + length - room]


def next_record(file: bytes | mmap, layout: Layout, offset: int, limit: int) -> int:
    """The offset of the first whole record from here on; ``limit`` when there is none."""
    mark = layout.mark.to_bytes(8, "little")
    offset = offset + 7 & -8
    while offset < limit:
        place = layout.area + offset % layout.capacity
        found = file.find(mark, place + MARK_AT, layout.area_end + MARK_AT)  # headers that begin within the area
        if found < 0:
            offset += layout.area_end - place  # to where the area begins again
            continue
        offset += found - MARK_AT - place
        if record_at(file, layout, offset, limit) is not None:
            return offset
        offset = offset + 8 & -8
    return limit


def records(file: bytes | mmap, layout: Layout, offset: int, limit: int) -> Iterator[tuple[int, bytes]]:
    """All whole records between two offsets: where each begins, and its payload."""
    while offset < limit:
        payload = record_at(file, layout, offset, limit)
        if payload is None:
            offset = next_record(file, layout, offset + 8, limit)
            continue
        yield offset, payload
        offset += record_size(len(payload))
