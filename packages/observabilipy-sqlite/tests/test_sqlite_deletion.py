"""Deleting from the log: in steps of bounded size, in the order of commits, and never from another file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.models import LogEntry, LogQuery
from observabilipy_sqlite import SQLiteStorage, segment
from observabilipy_sqlite.connection import Connection
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.deletion import Deletion

T = TypeVar("T")

_NOON = 1_800_000_000.0


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db")
    yield storage
    storage.close()


@pytest.fixture
def database(storage: SQLiteStorage) -> Iterator[Database]:
    database = Database(storage.path)
    yield database
    database.close()


async def write(storage: SQLiteStorage, *levels: str, size: int = 0) -> None:
    """An entry for each level, named by its place in this call."""
    await storage.write_logs([LogEntry(_NOON, level, "x" * size or str(number)) for number, level in enumerate(levels)])


async def left(storage: SQLiteStorage) -> list[str]:
    return [f"{entry.level} {entry.message}" async for entry in storage.read_logs(LogQuery())]


async def test_a_step_deletes_64_segments_at_most_or_a_part_of_one(storage: SQLiteStorage, database: Database) -> None:
    for _ in range(70):
        await write(storage, *["INFO"] * 10)
    deletion = Deletion(database)

    assert [deletion.oldest(698, "INFO"), deletion.oldest(58, "INFO")] == [(640, True), (50, True)]
    assert [deletion.oldest(8, "INFO"), deletion.oldest(9, "INFO")] == [(8, True), (2, True)]
    assert deletion.oldest(9, "INFO") == (0, False)


async def test_a_step_ends_early_with_eight_mebibytes(storage: SQLiteStorage, database: Database) -> None:
    await write(storage, *["INFO"] * 20, size=2**20)
    deletion = Deletion(database)

    assert [deletion.before(_NOON + 1, None), deletion.oldest(100, None)] == [(8, True), (8, True)]


async def test_only_the_level_that_is_asked_for_goes(storage: SQLiteStorage) -> None:
    await write(storage, "INFO", "ERROR", "INFO", "DEBUG", "INFO")
    gone = [
        await storage.delete_oldest_logs(2, "info"),
        await storage.delete_oldest_logs(1),
        await storage.delete_logs_before(_NOON + 1, "DEBUG"),
    ]

    assert (gone, await left(storage)) == ([2, 1, 1], ["INFO 4"])


async def test_a_level_that_had_nothing_left_is_found_again(storage: SQLiteStorage) -> None:
    await write(storage, "INFO", "ERROR")
    before = await storage.delete_oldest_logs(10, "ERROR")
    await write(storage, "ERROR", "INFO", "ERROR")

    assert (before, await storage.delete_oldest_logs(10, "ERROR"), await left(storage)) == (
        1,
        2,
        ["INFO 0", "INFO 1"],
    )


async def test_a_level_is_found_behind_many_entries_of_others(storage: SQLiteStorage) -> None:
    await write(storage, *["AUDIT"] * 50_000, "INFO", "INFO")

    assert (await storage.delete_oldest_logs(1, "INFO"), (await left(storage))[50_000:]) == (1, ["INFO 50001"])


async def test_a_step_goes_on_where_the_last_one_was(
    storage: SQLiteStorage, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "MOST_PLACES", 2)
    await write(storage, *["INFO", "ERROR"] * 3_000, *["INFO", "DEBUG"] * 4)
    looks: list[int] = []
    database.read(lambda connection: connection.set_progress_handler(lambda: looks.append(len(steps)), 100))
    deletion, steps = Deletion(database), list[tuple[int, bool]]()
    for _ in range(5):
        steps.append(deletion.before(_NOON + 1, "DEBUG"))

    assert steps == [(1, True)] * 4 + [(0, False)]
    assert looks.count(0) > 100
    assert max(looks.count(number) for number in (1, 2, 3)) < 20


async def test_a_step_finds_what_was_put_together_since_the_last_one(
    storage: SQLiteStorage, database: Database
) -> None:
    await write(storage, *["INFO"] * 600)
    await write(storage, "DEBUG", "DEBUG", "DEBUG", *["INFO"] * 500)
    await write(storage, "DEBUG", *["INFO"] * 1_100)
    deletion = Deletion(database)
    first = deletion.oldest(1, "DEBUG")
    storage.maintain()
    second = deletion.oldest(1, "DEBUG")

    assert (first, second) == ((1, True), (1, True))
    assert [name for name in await left(storage) if name.startswith("DEBUG")] == ["DEBUG 2", "DEBUG 0"]


async def test_what_was_found_in_one_file_is_not_deleted_from_another(storage: SQLiteStorage, tmp_path: Path) -> None:
    await write(storage, "INFO", "INFO")
    other = SQLiteStorage(tmp_path / "other.db")
    await write(other, "INFO", "INFO", "INFO")

    class Moved(Database):
        """After each read, the path names the other file."""

        def read(self, function: Callable[[Connection], T]) -> T:
            found = super().read(function)
            self.path = other.path
            return found

    moved = Moved(storage.path)
    step = Deletion(moved).oldest(2, None)
    moved.close()
    held = await left(other)
    await other.aclose()

    assert (step[0], len(held)) == (0, 3)


@pytest.mark.properties
@given(
    st.lists(st.tuples(st.sampled_from(["DEBUG", "INFO", "AUDIT"]), st.integers(0, 5)), max_size=30),
    st.lists(
        st.tuples(st.booleans(), st.none() | st.sampled_from(["DEBUG", "INFO", "AUDIT"]), st.integers(0, 6)), max_size=6
    ),
)
async def test_deleting_is_what_a_list_would_do(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, int]],
    deletions: list[tuple[bool, str | None, int]],
) -> None:
    storage = SQLiteStorage(tmp_path_factory.mktemp("model") / "obs.db")
    model = [(level, second, str(number)) for number, (level, second) in enumerate(entries)]
    await storage.write_logs([LogEntry(_NOON + second, level, message) for level, second, message in model])
    counts = []
    expected = []
    for by_age, level, number in deletions:
        of_level = [row for row in model if level in {None, row[0]}]
        if by_age:
            counts.append(await storage.delete_logs_before(_NOON + number, level))
            gone = [row for row in of_level if row[1] < number]
        else:
            counts.append(await storage.delete_oldest_logs(number, level))
            gone = of_level[:number]
        expected.append(len(gone))
        model = [row for row in model if row not in gone]
    held = await left(storage)
    await storage.aclose()

    assert (counts, held) == (expected, [f"{level} {message}" for level, _, message in model])
