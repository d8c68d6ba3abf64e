"""The benchmark of queries reaches into the store for its locks: it must find there what it times."""

from pathlib import Path

from benchmarks.store_corpus import BEGIN_MICROS, fill
from benchmarks.store_queries import Locks

from observabilipy_sqlite import SQLiteStorage


async def test_locks_of_deletions_and_of_checkpoints_are_told_apart(tmp_path: Path) -> None:
    fill(tmp_path / "log.db", 2_000)
    storage = SQLiteStorage(tmp_path / "log.db")
    locks = Locks(storage)
    try:
        assert await storage.delete_logs_before(BEGIN_MICROS / 1e6 + 10)
        steps, checkpoints = len(locks.steps), len(locks.checkpoints)
        storage._async_database.checkpoint()
    finally:
        await storage.aclose()

    assert steps > 0
    assert len(locks.checkpoints) == checkpoints + 1
    assert len(locks.steps) == steps
