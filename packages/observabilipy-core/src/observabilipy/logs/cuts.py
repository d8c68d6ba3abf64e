"""Cuts: how an entry that is too long becomes short enough, and says so."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from observabilipy.encoding.json_text import json_text
from observabilipy.encoding.plain_copy import plain_copy

__all__ = ["CUT_MARK", "MAX_ENTRY_BYTES", "MIN_ENTRY_BYTES", "TRUNCATED", "cut"]

MAX_ENTRY_BYTES = 262_144
"""How long an entry may be unless said otherwise: Loki refuses longer lines by default."""

MIN_ENTRY_BYTES = 1_024
"""Less than this cannot be kept."""

CUT_MARK = "…"
"""What was cut ends in it."""

TRUNCATED = "truncated"
"""The attribute that names what was cut."""

_SMALL = 128  # bytes that are left of what is cut, and up to which nothing is cut: identifiers are shorter
_MESSAGE = ""  # beside attributes, which have names


@dataclass(slots=True)
class _Part:
    """The message, or an attribute: the bytes of its name with quotes, colon and comma, and its value as JSON text."""

    name: str
    value: object
    overhead: int
    text: str
    size: int
    is_whole: bool = True

    @property
    def is_string(self) -> bool:
        return self.text.startswith('"')

    @property
    def total(self) -> int:
        return self.overhead + self.size


def cut(
    message: str, attributes: Mapping[str, object], max_bytes: int = MAX_ENTRY_BYTES
) -> tuple[str, Mapping[str, object]]:
    """Shorten a message and attributes until both, as JSON in UTF-8, take at most ``max_bytes`` together.

    Nothing is done, and the same objects come back, when they do already. Else long texts are cut, the longest first
    and all to the same length; when that is not enough, lists, mappings and long numbers become the beginning of their
    JSON text; then attributes are left out, the longest first. What takes up to 128 bytes, such as identifiers, is not
    cut, and left out last. The attribute ``truncated`` names whatever was cut or left out, sorted; one of that name
    that was there before is left out, too. Never raises.

    Less than 1,024 as ``max_bytes`` counts as 1,024.
    """
    limit = max(max_bytes, MIN_ENTRY_BYTES)
    if len(message) < limit and _bytes(json_text(message)) + _bytes(json_text(attributes)) <= limit:
        return message, attributes
    parts = _parts(message, attributes, limit)
    for_names = _names_bytes(parts, limit)
    room = limit - for_names
    kept = [part for part in parts if part.name != TRUNCATED or part is parts[0]]
    excess = _size(kept) - room
    excess -= _shorten([part for part in kept if part.is_string], excess)
    excess -= _shorten([part for part in kept if not part.is_string], excess)
    kept = _leave_out(kept, excess)
    whole = {part.name for part in kept[1:] if part.is_whole}
    lost = {part.name for part in parts[1:]} - whole
    if not kept[0].is_whole:
        lost.add("message")
    shorter = {part.name: part.value for part in kept[1:]}
    return str(kept[0].value), {**shorter, TRUNCATED: _names(lost, for_names)}


def _names_bytes(parts: list[_Part], limit: int) -> int:
    """What the attribute ``truncated`` may take: room for every name, within reason."""
    return min(
        4_096, limit // 4, _bytes(json_text({TRUNCATED: [CUT_MARK, "message"]})) + sum(part.overhead for part in parts)
    )


def _parts(message: str, attributes: Mapping[str, object], limit: int) -> list[_Part]:
    """The message, and the attributes as values that are spelled the same whenever it is done."""
    parts = [_part(_MESSAGE, 2, message, limit)]  # 2: the braces around the attributes
    named: object = attributes
    if type(attributes) is not dict or not all(type(name) is str for name in attributes):
        named = plain_copy(attributes)
    pairs = named.items() if isinstance(named, dict) else [("attributes", named)]
    for name, value in pairs:
        parts.append(_part(name, _bytes(json_text(name)) + 2, value, limit))
    return parts


def _part(name: str, overhead: int, value: object, limit: int) -> _Part:
    if isinstance(value, str) and len(value) > limit:
        text = json_text(str.__str__(value)[:limit])
        return _Part(name, json.loads(text), overhead, text, _bytes(text) + 1, is_whole=False)
    text = json_text(value)
    return _Part(name, json.loads(text), overhead, text, _bytes(text))


def _shorten(parts: list[_Part], excess: int) -> int:
    """Cut the longest of them, to the same length, until so many bytes are gone. Gives how many went."""
    if excess <= 0:
        return 0
    length = _level([part.size for part in parts], excess)
    gone = 0
    for part in parts:
        if part.size > length:
            before = part.size
            _cut_part(part, length)
            gone += before - part.size
    return gone


def _level(sizes: list[int], excess: int) -> int:
    """To which size the larger ones must shrink, so that so many bytes go; not below the small ones."""
    larger = sorted((size for size in sizes if size > _SMALL), reverse=True)
    total = 0
    for count, size in enumerate(larger, 1):
        total += size
        level = (total - excess) // count
        following = larger[count] if count < len(larger) else _SMALL
        if level >= following:
            return level
    return _SMALL


def _cut_part(part: _Part, length: int) -> None:
    """Leave at most so many bytes of its JSON text, quotes and mark among them."""
    text = str(part.value) if part.is_string else part.text
    room = length - _bytes(json_text(CUT_MARK))
    beginning = text[:room]
    if _bytes(json_text(beginning)) - 2 > room:
        fits = bisect_right(range(len(beginning)), room, key=lambda end: _bytes(json_text(beginning[:end])) - 2)
        beginning = beginning[: fits - 1]
    part.value = beginning + CUT_MARK
    part.text = json_text(part.value)
    part.size = _bytes(part.text)
    part.is_whole = False


def _leave_out(parts: list[_Part], excess: int) -> list[_Part]:
    """Give up attributes, the longest first, until so many bytes are gone."""
    given_up: set[int] = set()
    for index in sorted(range(1, len(parts)), key=lambda index: parts[index].total, reverse=True):
        if excess <= 0:
            break
        given_up.add(index)
        excess -= parts[index].total
    return [part for index, part in enumerate(parts) if index not in given_up]


def _names(names: Iterable[str], limit: int) -> list[str]:
    """As many names as fit, each short, and a mark where some did not."""
    listed: list[str] = []
    room = limit - _bytes(json_text({TRUNCATED: [CUT_MARK]}))
    for name in sorted(names):
        short = name if len(name) <= _SMALL else name[:_SMALL] + CUT_MARK
        room -= _bytes(json_text(short)) + 1
        if room < 0:
            return [*listed, CUT_MARK]
        listed.append(short)
    return listed


def _size(parts: Iterable[_Part]) -> int:
    return sum(part.total for part in parts)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
