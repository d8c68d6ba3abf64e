"""Templates: families that stores give as columns, written by filling numbers into bytes that are kept.

A scrape of series that were there before formats numbers and nothing else: ``template % tuple(numbers)``, 0.04 us a
line for whole numbers. (As text it is 0.1 us, by joining pieces 0.08.) A family is written in pieces of about a
thousand lines, so that an event loop has its turn in between.
"""

import math
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeAlias, TypeGuard, TypeVar, cast

from observabilipy.encoding import openmetrics, prometheus_text
from observabilipy.encoding.label_texts import are_plain, label_texts
from observabilipy.encoding.sample_line import encoded, number, with_bound
from observabilipy.models import Exemplar, Family, HistogramValue, LabelSets, MetricKind, SeriesColumns, SeriesValue

__all__ = ["MAX_BYTES", "PIECE_LINES", "SLOW_ROWS", "TEMPLATES", "Templates"]

T = TypeVar("T")

PIECE_LINES = 1_024
"""Lines of a piece, about; a series of a histogram is never torn."""

SLOW_ROWS = 64
"""Series of a piece that is written one by one, without a template."""

MAX_BYTES = 32 * 1024 * 1024
"""Templates that one process keeps. What is beyond is made anew for each scrape, at five times the price."""

_Format: TypeAlias = Literal["prometheus", "openmetrics"]
_Exemplars: TypeAlias = Mapping[int, tuple[Exemplar, ...]]
_Numbers: TypeAlias = Sequence[int | bytes]

_SINGLE = (MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.INFO, MetricKind.UNKNOWN)


class Templates:
    """What was made of the label sets that stores still have, up to so many bytes."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._kept: weakref.WeakKeyDictionary[LabelSets, dict[_Format, _Kept]] = weakref.WeakKeyDictionary()

    def pieces(self, family: Family, columns: SeriesColumns, format: _Format) -> Iterator[bytes] | None:  # noqa: A002
        """The samples in pieces; None for a kind that has no template. A format leaves out what it does not allow."""
        shape = _shape_of(family, columns, format)
        return None if shape is None else self._filled(family, columns, shape)

    def _filled(self, family: Family, columns: SeriesColumns, shape: "_Shape") -> Iterator[bytes]:
        kept = self._kept.get(columns.labels, {}).get(shape.format)
        known = kept.pieces if kept is not None and kept.shape == shape else None
        made: list[_Piece] = []
        size = 0
        for piece in _pieces(columns.labels, shape) if known is None else known:
            numbers = shape.numbers(_picked(columns.values, piece.places), piece.places, columns.exemplars)
            if numbers is None:
                yield from _one_by_one(family, columns, piece.places, shape.format)
            else:
                yield piece.filled(columns.labels, shape, *numbers)
            size += sys.getsizeof(piece.template)
            if known is None and self.bytes + size <= self.max_bytes:
                made.append(piece)
        if known is None and self.bytes + size <= self.max_bytes:
            self._keep(columns.labels, _Kept(shape, made, size))

    def _keep(self, labels: LabelSets, made: "_Kept") -> None:
        by_format = self._kept.get(labels)
        if by_format is None:
            by_format = self._kept[labels] = {}
            weakref.finalize(labels, self._forget, by_format).atexit = False
        before = by_format.get(made.shape.format)
        by_format[made.shape.format] = made
        self.bytes += made.bytes - (0 if before is None else before.bytes)

    def _forget(self, by_format: "dict[_Format, _Kept]") -> None:
        self.bytes -= sum(kept.bytes for kept in by_format.values())


TEMPLATES = Templates()
"""Those of this process."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The lines of one series: where its labels stand, and where its numbers do."""

    format: _Format
    kind: MetricKind
    name: str
    bounds: tuple[float, ...] = ()

    @property
    def lines(self) -> int:
        return len(self.bounds) + 3 if self.kind is MetricKind.HISTOGRAM else 1

    def template(self, labels: list[str], whole: bool) -> bytes:
        """The lines of series with such labels, a place for each number."""
        place = "%%d" if whole else "%%b"
        braced = [f"{{{text}}}" if text else "" for text in labels]
        if self.kind is not MetricKind.HISTOGRAM:
            return encoded(f"{self.name}%s {place}\n" * len(labels) % tuple(braced))
        bounds = [with_bound("", "le", bound) for bound in (*self.bounds, math.inf)]
        row = "".join([f"{self.name}_bucket{{%s{bound}}} {place}\n" for bound in bounds])
        row += f"{self.name}_count%s {place}\n{self.name}_sum%s %%b\n"
        inner = [(f"{text}," if text else "",) * len(bounds) for text in labels]
        return encoded("".join([row % (*before, outer, outer) for before, outer in zip(inner, braced, strict=True)]))

    def numbers(
        self, values: Sequence[SeriesValue], places: Sequence[int], exemplars: _Exemplars
    ) -> tuple[_Numbers, bool] | None:
        """What stands in the places, and whether it is whole numbers; None when the format does not allow a value."""
        strict = self.format == "openmetrics"
        if self.kind is MetricKind.HISTOGRAM:
            filled = _histograms(values, self.bounds, strict)
        elif strict and self.kind is MetricKind.INFO:
            filled = [1] * len(values), True
        else:
            filled = _singles(values, strict and self.kind is MetricKind.COUNTER)
        if filled is None or not (strict and exemplars):
            return filled
        return _with_exemplars(self, filled, values, places, exemplars)


