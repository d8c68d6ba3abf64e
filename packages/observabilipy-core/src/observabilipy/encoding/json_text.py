"""JSON text for any Python value: strict RFC 8259, valid UTF-8, one line, and it never raises."""

import json
import math
from collections.abc import Iterable, Mapping

from observabilipy.models.text import storable

__all__ = ["json_text"]

_MAX_DEPTH = 32
_CUT = "..."
# Characters that JSON allows in strings but that str.splitlines and many line readers split at.
_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def json_text(value: object) -> str:
    """Spell a value as JSON on one line.

    What JSON cannot say is said as nearly as possible: NaN and the infinities as strings, bytes and lone surrogates
    with backslash escapes, sets as arrays, other objects by ``str()``, what is nested deeper than 32 as "...".
    """
    try:
        text = _encode(value)
        if text.isascii():
            return text
        text.encode()
    except Exception:  # noqa: BLE001 - a value's own __str__ may raise anything
        text = _encode(_plain(value, 0))
    return text.translate(_LINE_BREAKS)


def _spell(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, set | frozenset):
        return list(value)
    return str(value)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_spell).encode


def _plain(value: object, depth: int) -> object:
    """A copy that json can encode, whatever the value holds."""
    try:
        if depth > _MAX_DEPTH:
            return _CUT
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if abs(value) < 10**1000 else hex(value)  # Python refuses to print longer ones
        if isinstance(value, float):
            return value if math.isfinite(value) else _spelled_float(value)
        if isinstance(value, Mapping):
            return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_plain(item, depth + 1) for item in _iterable(value)]
        return storable(str(_spell(value)))
    except Exception:  # noqa: BLE001 - a value's own methods may raise anything
        return f"<unprintable {type(value).__name__}>"


def _iterable(value: Iterable[object]) -> Iterable[object]:
    return value


def _spelled_float(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: object) -> str:
    try:
        return storable(key if isinstance(key, str) else str(key))
    except Exception:  # noqa: BLE001 - a key's own __str__ may raise anything
        return f"<unprintable {type(key).__name__}>"
