"""JSON text for any Python value: strict RFC 8259, valid UTF-8, one line, and it never raises."""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Literal, TypeAlias, cast

from observabilipy.encoding import fast
from observabilipy.encoding.fast import PASSTHROUGH, Dumps, fastest
from observabilipy.encoding.plain_copy import CONTAINERS, MAX_DEPTH, plain_copy

__all__ = [
    "UNQUOTED",
    "Survey",
    "escaped",
    "flat_text",
    "is_common",
    "is_flat",
    "json_text",
    "on_one_line",
    "survey",
]

UNQUOTED = frozenset({str, int, bool, type(None)})
"""Types of values that every JSON encoder spells alike (orjson raises for the texts and numbers that it cannot)."""

Survey: TypeAlias = Literal["plain", "odd", "sprawling"]
"""What ``survey`` found."""


def json_text(value: object, dumps: Dumps | None = fastest, *, flat: bool = False) -> str:
    """Spell a value as JSON on one line.

    What JSON cannot say is said as nearly as possible: NaN and the infinities as strings, bytes and lone surrogates
    with backslash escapes, sets as arrays, other objects by ``str()``, and as "..." what is nested deeper than 32 or in
    itself. Of a value that needs such help, what is over 10,000 arrays and objects or 100,000 values is "...", too; see
    ``plain_copy``.

    ``dumps`` is orjson's, or None for the standard library alone; left out, what there is: the text is the same, to the
    byte. ``flat`` says that ``is_flat`` was asked already.
    """
    if dumps is fastest:
        dumps = fast.prepared()
    try:
        text = None
        if dumps is None:
            text = escaped(value) if type(value) is str else flat_text(value) if type(value) is dict else None
        else:
            if not flat and type(value) is dict:
                # The loop of is_flat: calling it would take a tenth of the whole.
                for item in value.values():
                    if type(item) not in UNQUOTED and not (
                        type(item) is float and (1e-4 <= item < 1e16 or is_common(item))
                    ):
                        break
                else:
                    flat = True
            if flat or type(value) is str:
                text = _fast_text(value, dumps)
        if text is None:
            text = _surveyed_text(value, dumps)
        if text.isascii():
            return text
        text.encode()
    except Exception:  # noqa: BLE001 - a value's own __str__ may raise anything
        text = "".join(_standard(plain_copy(value), 0))
    return on_one_line(text)


def flat_text(attributes: Mapping[str, object]) -> str | None:
    """The JSON of flat attributes by the standard library alone; None for all others, and when names are new.

    1.0 microseconds for four attributes where is_flat and the C encoder take 1.2 (Python 3.11; the same on 3.13). It
    may hold surrogates and line breaks.
    """
    text = ""
    try:
        for name, item in attributes.items():
            kind = type(item)
            if kind is str:
                text += _NAMES[name] + escaped(item)  # type: ignore[arg-type]  # kind tells
            elif kind is int:
                text += _NAMES[name] + str(item)
            elif kind is bool:
                text += _NAMES[name] + ("true" if item else "false")
            elif kind is float and (1e-4 <= item < 1e16 or is_common(item)):  # type: ignore[operator,arg-type]  # likewise
                text += _NAMES[name] + repr(item)
            elif item is None:
                text += _NAMES[name] + "null"
            else:
                return None
    except KeyError:
        _learn(attributes)
        return None
    return "{" + text[1:] + "}"


_NAMES: dict[str, str] = {}
"""Names of attributes as they stand in JSON, with a comma in front and a colon behind."""

_MOST_NAMES = 1_024
_MOST_AT_ONCE = 64
_LONGEST_NAME = 100


def _learn(names: Iterable[str]) -> None:
    if len(_NAMES) >= _MOST_NAMES:  # names that somebody makes up, one after another
        _NAMES.clear()
    some = islice(names, _MOST_AT_ONCE)
    _NAMES.update({name: f",{escaped(name)}:" for name in some if type(name) is str and len(name) <= _LONGEST_NAME})


def is_flat(attributes: Mapping[str, object]) -> bool:
    """Whether all the values are of types, and in ranges, in which every encoder is right and writes the same.

    One look at each value, 50 ns; a set of the types takes the same and cannot look at floats. Between 1e-4 and 1e16
    every encoder writes a float's shortest digits without an exponent; NaN is in no range.
    """
    for item in attributes.values():
        if type(item) not in UNQUOTED and not (type(item) is float and (1e-4 <= item < 1e16 or is_common(item))):
            return False
    return True


def is_common(value: float) -> bool:
    """Whether every encoder writes this float's shortest digits, without an exponent."""
    return -1e16 < value <= -1e-4 or 1e-4 <= value < 1e16 or value == 0.0


def _fast_text(value: object, dumps: Dumps) -> str:
    try:
        return dumps(value, None, PASSTHROUGH).decode()
    except TypeError:  # a surrogate, an integer over 64 bits, a key that is no string
        return "".join(_standard(value, 0))


def _surveyed_text(value: object, dumps: Dumps | None) -> str:
    found = survey(value)
    if found == "plain" and dumps is not None:
        return _fast_text(value, dumps)
    return "".join(_standard(plain_copy(value) if found == "sprawling" else value, 0))


def survey(value: object) -> Survey:
    """Whether every encoder spells a value alike; or whether there are so many containers that they may be too deep.

    Then they may also be a cycle, or shared until they would fill the memory. So may be those that are not the
    language's own: they iterate as they like.
    """
    found: Survey = "plain"
    containers = 0
    waiting: list[object] = [value]
    for one in waiting:
        kind = type(one)
        items: Iterable[object]
        if kind is dict:
            items = one.values()  # type: ignore[attr-defined]  # kind tells
        elif kind is list or kind is tuple:
            items = one  # type: ignore[assignment]  # likewise
        elif isinstance(one, CONTAINERS):
            return "sprawling"
        else:
            found = "odd" if kind not in UNQUOTED and not (kind is float and is_common(one)) else found  # type: ignore[arg-type]  # likewise
            continue
        containers += 1
        if containers > MAX_DEPTH:
            return "sprawling"
        for item in items:
            if type(item) not in UNQUOTED and not (type(item) is float and is_common(item)):
                waiting.append(item)  # noqa: PERF401 - half the time of a comprehension before Python 3.12
    return found


def _spell(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes | bytearray) else str(value)


def _standard_chunks() -> Callable[[object, int], Iterable[str]]:
    """The C encoder made once; ``JSONEncoder.encode`` makes one for each value, which takes longer than most values."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_spell)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # PyPy
        return lambda value, _: (encoder.encode(value),)
    try:
        chunks = make(None, _spell, json.encoder.encode_basestring, None, ":", ",", False, False, False)
        chunks("", 0)
    except TypeError:  # it is no public name: another Python may want other arguments
        return lambda value, _: (encoder.encode(value),)
    return cast("Callable[[object, int], Iterable[str]]", chunks)


_standard = _standard_chunks()
escaped = json.encoder.encode_basestring
"""A string in quotes, as it is but for what JSON must escape."""


def on_one_line(text: str) -> str:
    r"""Escape the characters that JSON allows in strings but that str.splitlines and many line readers split at."""
    for character, escape in (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        if character in text:
            text = text.replace(character, escape)
    return text
