"""Versions of the file: those of one major work on it together, another major is refused by name."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from observabilipy.errors import StorageRefused, StorageUnavailable
from observabilipy.models import LogEntry, LogQuery, counter
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage, schema

_LATER = (
    (
        "ALTER TABLE segment ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE body ADD COLUMN extra BLOB",
        "ALTER TABLE share ADD COLUMN largest INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE family ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE worker ADD COLUMN version TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE lease ADD COLUMN tasks TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE meta ADD COLUMN name TEXT NOT NULL DEFAULT ''",
        "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
    ),
    ("ALTER TABLE note ADD COLUMN read INTEGER NOT NULL DEFAULT 0",),
)
"""What two minors to come might add."""

_WRITER = """
import json, sys, time
from observabilipy.models import LogEntry, counter
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage, schema

path, name, upgrades, batches = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])
schema._UPGRADES = tuple(map(tuple, upgrades))
storage = SQLiteStorage(path)
sys.stdin.readline()
for sequence in range(1, batches + 1):
    entries = tuple(LogEntry(time.time(), "INFO", f"{name} {sequence}", {"n": n}) for n in range(100))
    storage.commit(Batch(Worker(name), sequence, entries, (counter("a_total"),)))
    storage.acquire_lease(Worker(name), 0.001)
    if sequence % 10 == 0:
        storage.maintain()
storage.close()
"""


def start(path: Path, name: str, upgrades: tuple[tuple[str, ...], ...], batches: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), name, json.dumps(upgrades), str(batches)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def run_together(writers: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """What each ended with, and what it said."""
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    said = [writer.communicate(timeout=120)[1] for writer in writers]
    return list(zip([writer.returncode for writer in writers], said, strict=True))


def commit(path: Path, sequence: int = 1) -> None:
    storage = SQLiteStorage(path)
    try:
        storage.commit(Batch(Worker("a"), sequence, (LogEntry(1, "INFO", f"{sequence}"),), (counter("a_total"),)))
    finally:
        storage.close()


def look(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


async def read(path: Path) -> tuple[int, int, object]:
    storage = SQLiteStorage(path)
    messages = [entry.message async for entry in storage.read_logs(LogQuery())]
    totals = [series.value async for family in storage.totals() for series in family.series]
    await storage.aclose()
    return len(messages), len(set(messages)), totals


def test_a_new_file_says_its_major_and_minor(tmp_path: Path) -> None:
    commit(tmp_path / "obs.db")

    assert look(tmp_path / "obs.db", "PRAGMA user_version") == [(4_000,)]


async def test_two_minors_write_one_file_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "obs.db"
    commit(path)
    writers = [start(path, name, later, 30) for name, later in (("old", ()), ("new", _LATER), ("newer", _LATER[:1]))]
    ended = run_together(writers)
    everything = await read(path)

    assert ended == [(0, "")] * 3
    assert everything == (9_001, 91, [91])
    assert look(path, "PRAGMA user_version") == [(4_002,)]
    assert look(path, "PRAGMA quick_check") == [("ok",)]


async def test_a_new_file_of_a_later_minor_is_written_by_an_older_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "obs.db"
    with monkeypatch.context() as later:
        later.setattr(schema, "_UPGRADES", _LATER)
        commit(path, 1)
    commit(path, 2)

    assert (await read(path), look(path, "PRAGMA user_version")) == ((2, 2, [2]), [(4_002,)])


async def test_twelve_processes_that_open_a_file_of_an_older_minor_upgrade_it_once(tmp_path: Path) -> None:
    path = tmp_path / "obs.db"
    commit(path)
    ended = run_together([start(path, str(number), _LATER, 1) for number in range(12)])

    assert ended == [(0, "")] * 12
    assert (await read(path), look(path, "PRAGMA user_version")) == ((1_201, 13, [13]), [(4_002,)])


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "obs.db"
    commit(path)
    monkeypatch.setattr(schema, "_UPGRADES", (*_LATER, ("ALTER TABLE nowhere ADD COLUMN x",)))
    with pytest.raises(StorageUnavailable, match="no such table: nowhere"):
        commit(path, 2)

    assert look(path, "PRAGMA user_version") == [(4_000,)]
    assert look(path, "SELECT count(*) FROM sqlite_master WHERE name = 'note'") == [(0,)]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (3, "its format is version 3, of a development version that was never released: move the file away"),
        (3_002, "its format is version 3.2, this observabilipy-sqlite reads and writes 4.x: install an older"),
        (5_017, "its format is version 5.17, this observabilipy-sqlite reads and writes 4.x: install a newer"),
    ],
)
async def test_another_major_is_refused_by_name(tmp_path: Path, version: int, message: str) -> None:
    path = tmp_path / "obs.db"
    commit(path)
    set_version(path, version)
    reader = SQLiteStorage(path)
    with pytest.raises(StorageRefused, match=re.escape(message)):
        await reader.log_facts()
    await reader.aclose()

    assert look(path, "SELECT count(*) FROM segment") == [(1,)]


def test_every_insert_names_its_columns_so_that_a_later_minor_may_add_some() -> None:
    nameless = [
        f"{source.name}: {found}"
        for source in Path(schema.__file__).parent.glob("*.py")
        for found in re.findall(r"INSERT (?:OR \w+ )?INTO \w+ (?!\()\S+", source.read_text(encoding="utf-8"))
    ]

    assert nameless == []
