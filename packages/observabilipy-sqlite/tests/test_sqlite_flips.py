"""Bytes that a disk gives back wrong: the service goes on, and what it reads is what was written."""

import contextlib
import os
import random
from pathlib import Path

import pytest

from observabilipy.errors import ObservabilityError, StorageUnavailable
from observabilipy.models import LogEntry, LogQuery, MetricKind, MetricSample
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage

_TRIALS = int(os.environ.get("FLIP_TRIALS", "100"))  # 300 take half a minute
_FLIPS = 16
_ENTRIES = 6_000


def message(number: int) -> str:
    return f"order {number} " + random.Random(number).randbytes(20).hex()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with a packed and a plain log, totals and history."""
    path = tmp_path_factory.mktemp("flips") / "obs.db"
    storage = SQLiteStorage(path)
    worker = Worker("before")
    for sequence in range(1, 13):
        entries = tuple(
            LogEntry(number, ("DEBUG", "INFO", "AUDIT")[number % 3], message(number), {"number": number})
            for number in range((sequence - 1) * 500, sequence * 500)
        )
        samples = tuple(
            MetricSample(f"c{n}_total", sequence, {"n": str(n)}, MetricKind.COUNTER, sequence) for n in range(40)
        )
        storage.commit(Batch(worker, sequence, entries, samples))
        storage.sample_history(sequence)
        if sequence == 10:
            storage.maintain()
    storage.close()
    return path.read_bytes()


async def test_random_flips_cost_what_they_hit_and_stop_nothing(tmp_path: Path, sound: bytes) -> None:
    outcomes = []
    for seed in range(_TRIALS):
        path = flipped(tmp_path / f"{seed}.db", sound, random.Random(seed))
        storage = SQLiteStorage(path)
        try:
            outcomes.append(await outcome(storage))
        finally:
            await storage.aclose()
    read = [number for _, number, _ in outcomes if number is not None]
    untold = [skipped for goes_on, number, skipped in outcomes if number not in {None, _ENTRIES} and not skipped]

    assert [goes_on for goes_on, _, _ in outcomes] == [True] * _TRIALS
    assert (len(read) > _TRIALS * 3 // 4, sum(read) > len(read) * _ENTRIES // 4) == (True, True)
    assert len(untold) < _TRIALS // 20  # a file that is set aside at the next commit takes what was found with it


def flipped(path: Path, sound: bytes, chance: random.Random) -> Path:
    content = bytearray(sound)
    for _ in range(_FLIPS):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return path


async def outcome(storage: SQLiteStorage) -> tuple[bool, int | None, int]:
    """Whether commits go on, how many entries can be read (if the file can), how many segments were counted."""
    read: int | None = None
    with contextlib.suppress(StorageUnavailable):  # SQLite itself cannot read the file
        read = await read_all(storage)
    skipped = 0
    goes_on = False
    for sequence in range(1, 5):  # a file that cannot be written is set aside by two who say so
        goes_on = False
        with contextlib.suppress(ObservabilityError):
            skipped += storage.commit(batch(sequence)).skipped.get("damaged", 0)
            goes_on = True
    for work in (storage.maintain, lambda: storage.sample_history(100)):
        with contextlib.suppress(ObservabilityError):
            work()
    return goes_on, read, skipped


def batch(sequence: int) -> Batch:
    entries = (LogEntry(10_000, "INFO", "after", {"number": -1}),)
    return Batch(Worker("after"), sequence, entries, (MetricSample("c1_total", 1, {}, MetricKind.COUNTER, 100),))


async def read_all(storage: SQLiteStorage) -> int:
    """How many entries can be read, each of which must be as it was written."""
    entries = [entry async for entry in storage.read_logs(LogQuery())]
    for entry in entries:
        number = int(str(entry.attributes["number"]))
        assert (entry.timestamp, entry.message) == (number, message(number))
        assert entry.level == ("DEBUG", "INFO", "AUDIT")[number % 3]
    return len(entries)
