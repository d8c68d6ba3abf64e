"""A file that this program must leave alone: the process goes on in its memory, and the file stays as it is."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from observabilipy import LogEntry, LogQuery, Observability, StorageRefused, counter
from observabilipy.ports import Batch, CommitReport, Worker
from observabilipy.storage.volume import log_volume
from observabilipy_sqlite import SQLiteStorage


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A file of a release to come."""
    path = tmp_path / "obs.db"
    storage = SQLiteStorage(path)
    storage.commit(Batch(Worker("before"), 1, (LogEntry.info("before"),), (counter("c_total", 5),)))
    storage.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9000")
    return path


@pytest.fixture
def storage(newer: Path) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage(newer)
    yield storage
    storage.close()


def whole(path: Path) -> bytes:
    return path.read_bytes()


async def test_a_process_whose_file_is_refused_goes_on_in_memory(
    storage: SQLiteStorage, newer: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = whole(newer)
    worker = Worker("here")
    with caplog.at_level(logging.WARNING):
        reports = [
            storage.commit(Batch(worker, sequence, (LogEntry.info(f"here {sequence}"),), (counter("c_total", 1),)))
            for sequence in (1, 2, 2)
        ]
        storage.heartbeat(worker)
        storage.acquire_lease(worker, 30)
        storage.maintain()
        storage.sample_history(1.0)
    values = [series.value async for family in storage.totals() for series in family.series]
    messages = [entry.message async for entry in storage.read_logs(LogQuery())]
    [volume] = [volume.counts async for volume in log_volume(storage, LogQuery(min_level="INFO"), 1e9)]
    warnings = [record.getMessage() for record in caplog.records if "its format is version 9.0" in record.message]

    assert (values, messages[1:], volume) == ([2], ["here 1", "here 2"], {"WARNING": 1, "INFO": 2})
    assert (warnings, [report == CommitReport() for report in reports]) == ([messages[0]], [True] * 3)
    assert whole(newer) == content


async def test_who_only_reads_is_told_why_there_is_nothing(storage: SQLiteStorage) -> None:
    with pytest.raises(StorageRefused, match=r"its format is version 9\.0, .*: install a newer observabilipy-sqlite"):
        [entry async for entry in storage.read_logs(LogQuery())]


def test_what_a_killed_process_left_waits_for_a_program_that_knows_the_file(storage: SQLiteStorage) -> None:
    dead = Batch(Worker("dead", lifetime=0), 1, (LogEntry.info("left"),))
    with pytest.raises(StorageRefused, match=r"its format is version 9\.0"):
        storage.commit(dead)
    storage.commit(Batch(Worker("here"), 1, (LogEntry.info("here"),)))
    with pytest.raises(StorageRefused, match="a ring is safer than this process's memory"):
        storage.commit(dead)


def test_rings_beside_a_refused_file_stay_where_they_are(newer: Path) -> None:
    rings = Path(f"{newer}-rings")
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 4000")
    program = (
        "import os; from observabilipy import Observability;"
        f"obs = Observability('sqlite:///{newer}', log_durability='crash', flush_interval=3600);"
        "obs.flush(); obs.info('left'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    left = list(rings.glob("*.ring"))
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 9000")
    with Observability(SQLiteStorage(newer), log_durability="crash", handle_sigterm=False) as obs:
        obs.info("here")
        obs.flush()
        during = list(rings.glob("*.ring"))

    assert (len(left), set(left) <= set(during)) == (1, True)
