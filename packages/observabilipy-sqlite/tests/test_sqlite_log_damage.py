"""Damage in the tables of the log: it costs the segment that it is in, and nobody is raised at."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from observabilipy.errors import StorageUnavailable
from observabilipy.models import LogEntry, LogQuery
from observabilipy_sqlite import SQLiteStorage

DAMAGE = {
    "codec of a packed one": "UPDATE segment SET codec = 0 WHERE first = 1",
    "codec of a plain one": "UPDATE segment SET codec = 1 WHERE first = 1201",
    "codec of nobody": "UPDATE segment SET codec = 65 WHERE first = 1",
    "entries": "UPDATE segment SET entries = 0 WHERE first = 1",
    "more entries than fit into memory": "UPDATE segment SET entries = 1 << 60, newest = 1 << 60 WHERE first = 1",
    "places": "UPDATE segment SET places = 1199 WHERE first = 1",
    "a name": "UPDATE body SET names = 'AUDIU' WHERE first = 1",
    "a name that is no text": "UPDATE body SET names = CAST(x'41ff' AS TEXT) WHERE first = 1",
    "no names": "UPDATE body SET names = '' WHERE first = 1",
    "no columns": "DELETE FROM body WHERE first = 1",
}
"""What makes a segment unreadable."""

LIES = {
    "a level that is no text": "UPDATE share SET level = CAST(x'41ff' AS TEXT) WHERE first = 1 AND level = 'DEBUG'",
    "a level with half an escape": "UPDATE share SET level = 'A\\!' WHERE first = 1 AND level = 'DEBUG'",
    "a level that is not there": "UPDATE share SET level = 'OTHER' WHERE first = 1 AND level = 'DEBUG'",
    "no filter": "UPDATE body SET filter = x'' WHERE first = 1",
    "of a segment that is not there": "UPDATE share SET first = 2 WHERE first = 1",
}
"""What is told of a segment, and is not so."""


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db")
    for start in (0, 1_200):
        await storage.write_logs(
            [
                LogEntry(number, ["DEBUG", "INFO", "AUDIT"][number % 3], f"{number}", {"n": number})
                for number in range(start, start + (1_200 if start == 0 else 300))
            ]
        )
        storage.maintain()
    yield storage
    await storage.aclose()


async def damage(storage: SQLiteStorage, statement: str) -> None:
    storage._database.write(lambda connection: connection.execute(statement))


async def read(storage: SQLiteStorage, query: LogQuery) -> int:
    await storage.count_logs(query)
    pages = [page.count async for page in storage.read_ndjson(query)]
    entries = [entry async for entry in storage.read_logs(query)]
    assert sum(pages) == len(entries)
    return len(entries)


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE)
async def test_a_segment_that_cannot_be_read_is_passed_over_and_goes_when_its_time_has_come(
    storage: SQLiteStorage, statement: str
) -> None:
    await damage(storage, statement)
    lost = 300 if "1201" in statement else 1_200
    found = [
        await read(storage, query)
        for query in (
            LogQuery(),
            LogQuery(order="desc"),
            LogQuery(text="1"),
            LogQuery(levels={"AUDIT"}, since=-1),
            LogQuery(attributes={"n": "7"}),
            LogQuery(attributes={"n": "1300"}),
        )
    ]
    await storage.log_facts()
    await storage.write_logs([LogEntry(3_000, "INFO", "n")] * 1_100)
    storage.maintain()
    await storage.delete_logs_before(1_000, "AUDIT")
    await storage.delete_oldest_logs(10, "DEBUG")
    await storage.delete_logs_before(2_000)

    assert found[0] == 1_500 - lost
    assert min(found) >= 0
    assert await read(storage, LogQuery()) == 1_100


@pytest.mark.parametrize("statement", LIES.values(), ids=LIES)
async def test_what_is_told_wrongly_of_a_segment_stops_neither_readers_nor_deletion(
    storage: SQLiteStorage, statement: str
) -> None:
    await damage(storage, statement)
    everything = await read(storage, LogQuery())
    with_attribute = await read(storage, LogQuery(attributes={"n": "7"}))
    await storage.log_facts()
    await storage.count_logs(LogQuery(levels={"DEBUG"}))
    for level in ("OTHER", "DEBUG", "INFO", "AUDIT"):
        await storage.delete_logs_before(600, level)
        await storage.delete_oldest_logs(1, level)
    left = await read(storage, LogQuery())
    await storage.delete_logs_before(5_000)
    await storage.delete_oldest_logs(10_000)

    assert (everything, with_attribute) == (1_500, 1)
    assert left < 1_500
    assert (await storage.count_logs(LogQuery()), dict((await storage.log_facts()).levels)) == (0, {})


@pytest.mark.parametrize("column", ["timestamps", "messages", "filter"])
async def test_a_column_of_another_type_is_damage(storage: SQLiteStorage, column: str) -> None:
    await storage.aclose()
    for statement in (
        "UPDATE sqlite_master SET sql = replace(sql, 'STRICT', '/*  */') WHERE name = 'body'",
        f"UPDATE body SET {column} = 'no bytes' WHERE first = 1",
        "UPDATE sqlite_master SET sql = replace(sql, '/*  */', 'STRICT') WHERE name = 'body'",
    ):
        with closing(sqlite3.connect(storage.path)) as connection, connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(statement)
    found = await read(storage, LogQuery(attributes={"n": "7"})) + await read(storage, LogQuery(text="8"))
    await storage.delete_oldest_logs(10, "DEBUG")
    await storage.delete_oldest_logs(10_000)

    assert (found > 300, await storage.count_logs(LogQuery())) == (column == "filter", 0)


@pytest.mark.parametrize("value", ["NULL", "'x'", "x'01'"])
@pytest.mark.parametrize("column", ["places", "entries", "bytes", "oldest", "newest", "levels", "codec"])
async def test_a_number_that_is_none_stops_neither_readers_nor_deletion(
    storage: SQLiteStorage, column: str, value: str
) -> None:
    await storage.aclose()
    for statement in (
        "UPDATE sqlite_master SET sql = replace(replace(sql, 'STRICT', '/*  */'), 'NOT NULL', '/*    */')"
        " WHERE name = 'segment'",
        f"UPDATE segment SET {column} = {value} WHERE first = 1",
        "UPDATE sqlite_master SET sql = replace(replace(sql, '/*  */', 'STRICT'), '/*    */', 'NOT NULL')"
        " WHERE name = 'segment'",
    ):
        with closing(sqlite3.connect(storage.path)) as connection, connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(statement)
    found = await read(storage, LogQuery())
    await storage.log_facts()
    await storage.delete_logs_before(600, "AUDIT")
    await storage.delete_logs_before(700)
    await storage.delete_oldest_logs(10_000)

    assert found >= 300
    assert await read(storage, LogQuery()) == 0


async def test_of_each_damaged_segment_a_process_is_told_once(
    storage: SQLiteStorage, caplog: pytest.LogCaptureFixture
) -> None:
    await damage(storage, "UPDATE body SET checksum = 7 WHERE first = 1")
    for _ in range(3):
        await read(storage, LogQuery())

    assert caplog.messages == ["the log is damaged at position 1: 1200 entries cannot be read"]


async def test_a_file_whose_tables_have_unspeakable_names_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "obs.db"
    storage = SQLiteStorage(path)
    await storage.write_logs([LogEntry(1, "INFO", "before")])
    await storage.aclose()
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE share", b"CREATE TABLX\xd5share"))
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="move the file away"):
            await storage.write_logs([LogEntry(2, "INFO", "refused")])
    await storage.write_logs([LogEntry(3, "INFO", "after")])
    entries = [entry.message async for entry in storage.read_logs(LogQuery())]
    await storage.aclose()

    assert entries == ["after"]
