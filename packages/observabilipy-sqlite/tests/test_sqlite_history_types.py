"""A flipped bit in the header of a row of the history makes text of bytes: they are read as what they are."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from observabilipy.models import MetricQuery, counter
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage

START = 1_800_014_400


async def points(storage: SQLiteStorage) -> list[tuple[float, object]]:
    return [point async for one in storage.read_history(MetricQuery("c_total")) for point in one.points]


@pytest.mark.parametrize(
    ("table", "column"),
    [("frame", "layout"), ("frame", "data"), ("stretch", "axis"), ("chunk", "directory"), ("chunk", "data")],
)
async def test_a_column_that_became_text_is_read_as_the_bytes_that_it_has(
    tmp_path: Path, table: str, column: str
) -> None:
    clock = FakeClock(START)
    storage = SQLiteStorage(tmp_path / "obs.db", clock=clock)
    for number in range(130):
        await storage.write_samples([counter("c_total")])
        storage.sample_history(START + 10 * number)
    clock.now = START + 1_300
    if table != "frame":
        for _ in range(9):
            storage.maintain()
    wanted = await points(storage)
    await storage.aclose()
    changed = 0
    for statement in (
        f"UPDATE sqlite_master SET sql = replace(sql, 'STRICT', '/*  */') WHERE name = '{table}'",
        f"UPDATE {table} SET {column} = CAST({column} AS TEXT)",
        f"UPDATE sqlite_master SET sql = replace(sql, '/*  */', 'STRICT') WHERE name = '{table}'",
    ):
        with closing(sqlite3.connect(storage.path)) as connection, connection:
            connection.execute("PRAGMA writable_schema = ON")
            changed += connection.execute(statement).rowcount
    before = await points(storage)
    storage.maintain()
    after = await points(storage)
    await storage.aclose()

    assert changed > 2
    assert len(wanted) == 130
    assert (before, after) == (wanted, wanted)
