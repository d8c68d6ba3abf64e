"""From records to entries: what the hot path left to do."""

from collections.abc import Mapping, Sequence
from typing import cast

from observabilipy.logs.buffer import Record
from observabilipy.models import LogEntry, level_rank

__all__ = ["entry_bytes", "entry_of", "shed"]


def entry_of(record: Record, base: Mapping[str, object]) -> LogEntry:
    """The entry of a record; ``base`` holds the attributes that every entry has. Nearer attributes win."""
    attributes = {**base, **record.context, **record.attributes}
    level = cast("str", record.level)  # a number of standard logging becomes a name there
    return LogEntry(record.timestamp, level, _text(record.message), attributes)


def _text(message: object) -> str:
    try:
        return message if isinstance(message, str) else str(message)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything; recording never does
        return f"<unprintable {type(message).__name__}>"


def entry_bytes(entry: LogEntry) -> int:
    """About how much memory an entry holds on to: enough to bound a backlog, cheap enough for each entry."""
    return 256 + len(entry.message) + sum(64 + len(name) + _size(value) for name, value in entry.attributes.items())


def _size(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(64 + len(str(key)) + _size(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(16 + _size(item) for item in value)
    return 32


def shed(entries: Sequence[LogEntry], max_bytes: int) -> tuple[list[LogEntry], list[LogEntry]]:
    """Split a backlog into what fits and what is given up: the lowest levels first, the oldest of each."""
    excess = sum(map(entry_bytes, entries)) - max_bytes
    if excess <= 0:
        return list(entries), []
    given_up: set[int] = set()
    for index in sorted(range(len(entries)), key=lambda index: (level_rank(entries[index].level), index)):
        if excess <= 0:
            break
        given_up.add(index)
        excess -= entry_bytes(entries[index])
    kept = [entry for index, entry in enumerate(entries) if index not in given_up]
    return kept, [entries[index] for index in sorted(given_up)]
