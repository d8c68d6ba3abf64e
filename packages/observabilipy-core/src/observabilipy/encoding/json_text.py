"""JSON text for any Python value: strict RFC 8259, valid UTF-8, one line, and it never raises."""

import json
import math
from collections.abc import Iterator, Mapping

from observabilipy.models.text import storable

__all__ = ["json_text"]

_MAX_DEPTH = 32
_MAX_CONTAINERS = 10_000  # a dense graph of a few dozen lists would unfold into more than any memory
_CUT = "..."
_CONTAINERS = (dict, list, tuple, set, frozenset, Mapping)
_LEAVES = frozenset({str, int, float, bool, type(None)})  # the quick way past most values
_LONGEST = 10**600  # Python may be set to refuse to print integers from 640 digits on
# Characters that JSON allows in strings but that str.splitlines and many line readers split at.
_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def json_text(value: object) -> str:
    """Spell a value as JSON on one line.

    What JSON cannot say is said as nearly as possible: NaN and the infinities as strings, bytes and lone surrogates
    with backslash escapes, sets as arrays, other objects by ``str()``, what is nested deeper than 32 or in itself, and
    what is over 10,000 arrays and objects, as "...".
    """
    try:
        if _sprawls(value):
            value = _plain(value, (), iter(range(_MAX_CONTAINERS)))
        text = _encode(value)
        if text.isascii():
            return text
        text.encode()
    except Exception:  # noqa: BLE001 - a value's own __str__ may raise anything
        text = _encode(_plain(value, (), iter(range(_MAX_CONTAINERS))))
    return text.translate(_LINE_BREAKS)


def _sprawls(value: object) -> bool:
    """Whether there are so many containers that they may be too deep, a cycle, or shared until they fill the memory."""
    containers = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) in _LEAVES or not isinstance(one, _CONTAINERS):
            continue
        containers += 1
        if containers > _MAX_DEPTH:
            return True
        waiting.extend(one.values() if isinstance(one, Mapping) else one)
    return False


def _spell(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_spell).encode


def _plain(value: object, around: tuple[int, ...], rest: Iterator[int]) -> object:
    """A copy that json can encode, whatever the value holds.

    ``around`` are the ids of what it lies in, ``rest`` ends when enough containers were copied.
    """
    try:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if abs(value) < _LONGEST else hex(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else _spelled_float(value)
        if not isinstance(value, _CONTAINERS):
            return storable(str(_spell(value)))
        if len(around) >= _MAX_DEPTH or id(value) in around or next(rest, None) is None:
            return _CUT
        inside = (*around, id(value))
        if isinstance(value, Mapping):
            return {_key(key): _plain(item, inside, rest) for key, item in value.items()}
        return [_plain(item, inside, rest) for item in value]
    except Exception:  # noqa: BLE001 - a value's own methods may raise anything
        return f"<unprintable {type(value).__name__}>"


def _spelled_float(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: object) -> str:
    try:
        if key is None or isinstance(key, bool):
            return _encode(key)  # as json spells them
        return storable(str(key))
    except Exception:  # noqa: BLE001 - a key's own __str__ may raise anything
        return f"<unprintable {type(key).__name__}>"
