"""What LogStoragePort promises to those who read."""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

import inspect

from observabilipy.models import LogEntry, LogQuery
from observabilipy.ports import LogStoragePort
from observabilipy.testing.contract import Contract
from observabilipy.testing.entries import MANY, NOON, entry_of, messages_of, read

__all__ = ["LogReadingContract"]


class LogReadingContract(Contract[LogStoragePort]):
    """The part of LogStorageContract about filters, order and cursors."""

    # Filters

    async def test_read_logs_is_a_plain_function_that_gives_an_async_iterator(self) -> None:
        async with self.opened() as storage:
            got = storage.read_logs(LogQuery())

            assert not inspect.iscoroutine(got), got
            assert [entry async for entry in got] == []

    async def test_since_is_inclusive_and_until_exclusive(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a", 1), entry_of("b", 2), entry_of("c", 3), entry_of("d", 2.999999)])
            got = await messages_of(storage, LogQuery(since=NOON + 2, until=NOON + 3))

            assert got == ["b", "d"], got

    async def test_levels_are_matched_by_name(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of(level, level=level) for level in ("DEBUG", "INFO", "WARNING", "AUDIT")])
            got = await messages_of(storage, LogQuery(levels={"warn", "audit"}))

            assert got == ["WARNING", "AUDIT"], got

    async def test_no_level_at_all_matches_nothing(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a")])
            got = await messages_of(storage, LogQuery(levels=()))

            assert got == [], got

    async def test_min_level_takes_those_above_and_own_names_as_info(self) -> None:
        levels = ["CRITICAL", "ERROR", "WARNING", "AUDIT", "INFO", "DEBUG"]
        async with self.opened() as storage:
            await storage.write_logs([entry_of(level, level=level) for level in levels])
            got = [await messages_of(storage, LogQuery(min_level=level)) for level in ("DEBUG", "INFO", "WARNING")]

            assert got == [levels, levels[:5], levels[:3]], got

    async def test_text_is_a_substring_with_ascii_letters_in_either_case(self) -> None:
        messages = ["Order PLACED", "order placed late", "ordre", "100% of_it", "ÉTÉ", "été", "tail\x00placed"]
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, messages))
            got = [await messages_of(storage, LogQuery(text=text)) for text in ("PlAced", "%", "_", "É", "r p", "")]

            assert got == [[messages[0], messages[1], messages[6]], ["100% of_it"], ["100% of_it"], ["ÉTÉ"],
                           messages[:2], messages], got  # fmt: skip

    async def test_attributes_match_strings_and_json_spellings(self) -> None:
        values: list[object] = ["gold", 7, "7", True, "true", None, "null", 1.5, ["gold"]]
        async with self.opened() as storage:
            await storage.write_logs([LogEntry(NOON, "INFO", repr(value), {"a.b": value}) for value in values])
            await storage.write_logs([LogEntry(NOON, "INFO", "nested", {"a": {"b": "gold"}, 'quo"te': "x"})])
            wanted = ("gold", "7", "true", "null", "1.5", "silver")
            got = [await messages_of(storage, LogQuery(attributes={"a.b": value})) for value in wanted]
            quoted = await messages_of(storage, LogQuery(attributes={'quo"te': "x"}))

            assert got == [["'gold'"], ["7", "'7'"], ["True", "'true'"], ["None", "'null'"], ["1.5"], []], got
            assert quoted == ["nested"], quoted

    async def test_all_filters_must_hold(self) -> None:
        wanted = LogEntry(NOON, "ERROR", "order failed", {"tier": "gold"})
        others = [
            LogEntry(NOON + 9, "ERROR", "order failed", {"tier": "gold"}),
            LogEntry(NOON, "INFO", "order failed", {"tier": "gold"}),
            LogEntry(NOON, "ERROR", "order placed", {"tier": "gold"}),
            LogEntry(NOON, "ERROR", "order failed", {"tier": "blue"}),
        ]
        query = LogQuery(until=NOON + 1, levels={"error"}, text="FAILED", attributes={"tier": "gold"})
        async with self.opened() as storage:
            await storage.write_logs([*others[:2], wanted, *others[2:]])
            got = await read(storage, query)

            assert got == [wanted], got

    # Order, limit and cursors

    async def test_desc_is_the_order_reversed(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, map(str, range(MANY))))
            got = await messages_of(storage, LogQuery(order="desc"))

            assert got == [str(number) for number in reversed(range(MANY))], got

    async def test_limit_takes_the_first_that_match_in_the_order(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(
                [entry_of(f"{number}", level=("INFO", "ERROR")[number % 2]) for number in range(8)]
            )
            ups = await messages_of(storage, LogQuery(levels={"ERROR"}, limit=2))
            downs = await messages_of(storage, LogQuery(levels={"ERROR"}, limit=2, order="desc"))

            assert (ups, downs) == (["1", "3"], ["7", "5"]), (ups, downs)

    async def test_after_a_cursor_comes_everything_that_was_committed_later(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of("a", 9), entry_of("b", 5), entry_of("c", 1)])
            cursors = [entry.cursor for entry in await read(storage)]
            got = [await messages_of(storage, LogQuery(after=cursor)) for cursor in cursors]
            await storage.write_logs([entry_of("d", 0)])
            newest = await messages_of(storage, LogQuery(after=cursors[-1]))

            assert (got, newest) == ([["b", "c"], ["c"], []], ["d"]), (got, newest)

    async def test_before_a_cursor_comes_everything_that_was_committed_earlier(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abcd"))
            cursors = [entry.cursor for entry in await read(storage)]
            ups = [await messages_of(storage, LogQuery(before=cursor)) for cursor in cursors[:3]]
            down = await messages_of(storage, LogQuery(before=cursors[3], order="desc", limit=2))
            between = await messages_of(storage, LogQuery(after=cursors[0], before=cursors[3]))

            assert (ups, down, between) == ([[], ["a"], ["a", "b"]], ["c", "b"], ["b", "c"]), (ups, down, between)

    async def test_after_and_desc_read_down_to_the_cursor(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abcd"))
            first = (await read(storage))[0].cursor
            got = await messages_of(storage, LogQuery(after=first, order="desc"))

            assert got == ["d", "c", "b"], got

    async def test_pages_joined_by_cursors_miss_nothing_and_repeat_nothing(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(
                [entry_of(f"{number}", level=("INFO", "ERROR")[number % 2]) for number in range(20)]
            )
            got: list[str] = []
            page = await read(storage, LogQuery(levels={"ERROR"}, limit=3))
            while page:
                got += [entry.message for entry in page]
                page = await read(storage, LogQuery(levels={"ERROR"}, limit=3, after=page[-1].cursor))

            assert got == [f"{number}" for number in range(1, 20, 2)], got

    async def test_after_a_cursor_of_another_generation_reading_starts_at_the_oldest(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abc"))
            generation = (await storage.log_facts()).generation
            got = await messages_of(storage, LogQuery(after=f"{_other(generation)}-2"))

            assert got == ["a", "b", "c"], got

    async def test_before_a_cursor_of_another_generation_there_is_nothing(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abc"))
            generation = (await storage.log_facts()).generation
            got = await messages_of(storage, LogQuery(before=f"{_other(generation)}-3"))

            assert got == [], got

    async def test_after_a_place_that_was_never_given_out_reading_starts_at_the_oldest(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abc"))
            facts = await storage.log_facts()
            got = await messages_of(storage, LogQuery(after=f"{facts.generation}-{2**63 - 1}"))

            assert got == ["a", "b", "c"], got

    async def test_after_a_place_that_was_deleted_reading_starts_at_the_oldest_kept(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "abcd"))
            first = (await read(storage))[0].cursor
            await storage.delete_oldest_logs(2)
            got = await messages_of(storage, LogQuery(after=first))

            assert got == ["c", "d"], got

    async def test_a_reader_goes_on_after_the_store_was_emptied(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(map(entry_of, "ab"))
            last = (await read(storage))[-1].cursor
            await storage.delete_oldest_logs(2)
            emptied = await messages_of(storage, LogQuery(after=last))
            await storage.write_logs([entry_of("c")])
            got = await messages_of(storage, LogQuery(after=last))

            assert (emptied, got) == ([], ["c"]), (emptied, got)


def _other(generation: str) -> str:
    return "a" if generation != "a" else "b"
