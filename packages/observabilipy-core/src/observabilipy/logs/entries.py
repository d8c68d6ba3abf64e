"""From records to entries: what the hot path left to do."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from observabilipy.encoding.encoded_entries import EncodedEntry
from observabilipy.encoding.fast import prepared
from observabilipy.encoding.json_text import is_flat, json_text
from observabilipy.logs.cuts import cut
from observabilipy.logs.redaction import Redaction
from observabilipy.models import check_timestamp, level_rank, name_of_number, storable, to_micros

__all__ = ["Finish", "Measured", "message_text", "shed"]

Measured: TypeAlias = tuple[EncodedEntry, int]
"""An entry, and about how many bytes it holds on to."""

_SOON = 4_000_000_000.0  # in 2096; until then to_micros does nothing else than what is done here in a third of the time
_ENTRY_BYTES = 400  # its tuples, its numbers, the heads of its texts: enough to bound a backlog


class Finish:
    """Makes entries: adds what every entry has, redacts, encodes, and cuts what is too long.

    Args:
        base: attributes of every entry; nearer ones win.
        redaction: what must not be stored.
        max_entry_bytes: how long the line of an entry may be.
    """

    def __init__(self, base: Mapping[str, object], redaction: Redaction, max_entry_bytes: int) -> None:
        self.base = base
        self._redaction = redaction
        self._max_entry_bytes = max_entry_bytes
        self._max_characters = max_entry_bytes // 6  # the longest escape of one character
        self._dumps = prepared()

    def with_base(self, base: Mapping[str, object]) -> "Finish":
        """The same for entries of another process."""
        return Finish(base, self._redaction, self._max_entry_bytes)

    def __call__(
        self, timestamp: float, level: str | int, message: object, attributes: Mapping[str, object]
    ) -> Measured:
        """The entry of a record, whose attributes have been merged with its context.

        Raises:
            InvalidValue: the timestamp is none.
        """
        if self.base:
            attributes = {**self.base, **attributes}
        if not isinstance(level, str):
            level, own_name = name_of_number(level)
            if own_name is not None:
                attributes = {"level_name": own_name, **attributes}
        text = message if type(message) is str else message_text(message)
        redaction = self._redaction
        if redaction.patterns:
            text = redaction.text(text)
        flat = is_flat(attributes)
        attributes = redaction.apply(attributes, flat=flat)
        encoded = json_text(attributes, self._dumps, flat=flat)
        size = len(text) + len(encoded)
        if size > self._max_characters:
            text, attributes = cut(text, attributes, self._max_entry_bytes)
            encoded = json_text(attributes, self._dumps)
            size = len(text) + len(encoded)
        if not text.isascii():
            text = storable(text)
        if type(timestamp) is float and 0.0 <= timestamp < _SOON:
            micros = round(timestamp * 1_000_000)
        else:
            micros = to_micros(check_timestamp(timestamp, "timestamp"))
        return (micros, level, text, encoded), _ENTRY_BYTES + size


def message_text(message: object) -> str:
    """A message as text, whatever it is."""
    try:
        return str(message)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything; recording never does
        return f"<unprintable {type(message).__name__}>"


def shed(backlog: Sequence[Measured], max_bytes: int) -> tuple[list[Measured], list[str]]:
    """Split a backlog into what fits, and the levels of what is given up: the lowest first, the oldest of each."""
    excess = sum(size for _, size in backlog) - max_bytes
    if excess <= 0:
        return list(backlog), []
    levels = [entry[1] for entry, _ in backlog]
    given_up: set[int] = set()
    for index in sorted(range(len(backlog)), key=lambda index: (level_rank(levels[index]), index)):
        if excess <= 0:
            break
        given_up.add(index)
        excess -= backlog[index][1]
    kept = [measured for index, measured in enumerate(backlog) if index not in given_up]
    return kept, [levels[index] for index in sorted(given_up)]
