"""Frames: all totals at one moment, as they lie in the file until some of them are packed together."""

import json
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from time import sleep
from typing import NamedTuple

from observabilipy_sqlite.columns import Column, Numbers, Run, array_bytes, array_of
from observabilipy_sqlite.values import Plain

__all__ = [
    "SLICE",
    "Frame",
    "Layout",
    "Unpacked",
    "frame_of",
    "is_intact",
    "joined",
    "runs_of",
    "slices_of",
    "unpacked_frame",
]

SLICE = 64
"""Series whose ids follow one another are kept together by so many."""

_LEVEL = 1
_TURN_VALUES = 2_000  # half a millisecond with the interpreter's lock
_TURN = 0.0002  # seconds without it: see snapshot.py
_CELLS = 2**63


class Frame(NamedTuple):
    """A frame as it is stored.

    Args:
        timestamp: microseconds.
        points: how many series have a value.
        layout: whose values these are; frames that follow one another mostly have the same one.
        data: the values.
        checksum: CRC-32 of layout and data; with the timestamp it says which frame this is.
    """

    timestamp: int
    points: int
    layout: bytes
    data: bytes
    checksum: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Whose values a frame has, ids ascending.

    Args:
        whole: ids whose value, or the sum of whose histogram, is a whole number.
        real: the same for floats.
        histograms: bounds, and the ids of the histograms that have them.
        slices: the slices in which there is any of them.
    """

    whole: "array[int]"
    real: "array[int]"
    histograms: "list[tuple[tuple[float, ...], array[int]]]"
    slices: frozenset[int]


@dataclass(slots=True)
class Unpacked:
    """A frame to take values from; frames of the same layout share one object for it."""

    timestamp: int
    layout: Layout
    whole: "array[int]"
    real: "array[float]"
    counts: "list[array[int]]"
    rest: Mapping[int, Plain]

    def within(self, first: int, last: int, narrowed: dict[int, Layout]) -> "Unpacked":
        """What is in the slices from the first to the last one.

        Args:
            first: a slice.
            last: a slice.
            narrowed: layouts that were met, by the id of the whole one; a new one is added.
        """
        layout = self.layout
        low, high = first * SLICE, (last + 1) * SLICE
        small = narrowed.get(id(layout))
        if small is None:
            small = narrowed[id(layout)] = Layout(
                layout.whole[_range(layout.whole, low, high)],
                layout.real[_range(layout.real, low, high)],
                [(bounds, ids[_range(ids, low, high)]) for bounds, ids in layout.histograms],
                frozenset(one for one in layout.slices if first <= one <= last),
            )
        counts = []
        for (bounds, ids), cells in zip(layout.histograms, self.counts, strict=True):
            some, width = _range(ids, low, high), len(bounds) + 1
            counts.append(cells[some.start * width : some.stop * width])
        return Unpacked(
            self.timestamp,
            small,
            self.whole[_range(layout.whole, low, high)],
            self.real[_range(layout.real, low, high)],
            counts,
            {series: value for series, value in self.rest.items() if low <= series < high},
        )


@dataclass(slots=True)
class _Sorted:
    """The values of a frame by what can hold them."""

    whole: dict[int, int] = field(default_factory=dict)
    real: dict[int, float] = field(default_factory=dict)
    histograms: dict[tuple[float, ...], dict[int, Sequence[int]]] = field(default_factory=dict)
    rest: dict[int, Plain] = field(default_factory=dict)

    def put(self, series: int, value: Plain) -> None:
        """Find a place for one value."""
        if isinstance(value, int | float):
            self._put_number(series, value)
            return
        bounds, counts, total = value
        if (isinstance(total, int) and abs(total) >= _CELLS) or max(counts) >= _CELLS:  # type: ignore[call-overload] # see to_plain
            self.rest[series] = value
            return
        self.histograms.setdefault(tuple(bounds), {})[series] = counts  # type: ignore[arg-type, assignment]
        self._put_number(series, total)  # type: ignore[arg-type]

    def _put_number(self, series: int, number: float) -> None:
        if isinstance(number, float):
            self.real[series] = number
        elif abs(number) < _CELLS:
            self.whole[series] = number
        else:
            self.rest[series] = number


def frame_of(timestamp: int, values: Iterable[tuple[int, Plain]]) -> Frame:
    """A frame of these values by series id; other threads have their turns meanwhile."""
    sorted_ = _Sorted()
    points = 0
    for points, (series, value) in enumerate(values, 1):
        sorted_.put(series, value)
        if points % _TURN_VALUES == 0:
            sleep(_TURN)
    groups = sorted(sorted_.histograms.items())
    ids = [sorted(sorted_.whole), sorted(sorted_.real), *(sorted(group) for _, group in groups)]
    head = [len(ids[0]), len(ids[1]), [[bounds, len(group)] for bounds, group in groups]]
    packer = zlib.compressobj(_LEVEL)
    layout = [packer.compress(json.dumps(head, separators=(",", ":")).encode() + b"\n")]
    layout += [packer.compress(array_bytes(array("q", some))) for some in ids]
    layout.append(packer.flush())
    sleep(_TURN)
    packer = zlib.compressobj(_LEVEL)
    data = [packer.compress(array_bytes(array("q", map(sorted_.whole.__getitem__, ids[0]))))]
    data.append(packer.compress(array_bytes(array("d", map(sorted_.real.__getitem__, ids[1])))))
    for (_, group), some in zip(groups, ids[2:], strict=True):
        counts: array[int] = array("q")
        for series in some:
            counts.extend(group[series])
        data.append(packer.compress(array_bytes(counts)))
        sleep(_TURN)
    data.append(packer.compress(json.dumps(sorted_.rest, separators=(",", ":")).encode()))
    data.append(packer.flush())
    one, other = b"".join(layout), b"".join(data)
    return Frame(timestamp, points, one, other, zlib.crc32(other, zlib.crc32(one)))


def is_intact(frame: Frame) -> bool:
    """Whether a frame is as it was written."""
    return zlib.crc32(frame.data, zlib.crc32(frame.layout)) == frame.checksum


def unpacked_frame(frame: Frame, layouts: dict[bytes, Layout]) -> Unpacked:
    """A frame to take values from.

    Args:
        frame: one that is intact.
        layouts: those that were met, by their bytes; a new one is added.
    """
    layout = layouts.get(frame.layout)
    if layout is None:
        layout = layouts[frame.layout] = _layout(zlib.decompress(frame.layout))
    raw = zlib.decompress(frame.data)
    ends = [8 * len(layout.whole), 8 * len(layout.real)]
    ends += [8 * (len(bounds) + 1) * len(ids) for bounds, ids in layout.histograms]
    cells = []
    at = 0
    for index, length in enumerate(ends):
        cells.append(array_of("d" if index == 1 else "q", raw[at : at + length]))
        at += length
    rest = {int(series): value for series, value in json.loads(raw[at:]).items()}
    return Unpacked(frame.timestamp, layout, cells[0], cells[1], cells[2:], rest)  # type: ignore[arg-type] # whole ones


def _layout(raw: bytes) -> Layout:
    head, _, cells = raw.partition(b"\n")
    whole, real, groups = json.loads(head)
    ids: array[int] = array_of("q", cells)  # type: ignore[assignment] # whole ones
    histograms = []
    at = whole + real
    for bounds, count in groups:
        histograms.append((tuple(bounds), ids[at : at + count]))
        at += count
    return Layout(ids[:whole], ids[whole : whole + real], histograms, frozenset(series // SLICE for series in ids))


def slices_of(frames: Sequence[Unpacked]) -> list[int]:
    """The slices in which any frame has a value."""
    found = {one for layout in {id(frame.layout): frame.layout for frame in frames}.values() for one in layout.slices}
    found.update(series // SLICE for frame in frames for series in frame.rest)
    return sorted(found)


def runs_of(frames: Sequence[Unpacked], slice_: int, first: int = 0) -> dict[int, list[Run]]:
    """What frames, oldest first, have of each series of a slice; the first one has this place on the axis of time."""
    found: dict[int, list[Run]] = {}
    at = first
    for _, group in groupby(frames, lambda frame: id(frame.layout)):
        alike = list(group)
        for series, run in _alike(alike, slice_, at):
            found.setdefault(series, []).append(run)
        for place, frame in enumerate(alike, at):
            for series, value in frame.rest.items():
                if series // SLICE == slice_:
                    found.setdefault(series, []).append(_alone(place, value))
        at += len(alike)
    return {series: joined(runs) for series, runs in found.items()}


def joined(runs: Iterable[Run]) -> list[Run]:
    """Runs of one series in the order of time, put together where there is no gap and nothing changed."""
    whole: list[Run] = []
    for run in runs:
        last = whole[-1] if whole else None
        if (
            last is not None
            and last.end == run.start
            and last.bounds == run.bounds
            and len(last.columns) == len(run.columns)
        ):
            columns: list[Column] = []
            for old, new in zip(last.columns, run.columns, strict=True):
                together = old if isinstance(old, list) else list(old)  # one that was made here grows in place
                together.extend(new)
                columns.append(together)
            whole[-1] = Run(last.start, last.count + run.count, columns, last.bounds)
        else:
            whole.append(run)
    return whole


def _alike(frames: Sequence[Unpacked], slice_: int, start: int) -> Iterator[tuple[int, Run]]:
    """Of frames with one layout."""
    layout, count = frames[0].layout, len(frames)
    numbers: dict[int, Column] = {}
    for ids, cells in (
        (layout.whole, [frame.whole for frame in frames]),
        (layout.real, [frame.real for frame in frames]),
    ):
        some = _range(ids, slice_ * SLICE, (slice_ + 1) * SLICE)
        numbers.update(zip(ids[some], _transposed([one[some] for one in cells]), strict=True))
    for place, (bounds, ids) in enumerate(layout.histograms):
        some = _range(ids, slice_ * SLICE, (slice_ + 1) * SLICE)
        width = len(bounds) + 1
        cells = [frame.counts[place][some.start * width : some.stop * width] for frame in frames]
        columns = _transposed(cells)
        for index, series in enumerate(ids[some]):
            counts = columns[index * width : (index + 1) * width]
            yield series, Run(start, count, [*counts, numbers.pop(series)], bounds)
    for series, column in numbers.items():
        yield series, Run(start, count, [column])


def _range(ids: "array[int]", low: int, high: int) -> slice:
    return slice(bisect_left(ids, low), bisect_left(ids, high))


def _transposed(rows: Sequence[Numbers]) -> list[Numbers]:
    width = len(rows[0])
    cells = rows[0][:0]
    for row in rows:
        cells.extend(row)  # type: ignore[arg-type] # all are of one type
    return [cells[index::width] for index in range(width)]


def _alone(start: int, value: Plain) -> Run:
    if isinstance(value, int | float):
        return Run(start, 1, [[value]])
    bounds, counts, total = value
    return Run(start, 1, [*([count] for count in counts), [total]], tuple(bounds))  # type: ignore[attr-defined, list-item, arg-type]
