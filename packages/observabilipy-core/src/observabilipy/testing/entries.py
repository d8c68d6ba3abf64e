"""Entries for the contracts, and short ways to read them back."""

from observabilipy.models import LogEntry, LogQuery, parse_cursor
from observabilipy.ports import LogStoragePort

__all__ = ["MANY", "NOON", "entry_of", "messages_of", "positions_of", "read"]

NOON = 1_800_000_000.0
"""The time at which every test begins, in unix seconds."""

MANY = 1_700
"""More entries than storages read at once."""


def entry_of(message: str, second: float = 0, *, level: str = "INFO") -> LogEntry:
    """An entry of so many seconds after NOON."""
    return LogEntry(NOON + second, level, message)


async def read(storage: LogStoragePort, query: LogQuery | None = None) -> list[LogEntry]:
    """What a query gives, or all entries."""
    return [entry async for entry in storage.read_logs(query or LogQuery())]


async def messages_of(storage: LogStoragePort, query: LogQuery | None = None) -> list[str]:
    """The messages that a query gives, or all."""
    return [entry.message for entry in await read(storage, query)]


async def positions_of(storage: LogStoragePort) -> list[int]:
    """The positions of all entries."""
    return [parse_cursor(entry.cursor or "").position for entry in await read(storage)]
