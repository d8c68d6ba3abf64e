"""Damage in the tables of the log: it costs the segment that it is in, and nobody is raised at."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from observabilipy.errors import ObservabilityError, StorageUnavailable
from observabilipy.models import LogEntry, LogQuery, RetentionPolicy
from observabilipy.ports import Batch, Worker
from observabilipy.retention import apply_log_retention
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.checks import head_checksum

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


@pytest.mark.parametrize("column", ["timestamps", "codes", "messages", "attributes", "filter"])
async def test_a_column_that_became_text_is_read_as_the_bytes_that_it_has(storage: SQLiteStorage, column: str) -> None:
    await storage.aclose()
    for statement in (
        "UPDATE sqlite_master SET sql = replace(sql, 'STRICT', '/*  */') WHERE name = 'body'",
        f"UPDATE body SET {column} = CAST({column} AS TEXT) WHERE first = 1",
        "UPDATE sqlite_master SET sql = replace(sql, '/*  */', 'STRICT') WHERE name = 'body'",
    ):
        with closing(sqlite3.connect(storage.path)) as connection, connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(statement)
    found = [await read(storage, query) for query in (LogQuery(), LogQuery(text="7"), LogQuery(attributes={"n": "7"}))]
    storage.maintain()

    assert found == [1_500, sum("7" in str(number) for number in range(1_500)), 1]
    assert await storage.delete_oldest_logs(10, "DEBUG") == 10


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


async def test_each_damaged_segment_is_counted_once_and_the_first_one_told(
    storage: SQLiteStorage, caplog: pytest.LogCaptureFixture
) -> None:
    await damage(storage, "UPDATE body SET checksum = 7 WHERE first = 1")
    other = SQLiteStorage(storage.path)
    skipped = []
    for sequence in range(1, 4):
        for one in (storage, other):
            await read(one, LogQuery())
            skipped.append(one.commit(Batch(Worker(str(id(one))), sequence)).skipped)
    await damage(storage, "UPDATE segment SET newest = 7 WHERE first = 1201")
    await read(storage, LogQuery())
    skipped.append(storage.commit(Batch(Worker("w"), 1)).skipped)
    await other.aclose()

    assert skipped == [{"damaged": 1}, {}, {}, {}, {}, {}, {"damaged": 1}]
    assert (
        caplog.messages
        == [
            "the log is damaged at position 1: the entries of a segment cannot be read;"
            " observabilipy_storage_skipped_total counts such segments"
        ]
        * 2
    )  # one of each storage


async def test_a_commit_that_fails_counts_later_what_was_found(storage: SQLiteStorage) -> None:
    await damage(storage, "UPDATE body SET checksum = 7 WHERE first = 1")
    await read(storage, LogQuery())
    await damage(storage, "CREATE TRIGGER refuse BEFORE INSERT ON worker BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(ObservabilityError):
        storage.commit(Batch(Worker("w"), 1))
    await damage(storage, "DROP TRIGGER refuse")

    assert [storage.commit(Batch(Worker("w"), sequence)).skipped for sequence in (1, 2)] == [{"damaged": 1}, {}]


async def test_a_codec_of_a_later_version_is_passed_over_and_kept_for_who_knows_it(storage: SQLiteStorage) -> None:
    def repack(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE segment SET codec = 9 WHERE first = 1")
        numbers = connection.execute(
            "SELECT first, places, entries, bytes, oldest, newest, levels, codec FROM segment WHERE first = 1"
        ).fetchone()
        connection.execute("UPDATE segment SET checksum = ? WHERE first = 1", (head_checksum(*numbers),))

    storage._database.write(repack)
    found = await read(storage, LogQuery())
    skipped = storage.commit(Batch(Worker("w"), 1)).skipped
    await storage.delete_logs_before(1_300, "DEBUG")
    await storage.delete_oldest_logs(1, "DEBUG")
    for _ in range(3):
        storage.maintain()
    kept = storage._database.read(lambda connection: connection.execute("SELECT first, codec FROM segment").fetchall())
    await storage.delete_logs_before(1_250)

    assert (found, skipped, kept[0]) == (300, {"unknown_codec": 1}, (1, 9))
    assert await storage.count_logs(LogQuery()) == await read(storage, LogQuery())


SHARES = {
    "an entry more": "UPDATE share SET entries = entries + 1 WHERE first = 1",
    "more entries than there can be": "UPDATE share SET entries = 1 << 50 WHERE first = 1 AND level = 'INFO'",
    "a time to come": "UPDATE share SET oldest = 1 << 60, newest = 1 << 60 WHERE first = 1",
    "one of them is gone": "DELETE FROM share WHERE first = 1 AND level = 'DEBUG'",
    "none is there": "DELETE FROM share WHERE first = 1",
}


@pytest.mark.parametrize("statement", SHARES.values(), ids=SHARES)
async def test_what_is_told_of_levels_is_told_anew_from_the_columns(storage: SQLiteStorage, statement: str) -> None:
    before = await storage.log_facts()
    await damage(storage, statement)
    counted = await storage.count_logs(LogQuery(levels={"DEBUG"}))
    storage.maintain()
    after = await storage.log_facts()

    assert (counted, after.levels) == (500, before.levels)
    assert await read(storage, LogQuery()) == 1_500


async def test_a_wrong_number_of_places_hides_no_other_segment(storage: SQLiteStorage) -> None:
    await damage(storage, "UPDATE segment SET places = 1 << 40 WHERE first = 1")
    found = [await read(storage, LogQuery(order=order)) for order in ("asc", "desc")]
    storage.maintain()
    left = storage._database.read(lambda connection: connection.execute("SELECT first FROM segment").fetchall())

    assert (found, left) == ([300, 300], [(1_201,)])


async def test_a_wrong_number_of_entries_does_not_make_retention_delete_the_rest(storage: SQLiteStorage) -> None:
    await damage(storage, "UPDATE share SET entries = 1 << 50, bytes = 1 << 50 WHERE first = 1 AND level = 'INFO'")
    await apply_log_retention(storage, RetentionPolicy(max_count=1_500, max_bytes=10**9), now=2_000)

    assert await read(storage, LogQuery()) == 1_500


STRAYS = {
    "what is told of levels": "UPDATE share SET first = 1601 WHERE first = 1",
    "columns": "UPDATE body SET first = 1601 WHERE first = 1",
    "a head": "UPDATE segment SET first = 1601 WHERE first = 1",
    "the next position": "UPDATE meta SET upcoming = 1201",
}
"""What has, by damage, a position that is to be given."""


@pytest.mark.parametrize("statement", STRAYS.values(), ids=STRAYS)
async def test_a_row_at_a_position_to_come_does_not_stop_commits(storage: SQLiteStorage, statement: str) -> None:
    await damage(storage, statement)
    for sequence in range(1, 4):
        entries = [LogEntry(5_000 + number, "INFO", "new") for number in range(100)]
        storage.commit(Batch(Worker("w"), sequence, entries))
    storage.maintain()

    assert await read(storage, LogQuery(text="new")) == 300


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "AUDIT"])
async def test_a_share_at_the_position_of_a_rewritten_segment_stops_no_deletion(
    storage: SQLiteStorage, level: str
) -> None:
    await damage(storage, f"UPDATE share SET first = 65 WHERE first = 1 AND level = '{level}'")

    assert await storage.delete_oldest_logs(64) == 64
    assert {name: facts.count for name, facts in (await storage.log_facts()).levels.items()} == {
        name: await storage.count_logs(LogQuery(levels=[name])) for name in ("DEBUG", "INFO", "AUDIT")
    }


@pytest.mark.parametrize(
    ("sound", "damaged"),
    [
        (b"CREATE TABLE share", b"CREATE TABLX\xd5share"),
        (b"CREATE TABLE share", b"CREATE TABLE sharf"),
        (b"    upcoming INT", b"    uqcoming INT"),
        (b"    upcoming INT", b"    up\xe3oming INT"),
    ],
)
async def test_a_file_whose_tables_have_unspeakable_names_is_set_aside(
    tmp_path: Path, sound: bytes, damaged: bytes
) -> None:
    path = tmp_path / "obs.db"
    storage = SQLiteStorage(path)
    await storage.write_logs([LogEntry(1, "INFO", "before")])
    await storage.aclose()
    path.write_bytes(path.read_bytes().replace(sound, damaged))
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="move the file away"):
            await storage.write_logs([LogEntry(2, "INFO", "refused")])
    await storage.write_logs([LogEntry(3, "INFO", "after")])
    entries = [entry.message async for entry in storage.read_logs(LogQuery())]
    await storage.aclose()

    assert entries == ["after"]
