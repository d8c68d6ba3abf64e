"""Metrics as scrapers read them: Prometheus text 0.0.4 and OpenMetrics 1.0."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Literal, TypeAlias

from observabilipy.encoding import openmetrics, prometheus_text
from observabilipy.encoding.added_samples import add_up
from observabilipy.encoding.sample_line import encoded
from observabilipy.encoding.templates import SLOW_ROWS, TEMPLATES
from observabilipy.errors import InvalidValue
from observabilipy.models import Family, MetricKind, MetricSample, Series, SeriesColumns

__all__ = ["CONTENT_TYPES", "Format", "encode_family", "encode_metrics"]

Format: TypeAlias = Literal["prometheus", "openmetrics"]
"""Prometheus text 0.0.4, or OpenMetrics 1.0."""

CONTENT_TYPES: Mapping[Format, str] = MappingProxyType(
    {
        "prometheus": "text/plain; version=0.0.4; charset=utf-8",
        "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    }
)
"""What an answer in each format says about itself."""

_CHUNK_BYTES = 32_768


def encode_family(family: Family, format: Format = "prometheus", *, created: bool = False) -> bytes:  # noqa: A002 - the word of the formats
    """One family as it stands in a body; nothing when it has no series that the format can carry.

    Of series with the same labels the first is written; to Prometheus a label without text is no label. ``created``
    adds ``_created`` samples to counters, histograms and summaries, in OpenMetrics only; so are exemplars and units.

    Sources: Prometheus "Exposition formats", text 0.0.4; OpenMetrics 1.0, "ABNF", "Suffixes" and "Exemplars".

    Raises:
        InvalidValue: the format is neither of the two.
    """
    _check_format(format)
    return b"".join(_pieces(family, format, created))


async def encode_metrics(
    source: AsyncIterable[Family] | AsyncIterable[MetricSample],
    format: Format = "prometheus",  # noqa: A002 - the word of the formats
    *,
    created: bool = False,
    on_clash: Callable[[str], None] | None = None,
) -> AsyncIterator[bytes]:
    """A whole body, in chunks of 32 KiB or more, each made within a millisecond or so.

    Families that a store gives as columns, as ours do, are written from templates: what was there in the scrape before
    costs no more than its numbers.

    Bare samples are added up into families first: counters by sum, histograms merged, of a gauge the last value. A
    family whose names clash with those of an earlier one is left out, because scrapers refuse a body that holds both;
    ``on_clash`` is called with a sentence that says so.

    Raises:
        InvalidValue: the format is neither of the two.
    """
    _check_format(format)
    wire = _Wire(format, created, on_clash)
    samples: list[MetricSample] = []
    async for item in source:
        if isinstance(item, MetricSample):
            samples.append(item)
        else:
            for chunk in wire.add(item):
                yield chunk
    for family in add_up(samples):
        for chunk in wire.add(family):
            yield chunk
    if last := wire.taken() + (b"# EOF\n" if format == "openmetrics" else b""):
        yield last


def _pieces(family: Family, format: Format, created: bool) -> Iterator[bytes]:  # noqa: A002
    """The text of a family, no piece of it dear to make; none when it has no series that the format can carry."""
    head = openmetrics.metadata(family) if format == "openmetrics" else prometheus_text.metadata(family)
    begun = False
    for samples in _samples(family, format, created):
        if samples:
            yield samples if begun else encoded(head) + samples
            begun = True


def _samples(family: Family, format: Format, created: bool) -> Iterator[bytes]:  # noqa: A002
    series = family.series
    if isinstance(series, SeriesColumns) and not created:
        pieces = TEMPLATES.pieces(family, series, format)
        if pieces is not None:
            return pieces
    return _written(family, format, created)


def _written(family: Family, format: Format, created: bool) -> Iterator[bytes]:  # noqa: A002
    """The samples, each written by itself."""
    if family.kind is MetricKind.STATE_SET:  # its states stand together, so all of them must be looked at first
        groups: Iterable[Sequence[Series]] = [tuple(_distinct(family.series))]
    else:
        groups = _groups(_distinct(family.series))
    for group in groups:
        if format == "openmetrics":
            yield encoded("".join(openmetrics.sample_lines(family, group, created)))
        else:
            yield encoded("".join(prometheus_text.sample_lines(family, group)))


class _Wire:
    """What one body already holds: the names that are claimed, and the bytes that wait to be sent."""

    def __init__(self, format: Format, created: bool, on_clash: Callable[[str], None] | None) -> None:  # noqa: A002
        self._format = format
        self._created = created
        self._on_clash = on_clash
        self._owners: dict[str, Family] = {}
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, family: Family) -> Iterator[bytes]:
        """Append a family unless it clashes; gives the chunks that are full."""
        names: frozenset[str] | None = None  # claimed with the first piece: what has no samples claims nothing
        for piece in _pieces(family, self._format, self._created):
            if names is None:
                names = _claimed_names(family, self._format)
                if clashing := names & self._owners.keys():
                    self._report(family, min(clashing))
                    return
                self._owners |= dict.fromkeys(names, family)
            self._waiting.append(piece)
            self._size += len(piece)
            if self._size >= _CHUNK_BYTES:
                yield self.taken()

    def taken(self) -> bytes:
        """All that waits, once."""
        chunk = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        return chunk

    def _report(self, family: Family, name: str) -> None:
        owner = self._owners[name]
        if self._on_clash is not None:
            self._on_clash(
                f"the name {name!r} may stand in one family only, got {owner.kind} {owner.name!r}, then {family.kind}"
                f" {family.name!r}: the second is left out of {self._format}, rename one of them"
            )


def _claimed_names(family: Family, format: Format) -> frozenset[str]:  # noqa: A002
    if format == "openmetrics":
        return openmetrics.claimed_names(family)
    return prometheus_text.claimed_names(family)


def _check_format(format: Format) -> None:  # noqa: A002
    if format not in CONTENT_TYPES:
        raise InvalidValue(f"format must be one of {', '.join(CONTENT_TYPES)}, got {format!r}")


def _distinct(series: Iterable[Series]) -> Iterator[Series]:
    seen: set[frozenset[tuple[str, str]]] = set()
    for row in series:
        identity = frozenset((name, value) for name, value in row.labels.items() if value)
        if identity not in seen:
            seen.add(identity)
            yield row


def _groups(series: Iterable[Series]) -> Iterator[list[Series]]:
    rows = iter(series)
    while group := list(islice(rows, SLOW_ROWS)):
        yield group
