"""The file: who may read it, and what happens when it is missing, replaced, foreign or broken."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from observabilipy import Observability
from observabilipy.errors import ConfigurationError, StorageRefused, StorageUnavailable
from observabilipy.models import LogEntry, LogQuery, counter
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.room import Room

_WORKER = Worker("worker-a")
_NOON = 1_800_000_000.0


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db")
    yield storage
    storage.close()


def _commit(storage: SQLiteStorage, sequence: int) -> None:
    entry = LogEntry(_NOON, "INFO", f"batch {sequence}")
    storage.commit(Batch(_WORKER, sequence, (entry,), (counter("a_total"),)))


async def _messages(storage: SQLiteStorage) -> list[str]:
    return [entry.message async for entry in storage.read_logs(LogQuery())]


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_only_the_owner_may_read_what_is_made(storage: SQLiteStorage) -> None:
    umask = os.umask(0)
    try:
        _commit(storage, 1)
    finally:
        os.umask(umask)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in storage.path.parent.iterdir()}

    assert modes == {"obs.db": 0o600, "obs.db-wal": 0o600, "obs.db-shm": 0o600}


def test_the_mode_of_a_file_that_exists_is_left_alone(storage: SQLiteStorage) -> None:
    storage.path.touch()
    storage.path.chmod(0o640)
    _commit(storage, 1)

    assert stat.S_IMODE(storage.path.stat().st_mode) == 0o640


async def test_odd_characters_in_the_path_are_characters(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "a?mode=ro#%41 é.db")
    _commit(storage, 1)
    await storage.aclose()

    assert _names(tmp_path) == ["a?mode=ro#%41 é.db"]


async def test_a_directory_is_told_as_one(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path)
    with pytest.raises(StorageUnavailable, match="it is a directory: name a file in it"):
        _commit(storage, 1)
    with pytest.raises(StorageUnavailable, match="it is a directory: name a file in it"):
        await _messages(storage)
    await storage.aclose()


async def test_writing_begins_once_the_directory_is_there(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "later" / "obs.db")
    with pytest.raises(StorageUnavailable, match=r"there is no directory .*later: create it, or choose another path"):
        _commit(storage, 1)
    with pytest.raises(StorageUnavailable, match="there is no directory"):
        await storage.write_logs([LogEntry(_NOON, "INFO", "x")])
    storage.path.parent.mkdir()
    _commit(storage, 1)
    got = await _messages(storage)
    await storage.aclose()

    assert got == ["batch 1"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a directory that is there and takes no file")
def test_a_directory_that_takes_no_file_is_not_told_to_be_missing() -> None:
    storage = SQLiteStorage("/proc/obs.db")
    with pytest.raises(StorageUnavailable, match=r"cannot create /proc/obs\.db: No such file or directory"):
        _commit(storage, 1)


async def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.db").touch()
    (tmp_path / "link.db").symlink_to("real.db")
    storage = SQLiteStorage(tmp_path / "link.db")
    _commit(storage, 1)
    await storage.aclose()
    real = SQLiteStorage(tmp_path / "real.db")
    got = await _messages(real)
    await real.aclose()

    assert got == ["batch 1"]


def test_a_link_that_leads_nowhere_is_refused(storage: SQLiteStorage, tmp_path: Path) -> None:
    storage.path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageUnavailable, match="a symbolic link that leads nowhere: create the file it names"):
        _commit(storage, 1)


async def test_a_file_that_was_deleted_is_made_anew_for_both_connections(storage: SQLiteStorage) -> None:
    _commit(storage, 1)
    before = (await storage.log_facts()).generation
    for name in _names(storage.path.parent):
        (storage.path.parent / name).unlink()
    _commit(storage, 2)
    after = (await storage.log_facts()).generation

    assert await _messages(storage) == ["batch 2"]
    assert before != after


async def test_a_service_whose_file_was_deleted_defines_and_sets_everything_once_more(tmp_path: Path) -> None:
    path = tmp_path / "obs.db"
    with Observability(f"sqlite:///{path}", collectors=(), flush_interval=3600, handle_sigterm=False) as obs:
        obs.gauge("queue", "Jobs that wait.", aggregate="sum").set(3)
        obs.gauge("version", "What is deployed.").set(7)
        obs.counter("jobs_total", "Jobs done.").inc(5)
        obs.flush()
        for name in _names(tmp_path):
            (tmp_path / name).unlink()
        obs.counter("jobs_total", "Jobs done.").inc(2)
        obs.flush()  # the commit that meets the new file
        obs.flush()
        shown = {f.name: (f.help, f.aggregate, [s.value for s in f.series]) async for f in obs.storage.totals()}

    assert shown == {
        "jobs_total": ("Jobs done.", "last", [2]),
        "queue": ("Jobs that wait.", "sum", [3]),
        "version": ("What is deployed.", "last", [7]),
    }


async def test_a_database_deleted_without_its_wal_leaves_nothing_to_the_next_one(storage: SQLiteStorage) -> None:
    _commit(storage, 1)
    await storage.log_facts()
    storage.path.unlink()
    newcomer = SQLiteStorage(storage.path)
    _commit(newcomer, 2)
    _commit(storage, 3)
    await storage.write_logs([LogEntry(_NOON, "INFO", "plain")])
    _commit(newcomer, 4)
    storage.close()
    _commit(newcomer, 5)
    got = await _messages(newcomer)
    (sound,) = newcomer._database.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchone())
    await newcomer.aclose()

    assert (got, sound) == (["batch 2", "batch 3", "plain", "batch 4", "batch 5"], "ok")


@pytest.mark.parametrize("is_link", [False, True])
async def test_a_database_that_was_emptied_is_made_anew_for_all_who_have_it_open(tmp_path: Path, is_link: bool) -> None:
    file = tmp_path / "real.db"
    SQLiteStorage(file).close()
    path = tmp_path / "link.db" if is_link else file
    file.touch(mode=0o640)
    file.chmod(0o640)
    if is_link:
        path.symlink_to(file)
    first, second = SQLiteStorage(path), SQLiteStorage(path)
    other = Worker("worker-b")
    try:
        _commit(first, 1)
        assert await _messages(second) == ["batch 1"]
        second.commit(Batch(other, 1, (LogEntry(_NOON, "INFO", "before"),), ()))
        os.truncate(file, 0)
        for sequence in (2, 3):
            _commit(first, sequence)
            second.commit(Batch(other, sequence, (LogEntry(_NOON, "INFO", f"other {sequence}"),), ()))

        expected = ["batch 2", "other 2", "batch 3", "other 3"]
        assert await _messages(first) == await _messages(second) == expected
    finally:
        first.close()
        second.close()
    again = SQLiteStorage(path)
    assert await _messages(again) == expected
    again.close()
    assert path.is_symlink() == is_link
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert not [name for name in _names(tmp_path) if name.endswith("-new")]


async def test_a_backup_put_in_the_place_of_all_three_files_is_used(storage: SQLiteStorage, tmp_path: Path) -> None:
    other = SQLiteStorage(tmp_path / "other.db")
    await other.write_logs([LogEntry(_NOON, "INFO", "other")])
    await other.aclose()
    _commit(storage, 1)
    await storage.log_facts()
    for name in _names(tmp_path):
        if name.startswith("obs.db"):
            (tmp_path / name).unlink()
    (tmp_path / "other.db").rename(storage.path)
    _commit(storage, 2)
    await storage.write_logs([LogEntry(_NOON, "INFO", "plain")])

    assert await _messages(storage) == ["other", "batch 2", "plain"]


async def test_a_backup_put_in_the_place_of_the_file_alone_is_not_overwritten_by_a_checkpoint(
    storage: SQLiteStorage, tmp_path: Path
) -> None:
    other = SQLiteStorage(tmp_path / "other.db")
    await other.write_logs([LogEntry(_NOON, "INFO", "other")])
    await other.aclose()
    _commit(storage, 1)  # its pages are in the -wal alone
    (tmp_path / "other.db").rename(storage.path)
    storage._database.checkpoint()
    _commit(storage, 2)

    assert await _messages(storage) == ["other", "batch 2"]


def test_a_process_without_a_descriptor_left_commits_and_says_why_it_cannot_checkpoint(
    storage: SQLiteStorage, tmp_path: Path
) -> None:
    _commit(storage, 1)
    code = f"""
