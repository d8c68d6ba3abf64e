"""A copy of any Python value that JSON can say, bounded, and made without ever raising."""

import math
from collections.abc import Iterable, Mapping, MappingView
from itertools import islice
from reprlib import Repr
from typing import Protocol, TypeVar, cast

from observabilipy.models.text import storable

__all__ = [
    "CONTAINERS",
    "MAX_CONTAINERS",
    "MAX_DEPTH",
    "MAX_FOREIGN",
    "NATIVE",
    "Redacts",
    "leaf_text",
    "name_text",
    "pair_name",
    "plain_copy",
]

MAX_DEPTH = 32

MAX_CONTAINERS = 10_000
"""A dense graph of a few dozen lists would unfold into more than any memory."""

_MAX_VALUES = 100_000  # a list of many values may be shared, too

MAX_FOREIGN = 10_000
"""Values of one container that somebody wrote: it may go on for ever."""

CONTAINERS = (dict, list, tuple, set, frozenset, Mapping, MappingView)
"""What is copied as an object or an array."""

NATIVE = frozenset({dict, list, tuple, set, frozenset})
"""Those of them that are finite and iterate as expected."""

_Item = TypeVar("_Item")

_CUT = "..."
_LONGEST = 10**600  # Python may be set to refuse to print integers from 640 digits on
_NAMES = Repr()  # sets and tuples as keys may hold each other as densely as any graph
_NAMES.maxtuple = _NAMES.maxfrozenset = _NAMES.maxstring = _NAMES.maxother = _NAMES.maxlong = 100
_NAMES.maxlevel = 4


class Redacts(Protocol):
    """What must not be copied."""

    @property
    def replacement(self) -> str:
        """What stands in its place."""
        ...

    def is_secret(self, name: str, /) -> bool:
        """Whether a value with this name must not be seen."""
        ...

    def text(self, text: str, /) -> str:
        """The same text without what must not be seen."""
        ...


def plain_copy(value: object, redaction: Redacts | None = None) -> object:
    """A copy that any JSON encoder takes: exact dicts with string keys, lists, strings, finite numbers, bools, None.

    What is nested deeper than 32 or in itself, and what is over 10,000 containers, 100,000 values, or 10,000 values of
    a container that is none of the language's own, is "...". In an array, an array of a name and a value counts as a
    named value for the redaction.
    """
    return _Copying(redaction).copy(value, ())


class _Copying:
    """One copy in the making: what may still be taken in."""

    def __init__(self, redaction: Redacts | None) -> None:
        self._redaction = redaction
        self._containers = MAX_CONTAINERS
        self._values = _MAX_VALUES

    def copy(self, value: object, around: tuple[int, ...]) -> object:
        """``around`` are the ids of what the value lies in."""
        try:
            if not isinstance(value, CONTAINERS):
                leaf = _plain_leaf(value)
                return self._redaction.text(leaf) if self._redaction and isinstance(leaf, str) else leaf
            if len(around) >= MAX_DEPTH or id(value) in around or self._containers == 0:
                return _CUT
            self._containers -= 1
            inside = (*around, id(value))
            if isinstance(value, Mapping):
                return self._object(value, inside)
            return self._array(cast("Iterable[object]", value), inside)
        except Exception:  # noqa: BLE001 - a value's own methods may raise anything
            return _unprintable(value)

    def _object(self, value: Mapping[object, object], inside: tuple[int, ...]) -> dict[str, object]:
        pairs, is_cut = self._affordable(value.items(), type(value))
        copy: dict[str, object] = {}
        containers: list[tuple[str, object]] = []
        for key, item in pairs:
            name = unique = name_text(key)
            if name in copy:  # 1 and "1" are two keys in Python
                unique = f"{name} ({len(copy)})"
            copy[unique] = _CUT
            if self._redaction is not None and self._redaction.is_secret(name):
                copy[unique] = self._redaction.replacement
            elif _is_container(item):
                containers.append((unique, item))
            else:
                copy[unique] = self.copy(item, inside)
        for name, item in containers:  # after the others, which must not suffer when they are too large
            copy[name] = self.copy(item, inside)
        if is_cut:
            copy[_CUT] = _CUT
        return copy

    def _array(self, value: Iterable[object], inside: tuple[int, ...]) -> list[object]:
        items, is_cut = self._affordable(value, type(value))
        copy: list[object] = [None if _is_container(item) else self.copy(item, inside) for item in items]
        for index, item in enumerate(items):
            if _is_container(item):
                name = None if self._redaction is None else pair_name(item)
                if self._redaction is not None and name is not None and self._redaction.is_secret(name):
                    copy[index] = [name, self._redaction.replacement]
                else:
                    copy[index] = self.copy(item, inside)
        return [*copy, _CUT] if is_cut else copy

    def _affordable(self, items: Iterable[_Item], kind: type) -> tuple[list[_Item], bool]:
        """The first of them, and whether there are more."""
        most = self._values if kind in NATIVE else min(self._values, MAX_FOREIGN)
        taken = list(islice(items, most + 1))
        is_cut = len(taken) > most
        self._values -= min(len(taken), most)
        return taken[:most], is_cut


def _is_container(value: object) -> bool:
    try:
        return isinstance(value, CONTAINERS)
    except Exception:  # noqa: BLE001 - even __class__ may be a property that raises
        return False


def leaf_text(value: object) -> str | None:
    """The text of what is spelled as a JSON string, and is no array or object; None for the rest."""
    try:
        leaf = None if isinstance(value, CONTAINERS) else _plain_leaf(value)
        return leaf if isinstance(leaf, str) else None
    except Exception:  # noqa: BLE001 - a value's own methods may raise anything
        return _unprintable(value)


def pair_name(item: object) -> str | None:
    """The name in what looks like a name and a value, as headers do: a list or tuple of two with a text in front."""
    if isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str | bytes | bytearray):
        return name_text(item[0])
    return None


def name_text(key: object) -> str:
    """The name of a value in an object, spelled as json does where it knows how."""
    try:
        if key is None or isinstance(key, bool):
            return {None: "null", True: "true", False: "false"}[key]
        if isinstance(key, str | int | float | bytes | bytearray):
            return str(_plain_leaf(key))
        return storable(_NAMES.repr(key) if isinstance(key, tuple | frozenset) else str(key))
    except Exception:  # noqa: BLE001 - a key's own __str__ may raise anything
        return _unprintable(key)


def _plain_leaf(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable(str.__str__(value))
    if isinstance(value, int):
        number = int.__index__(value)
        return number if -_LONGEST < number < _LONGEST else hex(number)
    if isinstance(value, float):
        return float.__pos__(value) if math.isfinite(value) else _not_finite(value)
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    return storable(str(value))


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _unprintable(value: object) -> str:
    try:
        return storable(f"<unprintable {type(value).__name__}>")
    except Exception:  # noqa: BLE001 - even the name of a type may be a property that raises
        return "<unprintable>"
