"""Negotiation: which format and which coding a client prefers.

Source: RFC 9110, sections 12.4.2 (quality values), 12.5.1 (Accept) and 12.5.3 (Accept-Encoding).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from observabilipy.encoding.exposition import Format

__all__ = ["accepts_gzip", "preferred_format"]

_QUALITY = re.compile(r"0(\.[0-9]*)?|1(\.0*)?", re.ASCII)
_MOST_ITEMS, _MOST_BYTES = 32, 2_048  # Prometheus sends five; 64 KiB of commas would take a fifth of a second
_ANY, _ANY_SUBTYPE, _NAMED, _NAMED_VERSION = 1, 2, 3, 4


class _Item(NamedTuple):
    name: str
    parameters: dict[str, str]
    quality: float


def preferred_format(accept: Iterable[bytes]) -> Format:
    """OpenMetrics when the client prefers it to Prometheus text, else Prometheus text; never a refusal.

    The most specific range that fits a format gives its quality. Of two equal ones a format that is named beats one
    that a wildcard covers; text is the default. A ``version`` that is not ours does not fit, other parameters
    (``charset``, ``escaping``) always do. What cannot be parsed is left out.
    """
    items = list(_items(accept))
    openmetrics = _preference("application/openmetrics-text", "1.0.0", items)
    text = _preference("text/plain", "0.0.4", items)
    return "openmetrics" if openmetrics > text else "prometheus"


def accepts_gzip(accept_encoding: Iterable[bytes]) -> bool:
    """Whether gzip is allowed, by name or by ``*``, and not less welcome than no coding at all."""
    qualities = {item.name: item.quality for item in _items(accept_encoding)}
    gzip = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _preference(media_type: str, version: str, items: Iterable[_Item]) -> tuple[float, bool]:
    """The quality of a format, and whether it was asked for by name."""
    fits = [(_specificity(item, media_type, version), item.quality) for item in items]
    specificity, quality = max(((fit, quality) for fit, quality in fits if fit), default=(0, 0.0))
    return quality, specificity >= _NAMED and quality > 0


def _specificity(item: _Item, media_type: str, version: str) -> int:
    """How precisely a range names the format; 0 when it does not fit."""
    if item.name == "*/*":
        return _ANY
    if item.name == media_type.partition("/")[0] + "/*":
        return _ANY_SUBTYPE
    if item.name != media_type:
        return 0
    asked = item.parameters.get("version")
    if asked is None:
        return _NAMED
    return _NAMED_VERSION if asked == version else 0


def _items(headers: Iterable[bytes]) -> Iterator[_Item]:
    pieces = (piece for header in headers for piece in header[:_MOST_BYTES].decode("latin-1").lower().split(","))
    for piece in islice(pieces, _MOST_ITEMS):
        name, *rest = (part.strip() for part in piece.split(";"))
        parameters = dict(_parameter(part) for part in rest)
        quality = parameters.get("q", "1")
        if name and _QUALITY.fullmatch(quality):
            yield _Item(name, parameters, float(quality))


def _parameter(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value.strip().strip('"')
