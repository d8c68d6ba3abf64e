"""Cap: the file never becomes larger than ``max_bytes``, and no flush fails for that."""

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from observabilipy.errors import ConfigurationError, ObservabilityError
from observabilipy.models import LogEntry, LogQuery, MetricKind, MetricQuery, MetricSample, RetentionPolicy
from observabilipy.ports import Batch, CommitReport, Worker
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.room import Room

_MIB = 2**20
_CAP = 4 * _MIB
WORKER = Worker("a")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db", max_bytes=_CAP)
    yield storage
    storage.close()


def batch(sequence: int, *, size: int = 50_000, level: str = "INFO") -> Batch:
    """Of ten entries that cannot be compressed."""
    noise = random.Random(sequence)
    entries = tuple(
        LogEntry(sequence, level, noise.randbytes(size // 20).hex(), {"number": sequence * 10 + number})
        for number in range(10)
    )
    return Batch(WORKER, sequence, entries)


def commit(storage: SQLiteStorage, sequences: range, *, size: int = 50_000) -> list[CommitReport]:
    return [storage.commit(batch(sequence, size=size)) for sequence in sequences]


async def numbers(storage: SQLiteStorage) -> list[int]:
    return [int(str(entry.attributes["number"])) async for entry in storage.read_logs(LogQuery())]


async def test_at_the_cap_the_oldest_go_and_nothing_fails(storage: SQLiteStorage) -> None:
    reports = commit(storage, range(1, 201))
    left = await numbers(storage)
    evicted = sum(report.evicted.get("INFO", 0) for report in reports)
    storage._database.checkpoint()
    size = storage.path.stat().st_size

    assert (left, evicted) == (list(range(left[0], 2_010)), left[0] - 10)
    assert _CAP // 2 < size <= _CAP


def test_what_went_is_told_once_and_by_level(storage: SQLiteStorage) -> None:
    storage.commit(batch(1, level="AUDIT"))
    reports = commit(storage, range(2, 150))
    later = storage.commit(Batch(WORKER, 150))

    assert [report.evicted["AUDIT"] for report in reports if "AUDIT" in report.evicted] == [10]
    assert later == CommitReport()


async def test_maintenance_keeps_a_reserve_so_that_a_commit_does_not_meet_the_cap(storage: SQLiteStorage) -> None:
    commit(storage, range(1, 100))
    storage.maintain()
    storage.commit(Batch(WORKER, 100))
    report = storage.commit(batch(101))

    assert report.evicted == {}


async def test_a_batch_that_is_larger_than_the_reserve_fits_too(storage: SQLiteStorage) -> None:
    commit(storage, range(1, 100))
    commit(storage, range(100, 101), size=2_500_000)
    left = await numbers(storage)

    assert left[-10:] == list(range(1_000, 1_010))


async def test_without_any_log_the_oldest_history_goes(storage: SQLiteStorage) -> None:
    noise = random.Random(1)
    reports = []
    storage._database.write(lambda connection: connection.execute("CREATE TABLE taken (bytes BLOB)"))
    storage._database.write(lambda connection: connection.execute("INSERT INTO taken VALUES (zeroblob(3300000))"))
    for sequence in range(1, 41):
        samples = tuple(
            MetricSample(f"g{number % 10}", noise.random(), {"n": str(number // 10)}, MetricKind.GAUGE, sequence)
            for number in range(3_000)
        )
        reports.append(storage.commit(Batch(WORKER, sequence, gauges=samples)))
        storage.sample_history(sequence)
    evicted = sum(report.evicted_points for report in reports)
    kept = [len(series.points) async for series in storage.read_history(MetricQuery("g0"))]
    storage._database.checkpoint()

    assert (evicted > 0, storage.path.stat().st_size <= _CAP) == (True, True)
    assert 0 < kept[0] < 40


def test_what_no_empty_file_could_hold_is_refused_by_the_rule(storage: SQLiteStorage) -> None:
    storage.commit(batch(1))
    with pytest.raises(ObservabilityError, match=r"does not fit into .*obs\.db with max_bytes=4194304, even without"):
        commit(storage, range(2, 3), size=6_000_000)
    report = storage.commit(batch(2))

    assert report.evicted == {"INFO": 10}


async def test_a_larger_file_opens_and_keeps_its_size(tmp_path: Path) -> None:
    larger = SQLiteStorage(tmp_path / "obs.db")
    commit(larger, range(1, 200))
    larger.close()
    size = (tmp_path / "obs.db").stat().st_size
    storage = SQLiteStorage(tmp_path / "obs.db", max_bytes=_CAP)
    commit(storage, range(200, 400))
    left = await numbers(storage)
    storage.close()

    assert (left[-1], size > 2 * _CAP) == (3_999, True)
    assert (tmp_path / "obs.db").stat().st_size == size


async def test_the_file_of_another_larger_cap_can_be_written(tmp_path: Path) -> None:
    storages = [SQLiteStorage(tmp_path / "obs.db", max_bytes=cap) for cap in (_CAP, 4 * _CAP)]
    for sequence in range(1, 300):
        for storage in storages:
            storage.commit(Batch(Worker(str(id(storage))), sequence, batch(sequence).entries))
    left = await numbers(storages[0])
    for storage in storages:
        storage.close()

    assert left[-20:] == [*range(2_990, 3_000)] * 2


async def test_others_who_fill_the_disk_do_not_stop_a_file_at_its_cap(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(storage, range(1, 100))
    monkeypatch.setattr("observabilipy_sqlite.database.room_at", lambda path: Room(_MIB, 2**30))
    commit(storage, range(100, 300))
    left = await numbers(storage)

    assert left == list(range(left[0], 3_000))


async def test_below_its_cap_a_file_gives_up_nothing_for_a_disk_that_others_filled(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(storage, range(1, 5))
    monkeypatch.setattr("observabilipy_sqlite.database.room_at", lambda path: Room(_MIB, 2**30))
    with pytest.raises(ObservabilityError, match="the disk is full, free some space"):
        commit(storage, range(5, 100))
    left = await numbers(storage)

    assert left[0] == 10


async def test_a_file_at_its_cap_is_sound(storage: SQLiteStorage) -> None:
    for sequence in range(1, 300):
        storage.commit(batch(sequence, size=random.Random(sequence).randrange(100, 200_000)))
        if sequence % 20 == 0:
            storage.maintain()
    left = await numbers(storage)
    storage.close()
    with closing(sqlite3.connect(os.fspath(storage.path))) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()

    assert (sound, left) == ("ok", list(range(left[0], 3_000)))


def test_the_default_is_seven_days_within_the_cap(storage: SQLiteStorage) -> None:
    assert storage.default_log_retention == RetentionPolicy(max_age=604_800)


def test_a_cap_that_is_too_small_to_work_is_refused(tmp_path: Path) -> None:
    message = r"^max_bytes, the size of the file, must be at least 4194304 \(4 MiB\), got 5000: to limit the log alone"
    with pytest.raises(ConfigurationError, match=message):
        SQLiteStorage(tmp_path / "obs.db", max_bytes=5_000)
