"""The volume of any log by time and level: as the storage counts it, else counted here from its entries."""

from collections.abc import AsyncIterator

from observabilipy.models import LogQuery, LogVolume, to_micros
from observabilipy.models.volume import step_micros, volumes_of
from observabilipy.ports import LogStoragePort, VolumePort

__all__ = ["counted", "log_volume"]

_TURN = 64  # entries; with the few microseconds that each takes, other tasks wait for half a millisecond


def log_volume(storage: LogStoragePort, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
    """How many entries of each level match, in buckets of ``step`` seconds, of any storage.

    As the storage counts them where it has ``read_volume`` (``VolumePort``, which says what the buckets are), otherwise
    by reading every entry that matches.

    Raises:
        InvalidValue: the step is no finite number of a microsecond or more; before anything is read.
        StorageUnavailable: the store cannot be read now; raised by the iteration.
    """
    if isinstance(storage, VolumePort):
        return storage.read_volume(query, step)
    return counted(storage, query, step_micros(step))


async def counted(storage: LogStoragePort, query: LogQuery, step: int) -> AsyncIterator[LogVolume]:
    """The same from ``read_logs``, entry by entry; the step in microseconds."""
    from asyncio import sleep

    counts: dict[tuple[int, str], int] = {}
    entries = storage.read_logs(query)
    turn = 0
    try:
        async for entry in entries:
            key = to_micros(entry.timestamp) // step, entry.level
            counts[key] = counts.get(key, 0) + 1
            turn += 1
            if turn % _TURN == 0:
                await sleep(0)
    finally:
        close = getattr(entries, "aclose", None)
        if close is not None:
            await close()
    for volume in volumes_of(counts, step):
        yield volume
