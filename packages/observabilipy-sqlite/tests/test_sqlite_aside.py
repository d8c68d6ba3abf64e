"""Damaged databases: which are set aside, and which are left where they are."""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

import pytest

from observabilipy.errors import StorageUnavailable
from observabilipy.models import LogEntry, LogQuery
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.aside import set_aside
from observabilipy_sqlite.file import identity

_NOON = 1_800_000_000.0
_WORKER = Worker("worker-a")


def make(path: Path) -> None:
    storage = SQLiteStorage(path)
    storage.commit(Batch(_WORKER, 1, tuple(LogEntry(_NOON, "INFO", "x" * 100) for _ in range(200))))
    storage.close()


def damage(path: Path) -> bytes:
    os.truncate(path, 9_000)
    return path.read_bytes()


def try_to_commit(storage: SQLiteStorage) -> bool:
    try:
        storage.commit(Batch(_WORKER, 2, (LogEntry(_NOON, "INFO", "new"),)))
    except StorageUnavailable:
        return False
    return True


def aside(directory: Path) -> list[Path]:
    return sorted(file for file in directory.iterdir() if ".corrupt-" in file.name)


def upgrade_beyond_recognition(path: Path) -> None:
    """To what an older SQLite calls a malformed schema (SQLITE_CORRUPT): syntax that it does not know."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE later (x)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE later (x) UNHEARD' WHERE name = 'later'")
        connection.execute("PRAGMA user_version = 99")
        connection.commit()


async def test_a_database_that_two_connections_find_damaged_is_set_aside_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path / "obs.db")
    content = damage(tmp_path / "obs.db")
    storage = SQLiteStorage(tmp_path / "obs.db")
    taken = [try_to_commit(storage) for _ in range(3)]
    messages = [entry.message async for entry in storage.read_logs(LogQuery())]
    await storage.aclose()
    [kept] = aside(tmp_path)
    [record] = caplog.records

    assert (taken, messages, kept.read_bytes()) == ([False, False, True], ["new"], content)
    assert (record.name, record.levelno, record.getMessage()) == (
        "observabilipy",
        logging.WARNING,
        f"{tmp_path / 'obs.db'} is damaged and was set aside as {kept.name}; a new one is made: database disk image is"
        " malformed",
    )


@pytest.mark.parametrize("in_use", [False, True])
def test_a_newer_format_that_this_sqlite_cannot_even_parse_stays(tmp_path: Path, in_use: bool) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    try_to_commit(storage)
    if not in_use:
        storage.close()
    upgrade_beyond_recognition(tmp_path / "obs.db")

    assert ([try_to_commit(storage) for _ in range(4)], aside(tmp_path)) == ([False] * 4, [])


def test_errors_that_are_far_apart_are_no_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "obs.db")
    damage(tmp_path / "obs.db")
    monkeypatch.setattr("observabilipy_sqlite.database._DOUBT_SECONDS", -1.0)
    storage = SQLiteStorage(tmp_path / "obs.db")

    assert ([try_to_commit(storage) for _ in range(3)], aside(tmp_path)) == ([False] * 3, [])


async def test_old_entries_that_cannot_be_deleted_are_evidence_or_the_file_would_grow_for_ever(tmp_path: Path) -> None:
    make(tmp_path / "obs.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "obs.db")) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'segment'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with (tmp_path / "obs.db").open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    storage = SQLiteStorage(tmp_path / "obs.db")
    with pytest.raises(StorageUnavailable):
        await storage.delete_oldest_logs(1)
    deleted = await storage.delete_oldest_logs(1)
    await storage.aclose()

    assert (deleted, len(aside(tmp_path))) == (0, 1)


async def test_a_reader_sets_nothing_aside(tmp_path: Path) -> None:
    make(tmp_path / "obs.db")
    damage(tmp_path / "obs.db")
    storage = SQLiteStorage(tmp_path / "obs.db")
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await storage.log_facts()
    await storage.aclose()

    assert aside(tmp_path) == []


def test_a_database_that_lost_its_header_in_use_is_known_to_be_ours(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    first = try_to_commit(storage)
    storage.maintain()
    with (tmp_path / "obs.db").open("r+b") as file:
        file.write(bytes(5_000))
    taken: list[bool] = []
    while not taken or not taken[-1]:
        try:
            storage.maintain()
            storage.commit(Batch(_WORKER, 3 + len(taken), (LogEntry(_NOON, "INFO", "new"),)))
            taken.append(True)
        except StorageUnavailable:
            taken.append(False)
    storage.close()

    assert (first, taken, len(aside(tmp_path))) == (True, [False, False, True], 1)


def test_another_file_than_the_damaged_one_stays(tmp_path: Path) -> None:
    make(tmp_path / "obs.db")
    make(tmp_path / "other.db")
    other = identity(tmp_path / "other.db")
    assert other is not None

    assert (set_aside(tmp_path / "obs.db", other, known=True), aside(tmp_path)) == (None, [])


def test_the_target_of_a_link_stays(tmp_path: Path) -> None:
    make(tmp_path / "real.db")
    (tmp_path / "obs.db").symlink_to("real.db")
    here = identity(tmp_path / "obs.db")
    assert here is not None

    assert (set_aside(tmp_path / "obs.db", here, known=True), aside(tmp_path)) == (None, [])


def test_three_are_kept_and_the_fourth_stays(tmp_path: Path) -> None:
    results = []
    for _ in range(4):
        make(tmp_path / "obs.db")
        (tmp_path / "obs.db-wal").write_bytes(b"its wal")
        here = identity(tmp_path / "obs.db")
        assert here is not None
        results.append(set_aside(tmp_path / "obs.db", here, known=True) is not None)

    assert (results, len(aside(tmp_path)), (tmp_path / "obs.db").exists()) == ([True, True, True, False], 6, True)


async def test_the_wal_that_a_replaced_database_left_behind_is_not_taken_for_the_newcomers(tmp_path: Path) -> None:
    path = tmp_path / "obs.db"
    newcomer = SQLiteStorage(tmp_path / "other.db")
    await newcomer.write_logs([LogEntry(_NOON, "INFO", "newcomer")])
    await newcomer.aclose()
    storage, sibling = SQLiteStorage(path), SQLiteStorage(path)
    for each in (storage, sibling):
        await each.write_logs([LogEntry(_NOON, "INFO", "replaced")])
    (tmp_path / "other.db").replace(path)
    await storage.write_logs([LogEntry(_NOON, "INFO", "first")])
    await sibling.write_logs([LogEntry(_NOON, "INFO", "second")])
    messages = [entry.message async for entry in storage.read_logs(LogQuery())]
    (sound,) = storage._database.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchone())
    for each in (storage, sibling):
        await each.aclose()

    assert (messages, sound) == (["newcomer", "first", "second"], "ok")
