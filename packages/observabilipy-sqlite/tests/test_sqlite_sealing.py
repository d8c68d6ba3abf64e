"""Sealing: commits become packed segments, and nobody who reads, writes or deletes notices."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from observabilipy.models import LogEntry, LogQuery
from observabilipy.storage import InMemoryLogStorage
from observabilipy_sqlite import SQLiteStorage, sealing, segment


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db")
    yield storage
    await storage.aclose()


def layout(storage: SQLiteStorage) -> list[tuple[int, ...]]:
    """First position, places and codec of each segment."""
    return storage._database.read(
        lambda connection: connection.execute("SELECT first, places, codec FROM segment ORDER BY first").fetchall()
    )


async def write(storage: SQLiteStorage, *sizes: int, level: str = "INFO", start: int = 0) -> None:
    for size in sizes:
        await storage.write_logs([LogEntry(number, level, f"{number}") for number in range(start, start + size)])
        start += size


async def messages(storage: SQLiteStorage, query: LogQuery | None = None) -> list[str]:
    return [entry.message async for entry in storage.read_logs(query or LogQuery())]


async def test_small_segments_become_large_ones(storage: SQLiteStorage) -> None:
    await write(storage, *[100] * 25)
    storage.maintain()

    assert layout(storage) == [(1, 1_200, 1), (1_201, 1_200, 1), (2_401, 100, 0)]
    assert await messages(storage) == [str(number) for number in range(2_500)]


async def test_what_is_not_enough_for_a_segment_waits(storage: SQLiteStorage) -> None:
    await write(storage, 1_000, 23)
    storage.maintain()
    before = layout(storage)
    await write(storage, 1)
    storage.maintain()

    assert before == [(1, 1_000, 0), (1_001, 23, 0)]
    assert layout(storage) == [(1, 1_024, 1)]


async def test_a_segment_that_was_thinned_is_sealed_with_its_holes(storage: SQLiteStorage) -> None:
    await write(storage, 500)
    await write(storage, 20, level="DEBUG")
    await write(storage, 600)
    await storage.delete_oldest_logs(100, "DEBUG")
    await storage.delete_oldest_logs(10)
    storage.maintain()

    assert layout(storage) == [(11, 1_110, 1)]
    assert (await messages(storage))[488:492] == ["498", "499", "0", "1"]


async def test_who_seals_second_changes_nothing(storage: SQLiteStorage) -> None:
    await write(storage, 600, 600)
    first = storage._database.read(sealing._next_run)
    second = storage._database.read(sealing._next_run)
    assert first is not None
    assert second is not None
    done = [sealing._seal(storage._database, first), sealing._seal(storage._database, second)]

    assert (done, layout(storage), len(await messages(storage))) == ([True, False], [(1, 1_200, 1)], 1_200)


async def test_what_was_deleted_meanwhile_does_not_come_back(storage: SQLiteStorage) -> None:
    await write(storage, 600, 600)
    run = storage._database.read(sealing._next_run)
    await storage.delete_oldest_logs(1)
    assert run is not None

    assert not sealing._seal(storage._database, run)
    assert len(await messages(storage)) == 1_199


async def test_what_retention_left_of_packed_segments_is_put_together(storage: SQLiteStorage) -> None:
    for start in range(0, 20_480, 1_024):
        await storage.write_logs(
            [
                LogEntry(number, "ERROR" if number % 64 == 0 else "INFO", f"{number}", {"n": number})
                for number in range(start, start + 1_024)
            ]
        )
    while storage.maintain():
        pass
    before = layout(storage)
    await storage.delete_logs_before(20_000, "INFO")
    for _ in range(20):  # each is as long as it may be
        storage.maintain()
    after = layout(storage)
    left = [number for number in range(20_480) if number % 64 == 0 or number >= 20_000]
    found = [entry async for entry in storage.read_logs(LogQuery())]
    one = [entry.message async for entry in storage.read_logs(LogQuery(attributes={"n": "6400"}))]
    counts = {level: facts.count for level, facts in (await storage.log_facts()).levels.items()}

    assert (len(before), after) == (20, [(1, 19_393, 1), (19_457, 1_024, 1)])
    assert [int(entry.message) for entry in found] == left
    assert [int(str(entry.cursor).rpartition("-")[2]) for entry in found] == [number + 1 for number in left]
    assert (one, counts) == (["6400"], {"ERROR": 320, "INFO": 473})


async def test_nothing_is_put_together_that_would_soon_be_again(storage: SQLiteStorage) -> None:
    await write(storage, 1_024, 1_024)
    storage.maintain()
    await storage.delete_oldest_logs(1_000)
    for _ in range(3):
        storage.maintain()

    assert layout(storage) == [(1_001, 24, 1), (1_025, 1_024, 1)]


async def test_a_damaged_segment_costs_itself_only(storage: SQLiteStorage, caplog: pytest.LogCaptureFixture) -> None:
    await write(storage, 400, 400, 400)
    storage._database.write(
        lambda connection: connection.execute(
            "UPDATE body SET messages = CAST(x'00' || messages AS BLOB) WHERE first = 401"
        )
    )
    before = await messages(storage)
    storage.maintain()

    assert len(before) == 800
    assert layout(storage) == [(1, 1_200, 1)]
    assert await messages(storage) == before
    assert [message[:35] for message in caplog.messages] == ["the log is damaged at position 401:"]


async def test_damage_in_the_middle_of_deleting_goes_with_what_is_deleted(storage: SQLiteStorage) -> None:
    await write(storage, 10, 10)
    storage._database.write(lambda connection: connection.execute("UPDATE body SET checksum = 1 WHERE first = 1"))

    assert await storage.delete_oldest_logs(5) == 10  # of what cannot be read nobody can keep a part
    assert await messages(storage) == [str(number) for number in range(10, 20)]


async def test_readers_and_writers_go_on_while_segments_are_sealed(storage: SQLiteStorage) -> None:
    other = SQLiteStorage(storage.path)
    stop = threading.Event()

    def maintain() -> None:
        while not stop.is_set():
            other.maintain()

    sealer = threading.Thread(target=maintain)
    sealer.start()
    try:
        seen: list[str] = []
        cursor: str | None = None
        for start in range(0, 12_000, 300):
            await write(storage, 300, start=start)
            entries = [entry async for entry in storage.read_logs(LogQuery(after=cursor, limit=250))]
            seen += [entry.message for entry in entries]
            cursor = entries[-1].cursor
        seen += await messages(storage, LogQuery(after=cursor))
    finally:
        stop.set()
        sealer.join()
        await other.aclose()

    assert seen == [str(number) for number in range(12_000)]
    assert any(codec for _, _, codec in layout(storage))


LEVELS = st.sampled_from(["DEBUG", "INFO", "ERROR", "AUDIT"])
ENTRIES = st.builds(LogEntry, st.integers(0, 30), LEVELS, st.sampled_from(["a", "b", "ab", "é\n"]))
CURSORS = st.none() | st.integers(1, 60)
QUERIES = st.fixed_dictionaries(
    {
        "since": st.none() | st.integers(0, 30),
        "until": st.none() | st.integers(0, 30),
        "levels": st.none() | st.sets(LEVELS, max_size=2),
        "min_level": st.none() | st.sampled_from(["DEBUG", "INFO", "ERROR"]),
        "text": st.sampled_from([None, None, "a", "B", "\n"]),
        "order": st.sampled_from(["asc", "desc"]),
        "limit": st.none() | st.integers(1, 9),
    }
)


class Store(RuleBasedStateMachine):
    """SQLite beside memory: the same writes, reads, deletions; sealing and new connections in between."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = TemporaryDirectory()
        self.path = Path(self.directory.name, "obs.db")
        self.storage = SQLiteStorage(self.path)
        self.memory = InMemoryLogStorage()

    def teardown(self) -> None:
        self.loop.run_until_complete(self.storage.aclose())
        self.loop.close()
        self.directory.cleanup()

    @rule(entries=st.lists(ENTRIES, min_size=1, max_size=7))
    def write(self, entries: list[LogEntry]) -> None:
        for storage in (self.storage, self.memory):
            self.loop.run_until_complete(storage.write_logs(entries))

    @rule(level=st.none() | LEVELS, moment=st.integers(0, 31))
    def delete_before(self, level: str | None, moment: int) -> None:
        gone = [
            self.loop.run_until_complete(storage.delete_logs_before(moment, level))
            for storage in (self.storage, self.memory)
        ]
        assert gone[0] == gone[1]

    @rule(level=st.none() | LEVELS, count=st.integers(0, 9))
    def delete_oldest(self, level: str | None, count: int) -> None:
        gone = [
            self.loop.run_until_complete(storage.delete_oldest_logs(count, level))
            for storage in (self.storage, self.memory)
        ]
        assert gone[0] == gone[1]

    @rule()
    def seal(self) -> None:
        self.storage.maintain()

    @rule()
    def reopen(self) -> None:
        self.loop.run_until_complete(self.storage.aclose())
        self.storage = SQLiteStorage(self.path)

    @rule(fields=QUERIES, after=CURSORS, before=CURSORS)
    def read(self, fields: dict[str, Any], after: int | None, before: int | None) -> None:  # Any: fields of a query
        assert self._read(self.storage, fields, after, before) == self._read(self.memory, fields, after, before)

    @invariant()
    def facts_agree(self) -> None:
        kept, wanted = (self.loop.run_until_complete(storage.log_facts()) for storage in (self.storage, self.memory))
        assert (kept.oldest, kept.upcoming) == (wanted.oldest, wanted.upcoming)
        assert {name: (level.count, level.oldest, level.newest) for name, level in kept.levels.items()} == {
            name: (level.count, level.oldest, level.newest) for name, level in wanted.levels.items()
        }

    def _read(
        self, storage: SQLiteStorage | InMemoryLogStorage, fields: dict[str, Any], after: int | None, before: int | None
    ) -> tuple[list[tuple[str, ...]], int]:
        async def read() -> tuple[list[tuple[str, ...]], int]:
            generation = (await storage.log_facts()).generation
            cursors = [None if place is None else f"{generation}-{place}" for place in (after, before)]
            query = LogQuery(**fields, after=cursors[0], before=cursors[1])
            rows: list[tuple[str, ...]] = [
                (str(entry.cursor).partition("-")[2], entry.level, entry.message, str(entry.timestamp))
                async for entry in storage.read_logs(query)
            ]
            return rows, await storage.count_logs(query)

        return self.loop.run_until_complete(read())


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "machine" in request.node.name:
        monkeypatch.setattr(sealing, "MOST_PLACES", 8)
        monkeypatch.setattr(sealing, "_LONGEST_RUN", 10)
        monkeypatch.setattr(segment, "MOST_PLACES", 5)


@pytest.mark.properties
def test_the_machine_finds_no_difference_from_the_store_in_memory() -> None:
    run_state_machine_as_test(Store, settings=settings(stateful_step_count=30))