import os, resource, sys
from observabilipy.errors import StorageUnavailable
from observabilipy.models import LogEntry
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage

storage = SQLiteStorage({str(storage.path)!r})
storage.commit(Batch(Worker("w"), 1, (LogEntry.info("opens"),)))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        os.open(os.devnull, os.O_RDONLY)
except OSError:
    pass
for sequence in range(2, 102):  # 10 MB of WAL
    storage.commit(Batch(Worker("w"), sequence, (LogEntry.info("x" * 100_000),)))
try:
    storage.maintain()
except StorageUnavailable as error:
    print(error, file=sys.stderr)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60, check=False)

    assert (done.returncode, "unable to open database file: make the file and" in done.stderr) == (0, True), done.stderr
    assert Path(f"{storage.path}-wal").stat().st_size > 10_000_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a database, and longer than its header would be" * 40, "file is not a database: move the file away"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "cannot use"),
    ],
)
async def test_a_broken_file_is_told_and_left_alone(storage: SQLiteStorage, content: bytes, message: str) -> None:
    storage.path.write_bytes(content)
    with pytest.raises(StorageUnavailable, match=message):
        _commit(storage, 1)
    with pytest.raises(StorageUnavailable, match=message):
        await storage.log_facts()

    assert storage.path.read_bytes() == content


