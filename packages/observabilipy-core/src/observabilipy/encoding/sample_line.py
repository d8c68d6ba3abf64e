"""The line of one sample, alike in both formats, and its spelling of numbers and labels.

Sources: Prometheus "Exposition formats", "Text format details"; OpenMetrics 1.0, "ABNF" and "Canonical Numbers".
"""

import math
import re
import sys
from collections.abc import Mapping

__all__ = ["canonical", "encoded", "escaped", "label_text", "number", "sample_line", "with_bound"]

_LARGEST = int(sys.float_info.max)
_EXACT = 2**53  # each whole number below it has a float of its own
_SURROGATE = re.compile("[\ud800-\udfff]")
_CANONICAL_DIGITS = 6  # from a million on, canonical numbers have an exponent


def number(value: float) -> str:
    """A value: whole numbers as integers, others in the fewest digits that read back the same."""
    if isinstance(value, int):
        return str(int(value)) if abs(value) <= _LARGEST else _infinity(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else _infinity(value)
    text = float.__repr__(value)
    return str(int(value)) if abs(value) < _EXACT and value.is_integer() and text != "-0.0" else text


def canonical(bound: float) -> str:
    """A bucket bound or quantile, spelled alike in every scrape: it is part of a series' identity."""
    if not math.isfinite(bound):
        return number(bound)
    text = float.__repr__(float(bound))
    whole, _, fraction = text.removeprefix("-").partition(".")
    if "e" in text or len(whole) <= _CANONICAL_DIGITS:
        return text
    digits = f"{whole[1:]}{fraction}".rstrip("0")
    sign = "-" if bound < 0 else ""
    return f"{sign}{whole[0]}{'.' if digits else ''}{digits}e+{len(whole) - 1:02d}"


def escaped(value: str) -> str:
    """Text as it stands between double quotes: backslash, newline and quote have a backslash before them."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def label_text(labels: Mapping[str, str]) -> str:
    """Labels as they stand between the braces, in their order."""
    return ",".join([f'{name}="{escaped(value)}"' for name, value in labels.items()])


def with_bound(labels: str, name: str, bound: float) -> str:
    """Labels as ``label_text`` gives them, and ``le`` or ``quantile`` after them."""
    return f'{labels}{"," if labels else ""}{name}="{canonical(bound)}"'


def encoded(text: str) -> bytes:
    r"""Text as UTF-8. A lone surrogate has no such form and reads as ``\udc80``, as what stores keep does.

    Its backslash is escaped, because some parsers (promtool's) refuse a whole body for an escape that they do not know.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda found: rf"\\u{ord(found[0]):04x}", text).encode()


def sample_line(name: str, labels: str, value: float, exemplar: str = "") -> str:
    """One sample: its name, labels as ``label_text`` gives them, and value."""
    braced = f"{{{labels}}}" if labels else ""
    return f"{name}{braced} {number(value)}{exemplar}\n"


def _infinity(value: float) -> str:
    return "+Inf" if value > 0 else "-Inf"
