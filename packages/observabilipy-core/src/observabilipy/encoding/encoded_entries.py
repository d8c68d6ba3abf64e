"""EncodedEntries: log entries as stores keep them, which are entries again for whoever wants them."""

import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias, overload

from observabilipy.encoding.json_text import json_text
from observabilipy.models import LogEntry, from_micros, to_micros

__all__ = ["EncodedEntries", "EncodedEntry", "encoded"]

EncodedEntry: TypeAlias = tuple[int, str, str, str]
"""Timestamp in microseconds, level, message, attributes as JSON text. A tuple: a tenth of the time of a LogEntry."""


class EncodedEntries(Sequence[LogEntry]):
    """The entries of a batch, encoded once, by the runtime's thread.

    Args:
        parts: of each entry, which keep every rule of LogEntry already.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[EncodedEntry]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts)

    @overload
    def __getitem__(self, index: int) -> LogEntry: ...
    @overload
    def __getitem__(self, index: slice) -> "EncodedEntries": ...
    def __getitem__(self, index: int | slice) -> "LogEntry | EncodedEntries":
        if isinstance(index, slice):
            return EncodedEntries(self.parts[index])
        micros, level, message, attributes = self.parts[index]
        return LogEntry(from_micros(micros), level, message, json.loads(attributes))

    def __repr__(self) -> str:
        return f"EncodedEntries({self.parts!r})"


def encoded(entries: Iterable[LogEntry]) -> Sequence[EncodedEntry]:
    """What a store keeps of entries: later changes of their attributes do not reach it."""
    if isinstance(entries, EncodedEntries):
        return entries.parts
    return [(to_micros(entry.timestamp), entry.level, entry.message, json_text(entry.attributes)) for entry in entries]