async def test_a_broken_file_that_was_moved_away_is_replaced(storage: SQLiteStorage) -> None:
    storage.path.write_bytes(b"not a database" * 400)
    with pytest.raises(StorageUnavailable):
        _commit(storage, 1)
    storage.path.rename(f"{storage.path}.broken")
    _commit(storage, 1)

    assert await _messages(storage) == ["batch 1"]


async def test_a_database_of_another_program_is_refused_and_left_alone(storage: SQLiteStorage) -> None:
    with sqlite3.connect(storage.path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    content = storage.path.read_bytes()
    with pytest.raises(StorageRefused, match="a database of another program: choose another path"):
        await storage.log_facts()

    assert storage.path.read_bytes() == content


def test_an_old_sqlite_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))

    with pytest.raises(ConfigurationError, match=r"needs SQLite 3\.37\.0 or newer, this Python has"):
        SQLiteStorage(tmp_path / "obs.db")


async def test_a_full_disk_is_told_and_writing_resumes(storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    _commit(storage, 1)
    monkeypatch.setattr("observabilipy_sqlite.database.room_at", lambda path: Room(0, 2**30))
    large = LogEntry(_NOON, "INFO", "x" * 1_000_000)
    with pytest.raises(StorageUnavailable, match=r"full.*: the disk is full, free some space"):
        storage.commit(Batch(_WORKER, 2, (large,), (counter("a_total"),)))
    meanwhile = await _messages(storage)
    monkeypatch.undo()
    _commit(storage, 2)
    totals = [series.value async for family in storage.totals() for series in family.series]

    assert (meanwhile, await _messages(storage), totals) == (["batch 1"], ["batch 1", "batch 2"], [2])


async def test_a_locked_file_is_told_and_writing_resumes(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observabilipy_sqlite.connection.BUSY_SECONDS", 0.01)
    _commit(storage, 1)
    other = sqlite3.connect(storage.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match=r"obs\.db: database is locked: another process holds the file"):
        _commit(storage, 2)
    with pytest.raises(StorageUnavailable, match="database is locked"):
        await storage.write_logs([LogEntry(_NOON, "INFO", "plain")])
    other.execute("ROLLBACK")
    other.close()
    _commit(storage, 2)

    assert await _messages(storage) == ["batch 1", "batch 2"]


def test_a_statement_that_sqlite_refuses_is_no_reason_to_try_for_ever(storage: SQLiteStorage) -> None:
    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO segment (first, places) VALUES (1, NULL)")

    with pytest.raises(Exception, match="refused a statement: NOT NULL constraint failed") as caught:
        storage._database.write(wrong)

    assert not isinstance(caught.value, StorageUnavailable | sqlite3.Error)


def test_the_wal_stays_bounded_without_anybody_who_maintains(storage: SQLiteStorage) -> None:
    entry = LogEntry(_NOON, "INFO", "x" * 100_000)
    for sequence in range(1, 301):
        storage.commit(Batch(_WORKER, sequence, (entry,)))

    assert Path(f"{storage.path}-wal").stat().st_size < 10_000_000


def test_maintaining_copies_the_wal_into_the_file_under_the_write_lock(storage: SQLiteStorage) -> None:
    other = SQLiteStorage(storage.path)
    entry = LogEntry(_NOON, "INFO", "x" * 100_000)
    for sequence in range(1, 21):
        storage.commit(Batch(_WORKER, sequence, (entry,)))
        other.commit(Batch(Worker("worker-b"), sequence, (entry,)))
    before = storage.path.stat().st_size
    storage.maintain()
    after = storage.path.stat().st_size
    settings = [
        each._database.read(lambda connection: connection.execute("PRAGMA wal_autocheckpoint").fetchone())
        for each in (storage, other)
    ]
    other.close()

    assert (before < 1_000_000, after > 4_000_000, settings) == (True, True, [(0,), (0,)])


def test_settings_of_a_connection(storage: SQLiteStorage) -> None:
    names = ("journal_mode", "synchronous", "wal_autocheckpoint", "secure_delete", "temp_store", "application_id",
             "user_version", "page_size", "auto_vacuum", "mmap_size")  # fmt: skip

    def settings(connection: sqlite3.Connection) -> list[object]:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert storage._database.read(settings) == ["wal", 1, 0, 0, 2, 0x6F627379, 4_000, 4_096, 0, 0]
