"""From records to entries: what the hot path left to do."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TypeAlias, cast

from observabilipy.logs.buffer import Record
from observabilipy.models import LogEntry, level_rank

__all__ = ["Measured", "entry_bytes", "entry_of", "shed"]

Measured: TypeAlias = tuple[LogEntry, int]
"""An entry, and about how many bytes it holds on to."""

_MEASURED_OBJECTS = 1_000


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
    return 256 + len(entry.message) + _size(entry.attributes)


def _size(value: object) -> int:
    """Of a value and what it holds, as far as the first thousand objects: it may be a cycle, or a whole world."""
    size = 0
    waiting = [value]
    for _ in range(_MEASURED_OBJECTS):
        if not waiting:
            break
        one = waiting.pop()
        if isinstance(one, str | bytes):
            size += 49 + len(one)
        elif isinstance(one, dict):
            size += 64 + 48 * len(one)
            waiting.extend(islice(one.keys(), _MEASURED_OBJECTS))
            waiting.extend(islice(one.values(), _MEASURED_OBJECTS))
        elif isinstance(one, list | tuple):
            size += 56 + 8 * len(one)
            waiting.extend(islice(one, _MEASURED_OBJECTS))
        else:
            size += 32
    return size


def shed(backlog: Sequence[Measured], max_bytes: int) -> tuple[list[Measured], list[LogEntry]]:
    """Split a backlog into what fits and what is given up: the lowest levels first, the oldest of each."""
    excess = sum(size for _, size in backlog) - max_bytes
    if excess <= 0:
        return list(backlog), []
    given_up: set[int] = set()
    for index in sorted(range(len(backlog)), key=lambda index: (level_rank(backlog[index][0].level), index)):
        if excess <= 0:
            break
        given_up.add(index)
        excess -= backlog[index][1]
    kept = [measured for index, measured in enumerate(backlog) if index not in given_up]
    return kept, [backlog[index][0] for index in sorted(given_up)]
