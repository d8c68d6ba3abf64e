"""Counting and sifting sealed segments: by what is told of them where that is enough, else entry by entry."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from observabilipy.models import LogEntry, LogQuery, LogVolume
from observabilipy.models.volume import step_micros
from observabilipy.storage import InMemoryLogStorage
from observabilipy.storage.volume import counted, log_volume
from observabilipy_sqlite import SQLiteStorage, reading

NOON = 1_800_000_000.0
LEVELS = ("INFO", "INFO", "INFO", "DEBUG", "INFO", "OWN", "ERROR")


def entries(count: int) -> list[LogEntry]:
    """One a tenth of a second, some of them late, and as many from before 1970."""
    late = (0, 0, 3, 0, 0.05, 40)
    times = [NOON + n / 10 - late[n % 6] for n in range(count)] + [-7.7 + n / 700 for n in range(count)]
    return [
        LogEntry(time, LEVELS[n % 7], f'order "{n}"' if n % 5 else "", {"n": n, "tier": n % 3})
        for n, time in enumerate(times)
    ]


@pytest.fixture
async def stores(tmp_path: Path) -> tuple[SQLiteStorage, InMemoryLogStorage]:
    """Sealed segments, thinned ones, and some that are as they were written; the same in memory."""
    file, memory = SQLiteStorage(tmp_path / "obs.db"), InMemoryLogStorage()
    some = entries(3_000)
    for start in range(0, len(some), 100):
        for storage in (file, memory):
            await storage.write_logs(some[start : start + 100])
    file.maintain()
    for storage in (file, memory):
        await storage.delete_oldest_logs(170, "DEBUG")
    return file, memory


QUERIES = [
    LogQuery(),
    LogQuery(levels={"ERROR"}),
    LogQuery(levels={"OWN", "DEBUG"}),
    LogQuery(min_level="ERROR"),
    LogQuery(since=NOON + 33, until=NOON + 222),
    LogQuery(since=-5, until=-1, levels={"ERROR", "OWN"}),
    LogQuery(until=0, text="ORDER"),
    LogQuery(levels={"ERROR"}, text='"7'),
    LogQuery(levels={"INFO"}, attributes={"tier": "2"}),
    LogQuery(since=NOON + 1e6),
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_steps_of_any_length_count_what_there_is(
    stores: tuple[SQLiteStorage, InMemoryLogStorage], query: LogQuery
) -> None:
    file, memory = stores
    for step in (0.000001, 0.3, 1, 17, 60, 900, 1e9):
        wanted = [volume async for volume in counted(memory, query, step_micros(step))]

        assert [volume async for volume in log_volume(file, query, step)] == wanted
    await file.aclose()


@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_what_is_sifted_is_what_memory_finds(
    stores: tuple[SQLiteStorage, InMemoryLogStorage], query: LogQuery
) -> None:
    file, memory = stores
    for order in ("asc", "desc"):
        for limit in (1, 40, None):
            asked = replace(query, order=order, limit=limit)
            wanted = [replace(entry, cursor=None) async for entry in memory.read_logs(asked)]

            assert [replace(entry, cursor=None) async for entry in file.read_logs(asked)] == wanted
            assert await file.count_logs(asked) == len(wanted)
    await file.aclose()


async def test_segments_within_a_step_are_counted_without_their_bodies(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    for minute in range(5):
        await storage.write_logs([LogEntry(minute * 60 + n, "INFO", "x") for n in range(60)])
    with closing(sqlite3.connect(storage.path)) as connection, connection:
        connection.execute("DELETE FROM body")
    got = [volume async for volume in storage.read_volume(LogQuery(), 60)]
    await storage.aclose()

    assert got == [LogVolume(minute * 60, {"INFO": 60}) for minute in range(5)]


async def test_what_is_damaged_is_not_counted_where_it_must_be_looked_into(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    for start in (0, 90, 180):
        await storage.write_logs([LogEntry(start + n, "INFO", "x") for n in range(60)])
    with closing(sqlite3.connect(storage.path)) as connection, connection:
        connection.execute("UPDATE body SET timestamps = zeroblob(480) WHERE first = 61")
    got = [volume async for volume in storage.read_volume(LogQuery(), 60)]
    await storage.aclose()

    assert got == [LogVolume(0, {"INFO": 60}), LogVolume(180, {"INFO": 60})]


async def test_many_segments_are_counted_in_several_trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("observabilipy_sqlite.pages._STRIP", 7)  # instead of 4,096
    storage = SQLiteStorage(tmp_path / "obs.db")
    for second in range(100):
        await storage.write_logs([LogEntry(second, "INFO", "x"), LogEntry(second + second % 2, "ERROR", "x")])
    volume = [volume async for volume in storage.read_volume(LogQuery(since=3, until=97), 1)]
    part = reading.count(storage._async_database, LogQuery(), None)
    count = await storage.count_logs(LogQuery(levels={"ERROR"}))
    await storage.aclose()
    wanted = [LogVolume(s, {"INFO": 1} if s % 2 else {"INFO": 1, "ERROR": 2}) for s in range(3, 97)]

    assert volume == wanted
    assert (part.entries, part.rest.is_empty, count) == (14, False, 100)
