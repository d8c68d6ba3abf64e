"""What LogStoragePort promises, sentence by sentence; reading is in ``log_reading_contract``."""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

import asyncio

from observabilipy.encoding.json_text import json_text
from observabilipy.models import LevelFacts, LogEntry, LogFacts, LogQuery, parse_cursor
from observabilipy.ports import LogStoragePort
from observabilipy.testing.entries import MANY, NOON, entry_of, messages_of, positions_of, read
from observabilipy.testing.interruption import expect_interruption, interrupted
from observabilipy.testing.log_reading_contract import LogReadingContract

__all__ = ["LogStorageContract"]


class LogStorageContract(LogReadingContract):
    """Tests for every LogStoragePort: override ``make_storage``."""

    async def test_it_fills_the_port(self) -> None:
        async with self.opened() as storage:
            assert isinstance(storage, LogStoragePort), type(storage)

    async def test_it_may_be_closed_again(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a")])
            await storage.aclose()
            await storage.aclose()

    # Writing

    async def test_entries_come_back_as_they_were_written(self) -> None:
        entries = [
            LogEntry(NOON, "INFO", "plain"),
            LogEntry(NOON + 0.123456, "AUDIT", "own level, microseconds", {"n": 1, "f": 1.5, "b": True, "none": None}),
            LogEntry(-1.5, "DEBUG", "before 1970", {"nested": {"list": [1, "two", {"three": 3}]}}),
            LogEntry(NOON, "ERROR", "zwölf € 🎉 \u2028 日本", {"ключ": "значение", "\x00": "\x00"}),
            LogEntry(NOON, "ERROR", "NUL \x00 inside, then\nmore", {"": "empty name", "a.b": 1, 'quo"te': 2}),
            LogEntry(NOON, "CRITICAL", "", {"big": 2**63, "bigger": 2**200, "tiny": 5e-324, "negative": -(2**63)}),
            LogEntry(NOON, "INFO", "x" * 1_048_577, {"large": "y" * 1_048_577}),
        ]
        async with self.opened() as storage:
            await storage.write_logs(entries)
            got = await read(storage)

            assert got == entries, got

    async def test_entries_keep_the_order_in_which_they_were_committed(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a", 30), entry_of("b", 10)])
            await storage.write_logs(iter([entry_of("c", 20), entry_of("d", 20)]))
            got = await messages_of(storage)

            assert got == ["a", "b", "c", "d"], got

    async def test_writing_nothing_stores_nothing(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([])
            got = await read(storage)

            assert got == [], got

    async def test_a_write_that_fails_midway_stores_nothing(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a")])
            before = await storage.log_facts()
            await expect_interruption(storage.write_logs(interrupted(map(entry_of, "xyz"))))
            got = (await storage.log_facts(), await messages_of(storage))

            assert got == (before, ["a"]), got

    async def test_entries_of_one_write_get_consecutive_positions(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abc"))
            await storage.write_logs(map(entry_of, "de"))
            positions = await positions_of(storage)

            assert positions[:3] == [positions[0], positions[0] + 1, positions[0] + 2], positions
            assert positions[3] + 1 == positions[4], positions

    async def test_positions_are_never_used_again_after_everything_was_deleted(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abc"))
            used = await positions_of(storage)
            await storage.delete_oldest_logs(3)
            await storage.write_logs([entry_of("d")])
            got = await positions_of(storage)

            assert len(got) == 1, got
            assert got[0] > max(used), (used, got)

    async def test_attributes_that_change_after_the_write_change_nothing(self) -> None:
        tags = ["first"]
        entry = LogEntry(NOON, "INFO", "order", {"tags": tags})
        async with self.opened() as storage:
            await storage.write_logs([entry])
            tags.append("second")
            got = await read(storage)

            assert got == [LogEntry(NOON, "INFO", "order", {"tags": ["first"]})], got

    async def test_what_json_cannot_say_is_spelled_out(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(
                [LogEntry(NOON, "INFO", "odd", {"nan": float("nan"), "bytes": b"\xff", "t": (1,)})]
            )
            (got,) = await read(storage)

            assert got.attributes == {"nan": "NaN", "bytes": "\\xff", "t": [1]}, got

    # Counting, facts, deleting

    async def test_count_logs_counts_what_read_logs_gives(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(
                [entry_of(f"{number}", number, level=("INFO", "ERROR")[number % 2]) for number in range(20)]
            )
            middle = (await read(storage))[7].cursor
            queries = [
                LogQuery(),
                LogQuery(limit=3),
                LogQuery(levels={"ERROR"}, until=NOON + 9),
                LogQuery(after=middle),
                LogQuery(before=middle, text="3", limit=5, order="desc"),
            ]
            counts = [await storage.count_logs(query) for query in queries]
            lengths = [len(await read(storage, query)) for query in queries]

            assert counts == lengths, (counts, lengths)

    async def test_facts_of_an_empty_store_have_no_levels(self) -> None:
        async with self.opened() as storage:
            facts = await storage.log_facts()

            assert facts == LogFacts(facts.generation, facts.upcoming, facts.upcoming, {}), facts

    async def test_facts_are_exact_after_writes_and_deletions(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of(f"{second}", second) for second in (7, 3, 9, 5)])
            await storage.write_logs([LogEntry(NOON + 6, "ERROR", "größe", {"n": "é", "k": [1, 2]})])
            await storage.delete_oldest_logs(1)
            await storage.delete_logs_before(NOON + 4)
            positions, facts = await positions_of(storage), await storage.log_facts()
            size = len("größe".encode()) + len(json_text({"n": "é", "k": [1, 2]}).encode())

            assert facts == LogFacts(
                facts.generation,
                positions[0],
                positions[-1] + 1,
                {
                    "INFO": LevelFacts(2, NOON + 5, NOON + 9, 2 * len("9{}")),
                    "ERROR": LevelFacts(1, NOON + 6, NOON + 6, size),
                },
            ), facts

    async def test_facts_and_cursors_share_the_generation(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "ab"))
            generations = {parse_cursor(entry.cursor or "").generation for entry in await read(storage)}
            facts = await storage.log_facts()

            assert generations == {facts.generation}, (generations, facts)

    async def test_an_emptied_store_keeps_its_place(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abc"))
            before = await storage.log_facts()
            await storage.delete_logs_before(NOON + 1)
            after = await storage.log_facts()

            assert after == LogFacts(before.generation, before.upcoming, before.upcoming, {}), after

    async def test_delete_logs_before_spares_the_timestamp_itself(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a", 3), entry_of("b", 1), entry_of("c", 2), entry_of("d", 1.999999)])
            gone = await storage.delete_logs_before(NOON + 2)
            got = await messages_of(storage)

            assert (gone, got) == (2, ["a", "c"]), (gone, got)

    async def test_delete_logs_before_may_spare_other_levels(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a"), entry_of("b", level="DEBUG"), entry_of("c", 5, level="DEBUG")])
            gone = await storage.delete_logs_before(NOON + 2, "debug")
            got = await messages_of(storage)

            assert (gone, got) == (1, ["a", "c"]), (gone, got)

    async def test_delete_oldest_logs_goes_by_commit_order(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a", 9), entry_of("b", 1), entry_of("c", 5)])
            gone = await storage.delete_oldest_logs(2)
            got = await messages_of(storage)

            assert (gone, got) == (2, ["c"]), (gone, got)

    async def test_delete_oldest_logs_may_spare_other_levels(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(
                [entry_of(name, level=level) for name, level in zip("abcde", _ALTERNATING, strict=True)]
            )
            gone = await storage.delete_oldest_logs(2, "debug")
            got = await messages_of(storage)

            assert (gone, got) == (2, ["a", "c", "e"]), (gone, got)

    async def test_delete_oldest_logs_tells_how_many_there_were(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "ab"))
            gone = [await storage.delete_oldest_logs(count) for count in (0, 5, 5)]

            assert gone == [0, 2, 0], gone

    # Several at once

    async def test_a_read_that_pauses_holds_back_no_writer(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            reading = storage.read_logs(LogQuery())
            first = (await anext(reading)).message
            writing = asyncio.to_thread(asyncio.run, _write(storage, "new"))
            await asyncio.wait_for(writing, timeout=30)
            rest = [entry.message async for entry in reading]

            assert [first, *rest][:MANY] == [str(number) for number in range(MANY)], len(rest)
            assert await messages_of(storage, LogQuery(order="desc", limit=1)) == ["new"]

    async def test_entries_that_stay_are_read_once_while_others_come_and_go(self) -> None:
        for order in ("asc", "desc"):
            async with self.opened() as storage:
                await storage.write_logs(
                    [entry_of(f"{number}", level=("INFO", "DEBUG")[number % 2]) for number in range(MANY)]
                )
                got: list[str] = []
                async for entry in storage.read_logs(LogQuery(order="asc" if order == "asc" else "desc")):
                    got.append(entry.message)
                    if len(got) == 100:
                        await storage.delete_oldest_logs(MANY, "DEBUG")
                        await storage.write_logs([entry_of("new")])
                stayed = [message for message in got if message != "new" and int(message) % 2 == 0]

                assert len(got) == len(set(got)), f"{len(got) - len(set(got))} entries were read twice ({order})"
                assert sorted(stayed, key=int) == [f"{number}" for number in range(0, MANY, 2)], (order, len(stayed))

    async def test_two_event_loops_in_two_threads_write_and_read_at_once(self) -> None:
        async with self.opened() as storage:
            halves = await asyncio.gather(
                asyncio.to_thread(asyncio.run, _write_and_count(storage, "a")),
                asyncio.to_thread(asyncio.run, _write_and_count(storage, "b")),
            )
            entries = await read(storage)
            positions = [parse_cursor(entry.cursor or "").position for entry in entries]
            runs = [{entry.message for entry in entries[start : start + 5]} for start in range(0, 200, 5)]

            assert list(halves) == [[], []], f"half a write was seen: {halves}"
            assert positions == sorted(set(positions)), positions
            assert sorted(map(sorted, runs)) == sorted([f"{name}{number}"] for name in "ab" for number in range(20)), (
                runs
            )


_ALTERNATING = ("INFO", "DEBUG", "INFO", "DEBUG", "INFO")


async def _write(storage: LogStoragePort, message: str) -> None:
    await storage.write_logs([entry_of(message)])


async def _write_and_count(storage: LogStoragePort, name: str) -> list[int]:
    """Write twenty times five entries; give the counts seen meanwhile that no whole writes add up to."""
    counts = []
    for number in range(20):
        await storage.write_logs([entry_of(f"{name}{number}")] * 5)
        counts.append(await storage.count_logs(LogQuery()))
    return [count for count in counts if count % 5]
