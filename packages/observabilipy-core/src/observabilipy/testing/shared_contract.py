"""What the ports promise when several instances, usually of several processes, work on one store."""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from observabilipy.models import Family, LogQuery, MetricKind, counter, gauge, parse_cursor
from observabilipy.ports import Batch, RuntimeStoragePort, Worker
from observabilipy.testing.clock import FakeClock
from observabilipy.testing.entries import NOON, entry_of
from observabilipy.testing.tables import values_of

__all__ = ["SharedStorageContract"]

_A = Worker("worker-a", "host", 1, lifetime=15.0)
_B = Worker("worker-b", "host", 2, lifetime=15.0)


class SharedStorageContract:
    """Tests for every storage that processes share: override ``make_storage`` and ``make_sibling``."""

    clock: FakeClock

    def make_storage(self, clock: FakeClock) -> RuntimeStoragePort:
        """Give a new, empty storage that takes its time from the clock."""
        raise NotImplementedError("say how to build the storage: override make_storage(self, clock)")

    def make_sibling(self, storage: RuntimeStoragePort, clock: FakeClock) -> RuntimeStoragePort:
        """Give another instance on the same store, as another process would open it."""
        raise NotImplementedError("say how to open the store again: override make_sibling(self, storage, clock)")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[RuntimeStoragePort, RuntimeStoragePort]]:
        """Two instances on one store for one test, whose time is ``self.clock``."""
        self.clock = FakeClock(NOON)
        one = self.make_storage(self.clock)
        other = self.make_sibling(one, self.clock)
        try:
            yield one, other
        finally:
            await one.aclose()
            await other.aclose()

    async def test_both_see_the_same_entries_under_the_same_cursors(self) -> None:
        async with self.opened() as (one, other):
            one.commit(Batch(_A, 1, (entry_of("a"),)))
            await other.write_logs([entry_of("b")])
            other.commit(Batch(_B, 1, (entry_of("c"),)))
            got = [
                [(entry.message, entry.cursor) async for entry in each.read_logs(LogQuery())] for each in (one, other)
            ]

            assert [message for message, _ in got[0]] == ["a", "b", "c"], got
            assert got[0] == got[1], got

    async def test_a_cursor_of_one_goes_on_in_the_other(self) -> None:
        async with self.opened() as (one, other):
            await one.write_logs(map(entry_of, "ab"))
            (first,) = [entry async for entry in one.read_logs(LogQuery(limit=1))]
            got = [entry.message async for entry in other.read_logs(LogQuery(after=first.cursor))]

            assert got == ["b"], got

    async def test_both_add_to_the_same_totals(self) -> None:
        async with self.opened() as (one, other):
            one.commit(Batch(_A, 1, samples=(counter("a_total", 2**62),)))
            other.commit(Batch(_B, 1, samples=(counter("a_total", 5),)))
            await one.write_samples([counter("a_total")])
            got = [await values_of(each) for each in (one, other)]

            assert got == [{"a_total": 2**62 + 6}] * 2, got

    async def test_a_batch_that_one_committed_does_nothing_in_the_other(self) -> None:
        async with self.opened() as (one, other):
            batch = Batch(_A, 1, (entry_of("a"),), (counter("a_total"),))
            one.commit(batch)
            other.commit(batch)
            got = (await other.count_logs(LogQuery()), await values_of(other))

            assert got == (1, {"a_total": 1}), got

    async def test_a_definition_of_one_holds_in_the_other(self) -> None:
        async with self.opened() as (one, other):
            other.commit(Batch(_B, 1, samples=(counter("a_total", labels={"x": "1"}),)))
            newest = Family("a_total", MetricKind.COUNTER, "Newest.", series_limit=1)
            one.commit(Batch(_A, 1, families=(newest,)))
            report = other.commit(Batch(_B, 2, samples=(counter("a_total", labels={"x": "2"}),)))
            got = [family.help async for family in other.totals()]

            assert (report.overflowed, got) == ({"a_total": 1}, ["Newest."]), (report, got)

    async def test_gauges_of_both_count_while_their_workers_live(self) -> None:
        async with self.opened() as (one, other):
            family = Family("g", MetricKind.GAUGE, "G.", aggregate="sum")
            one.commit(Batch(_A, 1, gauges=(gauge("g", 1),), families=(family,)))
            self.clock.advance(10)
            other.commit(Batch(_B, 1, gauges=(gauge("g", 2),)))
            both = await values_of(one)
            self.clock.advance(10)
            alone = await values_of(one)

            assert (both, alone) == ({"g": 3}, {"g": 2}), (both, alone)

    async def test_the_lease_is_one_for_both(self) -> None:
        async with self.opened() as (one, other):
            got = [one.acquire_lease(_A, 30), other.acquire_lease(_B, 30), other.acquire_lease(_A, 30)]

            assert got == [True, False, True], got

    async def test_both_commit_at_once_and_lose_nothing(self) -> None:
        def work(storage: RuntimeStoragePort, worker: Worker) -> None:
            for sequence in range(1, 31):
                storage.commit(
                    Batch(worker, sequence, (entry_of(f"{worker.id} {sequence}"),) * 3, (counter("a_total"),))
                )

        async with self.opened() as (one, other):
            await asyncio.gather(asyncio.to_thread(work, one, _A), asyncio.to_thread(work, other, _B))
            entries = [entry async for entry in one.read_logs(LogQuery())]
            positions = [parse_cursor(entry.cursor or "").position for entry in entries]
            got = [await values_of(each) for each in (one, other)]

            assert got == [{"a_total": 60}] * 2, got
            assert (len(positions), positions) == (180, sorted(set(positions))), positions
            assert all(len({entry.message for entry in entries[i : i + 3]}) == 1 for i in range(0, 180, 3)), entries
