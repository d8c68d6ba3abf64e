"""Metrics as scrapers read them: Prometheus text 0.0.4 and OpenMetrics 1.0."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from observabilipy.encoding import openmetrics, prometheus_text
from observabilipy.encoding.added_samples import add_up
from observabilipy.errors import InvalidValue
from observabilipy.models import Family, MetricSample, Series

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
    series = _distinct(family.series)
    if format == "openmetrics":
        lines, head = openmetrics.sample_lines(family, series, created), openmetrics.metadata
    else:
        lines, head = prometheus_text.sample_lines(family, series), prometheus_text.metadata
    samples = "".join(lines)
    # A lone surrogate has no UTF-8 form; both formats let a backslash stand before any character.
    return f"{head(family)}{samples}".encode("utf-8", "backslashreplace") if samples else b""


async def encode_metrics(
    source: AsyncIterable[Family] | AsyncIterable[MetricSample],
    format: Format = "prometheus",  # noqa: A002 - the word of the formats
    *,
    created: bool = False,
    on_clash: Callable[[str], None] | None = None,
) -> AsyncIterator[bytes]:
    """A whole body, in chunks of whole families of about 32 KiB.

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
        elif wire.add(item):
            yield wire.taken()
    for family in add_up(samples):
        if wire.add(family):
            yield wire.taken()
    if last := wire.taken() + (b"# EOF\n" if format == "openmetrics" else b""):
        yield last


class _Wire:
    """What one body already holds: the names that are claimed, and the bytes that wait to be sent."""

    def __init__(self, format: Format, created: bool, on_clash: Callable[[str], None] | None) -> None:  # noqa: A002
        self._format = format
        self._created = created
        self._on_clash = on_clash
        self._owners: dict[str, Family] = {}
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, family: Family) -> bool:
        """Append a family unless it clashes; True when enough waits for a chunk."""
        text = encode_family(family, self._format, created=self._created)
        names = _claimed_names(family, self._format) if text else frozenset()
        if clashing := names & self._owners.keys():
            self._report(family, min(clashing))
        else:
            self._owners |= dict.fromkeys(names, family)
            self._waiting.append(text)
            self._size += len(text)
        return self._size >= _CHUNK_BYTES

    def taken(self) -> bytes:
        """All that waits, once."""
        chunk = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        return chunk

    def _report(self, family: Family, name: str) -> None:
        owner = self._owners[name]
        if self._on_clash is not None:
            self._on_clash(
                f"the name {name!r} may stand in one family only, got {owner.kind} {owner.name!r} and {family.kind}"
                f" {family.name!r}: the latter is left out of {self._format}, rename one of them"
            )


def _claimed_names(family: Family, format: Format) -> frozenset[str]:  # noqa: A002
    if format == "openmetrics":
        return openmetrics.claimed_names(family)
    return prometheus_text.claimed_names(family)


def _check_format(format: Format) -> None:  # noqa: A002
    if format not in CONTENT_TYPES:
        raise InvalidValue(f"format must be one of {', '.join(CONTENT_TYPES)}, got {format!r}")


def _distinct(series: Iterable[Series]) -> Iterable[Series]:
    rows: dict[frozenset[tuple[str, str]], Series] = {}
    for row in series:
        rows.setdefault(frozenset((name, value) for name, value in row.labels.items() if value), row)
    return rows.values()
