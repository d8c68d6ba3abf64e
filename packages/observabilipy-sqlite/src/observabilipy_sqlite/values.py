"""How values lie in the file: numbers as they are, NaN as NULL, histograms as JSON, text of the log with escapes."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from observabilipy.encoding.json_text import json_text
from observabilipy.models import HistogramValue

__all__ = [
    "Plain",
    "Stored",
    "escaped",
    "escaped_lines",
    "exact_or_float",
    "from_plain",
    "from_stored",
    "labels_text",
    "stored",
    "to_plain",
    "unescaped",
    "whole_numbers",
]

Stored: TypeAlias = float | str | None
"""A number, a histogram as JSON text, or None for NaN."""

Plain: TypeAlias = float | Sequence[object]
"""A number, or a histogram as [bounds, counts, sum]: what JSON can hold."""

_LIMIT = 2**63
_ESCAPED = bytes(range(32)) + b'"\\'  # what JSON does not allow in a string (RFC 8259, section 7)


def whole_numbers(*columns: str) -> str:
    """Columns as SQL that gives whole numbers, whatever damage made of them."""
    return ", ".join(f"coalesce(CAST({column} AS INTEGER), 0)" for column in columns)


def stored(value: float | HistogramValue) -> Stored:
    """A value as SQLite takes it."""
    if isinstance(value, HistogramValue):
        return json.dumps(to_plain(value))
    return None if math.isnan(value) else exact_or_float(value)


def from_stored(value: Stored) -> float | HistogramValue:
    """The value as it was."""
    if value is None:
        return math.nan
    return from_plain(json.loads(value)) if isinstance(value, str) else value


def to_plain(value: float | HistogramValue) -> Plain:
    """A value as JSON of Python's dialect, which knows NaN and Infinity."""
    return [value.bounds, value.counts, value.sum] if isinstance(value, HistogramValue) else value


def from_plain(value: Plain) -> float | HistogramValue:
    """The value as it was."""
    if isinstance(value, int | float):
        return value
    bounds, counts, total = value
    return HistogramValue(tuple(bounds), tuple(counts), total)  # type: ignore[arg-type] # as to_plain wrote them


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as JSON, the same text for the same labels."""
    return json.dumps(dict(labels), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def exact_or_float(number: float) -> float:
    """The number; an integer of 2**63 or more in size as a float, as SQLite has no such integers."""
    return number if isinstance(number, float) or abs(number) < _LIMIT else float(number)


def escaped(text: str) -> str:
    """Text as it stands within a JSON string, without the quotes around it. Most text is the same."""
    quoted = json.encoder.encode_basestring(text) if text.isascii() else json_text(text)  # a quarter of the time
    return quoted[1:-1]


def escaped_lines(texts: Sequence[str]) -> str:
    """Texts as ``escaped`` makes them, joined by line feeds, which cannot occur in one."""
    joined = "\n".join(texts)
    if joined.isascii():
        raw = joined.encode()
        if len(raw.translate(None, _ESCAPED)) == len(raw) - len(texts) + 1:  # nothing to escape but what joins them
            return joined  # a tenth of the time
    return "\n".join(map(escaped, texts))


def unescaped(text: str) -> str:
    """The text as it was; one that is damaged, as it is."""
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