class _Piece:
    """Some of the series. Its template is made when it is first known whether the numbers are whole."""

    __slots__ = ("_made", "_names", "places")

    def __init__(self, places: Sequence[int], names: tuple[str, ...] | None) -> None:
        self.places = places
        self._names = names
        self._made = b"", True  # together, because other threads may fill this piece, too

    @property
    def template(self) -> bytes:
        return self._made[0]

    def filled(self, labels: LabelSets, shape: _Shape, numbers: _Numbers, whole: bool) -> bytes:
        template, takes_whole = self._made
        if not template or (takes_whole and not whole):
            texts = label_texts(_picked(labels, self.places), self._names)
            template, takes_whole = self._made = shape.template(texts, whole), whole
        if not takes_whole:
            numbers = [b"%d" % number if isinstance(number, int) else number for number in numbers]
        return template % tuple(numbers)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was made of label sets, and what it is good for."""

    shape: _Shape
    pieces: list[_Piece]
    bytes: int


def _shape_of(family: Family, columns: SeriesColumns, format: _Format) -> _Shape | None:  # noqa: A002
    name = openmetrics.sample_name(family) if format == "openmetrics" else prometheus_text.sample_name(family)
    if family.kind in _SINGLE:
        return _Shape(format, family.kind, name)
    first = columns.values[0] if columns.values else None
    if family.kind is not MetricKind.HISTOGRAM or not isinstance(first, HistogramValue):
        return None
    if format == "openmetrics" and any(bound < 0 for bound in first.bounds[:1]):
        return None  # neither count nor sum is allowed
    return _Shape(format, family.kind, name, first.bounds)


def _pieces(labels: LabelSets, shape: _Shape) -> Iterator[_Piece]:
    """All series but those that differ from an earlier one in empty labels alone."""
    step = max(1, PIECE_LINES // shape.lines)
    names = tuple(labels[0]) if labels else ()
    seen: set[frozenset[tuple[str, str]]] | None = None  # only if there is a reason to look
    for start in range(0, len(labels), step):
        rows = labels[start : start + step]
        places: Sequence[int] = range(start, start + len(rows))
        plain = are_plain(rows, names)
        if seen is None and not plain:
            seen = {_identity(labels[place]) for place in range(start)}
        if seen is not None:
            first = {_identity(row): start + at for at, row in reversed(list(enumerate(rows)))}
            places = sorted(place for identity, place in first.items() if identity not in seen)
            seen |= first.keys()
        if places:
            yield _Piece(places, names if plain else None)


def _identity(row: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in row.items() if value)


def _picked(column: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    if isinstance(places, range):
        return column[places.start : places.stop]
    return [column[place] for place in places]


def _singles(values: Sequence[SeriesValue], rising: bool) -> tuple[_Numbers, bool] | None:
    numbers = cast("Sequence[float]", values)
    if _are_whole(numbers):
        return None if rising and min(numbers) < 0 else (numbers, True)
    if rising and not all(value >= 0 for value in numbers):
        return None
    return [number(value).encode() for value in numbers], False


def _are_whole(numbers: Sequence[float]) -> TypeGuard[Sequence[int]]:
    # One float makes the sum a float: 5 ns a value, where looking at each type takes 20 to 50.
    try:
        return type(sum(numbers)) is int
    except OverflowError:  # integers beyond all floats, and a float
        return False


def _histograms(values: Sequence[SeriesValue], bounds: tuple[float, ...], strict: bool) -> tuple[_Numbers, bool] | None:
    numbers: list[int | bytes] = []
    for value in cast("Sequence[HistogramValue]", values):
        if (value.bounds is not bounds and value.bounds != bounds) or (strict and not value.sum >= 0):
            return None
        counts = list(accumulate(value.counts))
        numbers += counts
        numbers += (counts[-1], number(value.sum).encode())
    return numbers, True


def _with_exemplars(
    shape: _Shape,
    filled: tuple[_Numbers, bool],
    values: Sequence[SeriesValue],
    places: Sequence[int],
    exemplars: _Exemplars,
) -> tuple[_Numbers, bool]:
    texts: dict[int, str] = {}
    for at, (place, value) in enumerate(zip(places, values, strict=True)):
        if not exemplars.get(place):
            continue
        if isinstance(value, HistogramValue):
            first = at * shape.lines
            for bucket, exemplar in openmetrics.exemplars_by_bucket(value, exemplars[place]).items():
                texts[first + bucket] = openmetrics.exemplar_text(exemplar)
        elif shape.kind is MetricKind.COUNTER:
            texts[at] = openmetrics.exemplar_text(exemplars[place][-1])
    if not texts:
        return filled
    told = list(filled[0])
    for at, text in texts.items():
        count = told[at]
        told[at] = (b"%d" % count if isinstance(count, int) else count) + encoded(text)
    return told, False


def _one_by_one(
    family: Family,
    columns: SeriesColumns,
    places: Sequence[int],
    format: _Format,  # noqa: A002
) -> Iterator[bytes]:
    lines = openmetrics if format == "openmetrics" else prometheus_text
    for start in range(0, len(places), SLOW_ROWS):
        rows = [columns[place] for place in places[start : start + SLOW_ROWS]]
        yield encoded("".join(lines.sample_lines(family, rows)))
