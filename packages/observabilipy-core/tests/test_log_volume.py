"""The volume of a log from a storage that cannot count it, and steps that are none."""

import pytest

from observabilipy.errors import InvalidValue
from observabilipy.models import LogEntry, LogQuery, LogVolume
from observabilipy.ports import VolumePort
from observabilipy.storage import InMemoryLogStorage
from observabilipy.storage.volume import log_volume


async def test_a_storage_that_cannot_count_is_counted_by_its_entries() -> None:
    storage = InMemoryLogStorage()
    await storage.write_logs([LogEntry(second, level, "x") for second, level in ((61, "INFO"), (59, "ERROR"))])
    got = [volume async for volume in log_volume(storage, LogQuery(), 60)]

    assert not isinstance(storage, VolumePort)
    assert got == [LogVolume(0, {"ERROR": 1}), LogVolume(60, {"INFO": 1})]


def test_a_step_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(InvalidValue, match=r"step must be a finite number of seconds, 0\.000001 or more, got 0"):
        log_volume(InMemoryLogStorage(), LogQuery(), 0)
