"""What VolumePort promises, sentence by sentence, of a log storage that has it."""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

import asyncio
import inspect
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from observabilipy.errors import InvalidValue
from observabilipy.models import LogEntry, LogQuery, LogVolume, from_micros, to_micros
from observabilipy.ports import LogStoragePort, VolumePort
from observabilipy.testing.contract import Contract
from observabilipy.testing.entries import MANY, NOON, entry_of, read

__all__ = ["VolumeContract", "VolumeStorage"]


class VolumeStorage(LogStoragePort, VolumePort, Protocol):
    """A log storage with the optional port."""


class VolumeContract(Contract[VolumeStorage]):
    """Tests for every storage with VolumePort, beside LogStorageContract: override ``make_storage``."""

    async def test_it_fills_both_ports(self) -> None:
        async with self.opened() as storage:
            assert isinstance(storage, LogStoragePort), type(storage)
            assert isinstance(storage, VolumePort), type(storage)

    async def test_read_volume_is_a_plain_function_that_gives_an_async_iterator(self) -> None:
        async with self.opened() as storage:
            got = storage.read_volume(LogQuery(), 60)

            assert not inspect.iscoroutine(got), got
            assert [volume async for volume in got] == []

    async def test_entries_are_counted_by_step_and_level(self) -> None:
        entries = [(0, "INFO"), (59.999999, "INFO"), (59, "ERROR"), (60, "INFO"), (61, "OWN"), (240, "DEBUG")]
        async with self.opened() as storage:
            await storage.write_logs([entry_of("x", second, level=level) for second, level in entries])
            got = await _volumes(storage, LogQuery(), 60)
            wanted = [
                LogVolume(NOON, {"INFO": 2, "ERROR": 1}),
                LogVolume(NOON + 60, {"INFO": 1, "OWN": 1}),
                LogVolume(NOON + 240, {"DEBUG": 1}),
            ]

            assert got == wanted, got

    async def test_steps_begin_at_multiples_of_the_step_since_1970(self) -> None:
        times = (-0.000001, 0, 0.25, 0.7, -62_135_596_800, NOON + 0.3)
        async with self.opened() as storage:
            await storage.write_logs([LogEntry(time, "INFO", "x") for time in times])
            got = [volume.start for volume in await _volumes(storage, LogQuery(), 0.5)]

            assert got == [-62_135_596_800, -0.5, 0, 0.5, NOON], got

    async def test_steps_are_in_the_order_of_time_whatever_the_order_of_commits(self) -> None:
        async with self.opened() as storage:
            for second in (300, 0, 60, 0, 120):
                await storage.write_logs([entry_of("x", second)])
            got = [(volume.start - NOON, volume.counts) for volume in await _volumes(storage, LogQuery(), 60)]
            wanted = [(0, {"INFO": 2}), (60, {"INFO": 1}), (120, {"INFO": 1}), (300, {"INFO": 1})]

            assert got == wanted, got

    async def test_every_query_counts_what_read_logs_gives(self) -> None:
        levels = ("INFO", "INFO", "DEBUG", "OWN", "INFO", "ERROR")
        async with self.opened() as storage:
            for start in range(0, MANY, 100):
                await storage.write_logs(
                    LogEntry(NOON + n / 7, levels[n % 6], f"Order {n}", {"tier": n % 3})
                    for n in range(start, start + 100)
                )
            await storage.delete_oldest_logs(40, "DEBUG")
            cursors = [entry.cursor for entry in await read(storage)]
            for query in _queries(cursors):
                for step in (0.000001, 0.05, 1, 60, 1e9):
                    wanted = _counted(await read(storage, query), step)
                    got = await _volumes(storage, query, step)

                    assert got == wanted, (query, step, got[:3], wanted[:3])

    async def test_a_step_that_is_none_is_refused_before_anything_is_read(self) -> None:
        async with self.opened() as storage:
            for step in (0, -1, 0.0000001, float("nan"), float("inf"), True, "60"):
                try:
                    storage.read_volume(LogQuery(), step)  # type: ignore[arg-type] # what callers without types do
                except InvalidValue as error:
                    message = str(error)
                else:
                    message = "it was taken"

                assert repr(step) in message, (step, message)

    async def test_entries_that_stay_are_counted_once_while_others_come_and_go(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs(
                [entry_of(f"{number}", number, level=("INFO", "DEBUG")[number % 2]) for number in range(MANY)]
            )
            got, _, _ = await asyncio.gather(
                _volumes(storage, LogQuery(until=NOON + MANY), 1e9),
                storage.delete_oldest_logs(MANY, "DEBUG"),
                storage.write_logs([entry_of("new", MANY)]),
            )
            stayed = sum(volume.counts.get("INFO", 0) for volume in got)

            assert stayed == MANY // 2, got

    async def test_two_event_loops_in_two_threads_count_at_once(self) -> None:
        async with self.opened() as storage:
            await storage.write_logs([entry_of(f"{number}", number) for number in range(MANY)])
            got = await asyncio.gather(
                *[asyncio.to_thread(asyncio.run, _volumes(storage, LogQuery(), 60)) for _ in range(2)]
            )
            wanted = _counted(await read(storage), 60)

            assert got == [wanted] * 2, [len(volumes) for volumes in got]


def _queries(cursors: list[str | None]) -> list[LogQuery]:
    queries = [
        LogQuery(),
        LogQuery(levels={"ERROR", "OWN"}),
        LogQuery(min_level="INFO"),
        LogQuery(text="order 1"),
        LogQuery(attributes={"tier": "1"}),
        LogQuery(since=NOON + 20, until=NOON + 200),
        LogQuery(since=NOON + 20, levels={"INFO"}, text="7"),
        LogQuery(after=cursors[5]),
        LogQuery(after=cursors[3], before=cursors[-5]),
        LogQuery(limit=333),
        LogQuery(limit=33, order="desc", levels={"INFO"}),
    ]
    return [*queries, replace(queries[0], levels=())]


def _counted(entries: Iterable[LogEntry], step: float) -> list[LogVolume]:
    width = to_micros(step)
    counts: dict[int, dict[str, int]] = {}
    for entry in entries:
        of_step = counts.setdefault(to_micros(entry.timestamp) // width, {})
        of_step[entry.level] = of_step.get(entry.level, 0) + 1
    return [LogVolume(from_micros(number * width), counts[number]) for number in sorted(counts)]


async def _volumes(storage: VolumePort, query: LogQuery, step: float) -> list[LogVolume]:
    return [volume async for volume in storage.read_volume(query, step)]
