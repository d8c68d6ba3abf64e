"""What RuntimeStoragePort adds, sentence by sentence.

Commits are in ``commit_contract``, the history is in ``history_contract``.
"""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

import asyncio
import os
import signal
import warnings

from observabilipy.models import (
    Aggregate,
    Family,
    LevelRetentionPolicy,
    LogEntry,
    MetricKind,
    MetricSample,
    RetentionPolicy,
    counter,
    gauge,
)
from observabilipy.ports import Batch, RuntimeStoragePort, Worker
from observabilipy.testing.commit_contract import CommitContract
from observabilipy.testing.entries import NOON, read
from observabilipy.testing.tables import values_of

__all__ = ["RuntimeStorageContract"]

_A = Worker("worker-a", "host", 1, lifetime=15.0)
_B = Worker("worker-b", "host", 2, lifetime=15.0)
_ENTRY = LogEntry(NOON, "INFO", "order placed", {"tier": "gold"})
_AGGREGATES: tuple[Aggregate, ...] = ("sum", "min", "max")
_MEASURES = tuple(Family(f"{how}_g", MetricKind.GAUGE, "G.", aggregate=how) for how in _AGGREGATES)


class RuntimeStorageContract(CommitContract):
    """Tests for every RuntimeStoragePort: override ``make_storage``."""

    async def test_it_fills_the_port(self) -> None:
        async with self.opened() as storage:
            assert isinstance(storage, RuntimeStoragePort), type(storage)

    async def test_it_says_how_long_things_are_kept_by_default(self) -> None:
        async with self.opened() as storage:
            logs, history = storage.default_log_retention, storage.default_history_retention

            assert isinstance(logs, RetentionPolicy | LevelRetentionPolicy), logs
            assert isinstance(history, RetentionPolicy), history

    async def test_it_may_be_closed_again(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, (_ENTRY,)))
            storage.close()
            storage.close()

    # Gauges of several workers

    async def test_a_last_gauge_takes_the_latest_commit_whatever_the_clocks(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, gauges=(gauge("g", 1, timestamp=NOON + 100),)))
            storage.commit(Batch(_B, 1, gauges=(gauge("g", 2, timestamp=NOON - 100),)))
            got = await values_of(storage)

            assert got == {"g": 2}, got

    async def test_a_last_gauge_outlives_its_worker(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, gauges=(gauge("g", 1),)))
            storage.commit(Batch(_B, 1, gauges=(gauge("f", 2),)))
            storage.end_worker(_B)
            self.clock.advance(3600)
            storage.maintain()
            got = await values_of(storage)

            assert got == {"f": 2, "g": 1}, got

    async def test_each_living_workers_latest_value_counts(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, gauges=_measured(5), families=_MEASURES))
            storage.commit(Batch(_B, 1, gauges=_measured(1)))
            storage.commit(Batch(_A, 2, gauges=_measured(4)))
            got = await values_of(storage)

            assert got == {"max_g": 4, "min_g": 1, "sum_g": 5}, got

    async def test_a_silent_workers_gauges_count_until_its_lifetime_is_over(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, gauges=_measured(5), families=_MEASURES))
            self.clock.advance(10)
            storage.commit(Batch(_B, 1, gauges=_measured(1)))
            self.clock.advance(4.5)
            both = await values_of(storage)
            self.clock.advance(1)
            one = await values_of(storage)
            storage.maintain()
            maintained = await values_of(storage)
            self.clock.advance(10)
            none = await values_of(storage)

            assert both == {"max_g": 5, "min_g": 1, "sum_g": 6}, both
            assert one == {"max_g": 1, "min_g": 1, "sum_g": 1}, one
            assert maintained == one, maintained
            assert none == {}, none

    async def test_a_heartbeat_and_a_commit_keep_a_worker_alive(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, gauges=_measured(5), families=_MEASURES))
            self.clock.advance(10)
            storage.heartbeat(_A)
            self.clock.advance(10)
            storage.maintain()
            storage.commit(Batch(_A, 2, (_ENTRY,)))
            self.clock.advance(10)
            storage.maintain()
            got = await values_of(storage)

            assert got == {"max_g": 5, "min_g": 5, "sum_g": 5}, got

    async def test_a_worker_that_ended_counts_no_more_and_its_totals_stay(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, (), (counter("a_total"),), _measured(5), _MEASURES))
            storage.commit(Batch(_B, 1, (), (counter("a_total"),), _measured(7)))
            storage.end_worker(_A)
            one = await values_of(storage)
            storage.end_worker(_B)
            storage.end_worker(Worker("never seen"))
            none = await values_of(storage)

            assert one == {"a_total": 2, "max_g": 7, "min_g": 7, "sum_g": 7}, one
            assert none == {"a_total": 2}, none

    async def test_infos_of_several_workers_are_shown_while_these_live(self) -> None:
        async with self.opened() as storage:
            family = Family("build", MetricKind.INFO, "B.", aggregate="max")
            infos = [MetricSample("build", 1, {"version": version}, MetricKind.INFO, NOON) for version in "12"]
            storage.commit(Batch(_A, 1, gauges=(infos[0],), families=(family,)))
            storage.commit(Batch(_B, 1, gauges=(infos[1],), families=(family,)))
            both = [row.labels async for found in storage.totals() for row in found.series]
            storage.end_worker(_A)
            storage.maintain()
            one = [(found.kind, row.labels, row.value) async for found in storage.totals() for row in found.series]

            assert both == [{"version": "1"}, {"version": "2"}], both
            assert one == [(MetricKind.INFO, {"version": "2"}, 1)], one

    async def test_plain_gauges_count_beside_those_of_workers(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, gauges=_measured(5), families=_MEASURES))
            await storage.write_samples(_measured(3))
            self.clock.advance(3600)
            storage.maintain()
            got = await values_of(storage)

            assert got == {"max_g": 3, "min_g": 3, "sum_g": 3}, got

    # Workers and the lease

    async def test_a_heartbeat_says_whether_the_worker_had_expired(self) -> None:
        async with self.opened() as storage:
            new = storage.heartbeat(_A)
            self.clock.advance(14)
            alive = storage.heartbeat(_A)
            self.clock.advance(16)
            expired = storage.heartbeat(_A)
            back = storage.heartbeat(_A)

            assert (new, alive, expired, back) == (True, True, False, True), (new, alive, expired, back)

    async def test_a_heartbeat_tells_of_an_expiry_even_after_housekeeping_and_a_commit(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, gauges=_measured(5), families=_MEASURES))
            self.clock.advance(16)
            storage.maintain()
            storage.commit(Batch(_A, 2, (_ENTRY,)))
            told = (storage.heartbeat(_A), storage.heartbeat(_A))
            storage.commit(Batch(_A, 3, gauges=_measured(5)))
            got = await values_of(storage)

            assert told == (False, True), told
            assert got == {"max_g": 5, "min_g": 5, "sum_g": 5}, got

    async def test_one_worker_holds_the_lease(self) -> None:
        async with self.opened() as storage:
            got = [storage.acquire_lease(worker, 30) for worker in (_A, _B, _A)]
            self.clock.advance(29)
            got += [storage.acquire_lease(worker, 30) for worker in (_B, _A)]
            self.clock.advance(29)
            got.append(storage.acquire_lease(_B, 30))
            self.clock.advance(1.5)
            got += [storage.acquire_lease(worker, 30) for worker in (_B, _A)]

            assert got == [True, False, True, False, True, False, True, False], got

    async def test_maintain_is_safe_at_any_time(self) -> None:
        async with self.opened() as storage:
            storage.maintain()
            storage.commit(Batch(_A, 1, (_ENTRY,), (counter("a_total"),), (gauge("g", 1),)))
            storage.maintain()
            self.clock.advance(86_400 * 3)
            storage.maintain()
            storage.maintain()
            got = (len(await read(storage)), await values_of(storage))

            assert got == (1, {"a_total": 1, "g": 1}), got

    async def test_a_forked_child_opens_anew_and_leaves_the_parent_alone(self) -> None:
        if not hasattr(os, "fork"):
            return  # nothing is promised where nothing can fork (Windows)
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, (_ENTRY,), (counter("a_total"),)))
            status = await asyncio.to_thread(_commit_in_a_child, storage)
            storage.commit(Batch(_A, 2, (_ENTRY,), (counter("b_total"),)))
            got = await values_of(storage)

            assert status == 0, f"the child failed with wait status {status}"
            assert (got["b_total"], got["a_total"] in {1, 2}) == (1, True), got


def _measured(value: float) -> tuple[MetricSample, ...]:
    return tuple(gauge(family.name, value, timestamp=NOON) for family in _MEASURES)


def _commit_in_a_child(storage: RuntimeStoragePort) -> int:
    """Fork; the child uses the storage. Gives its wait status: 0 when all went well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 on: a fork of a process with threads
        pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        signal.alarm(30)  # a child that hangs ends by itself
        storage.forget()
        storage.commit(Batch(_B, 1, (_ENTRY,), (counter("a_total"),)))
        values = asyncio.run(values_of(storage))
        storage.close()
        os._exit(0 if values["a_total"] == 2 else 3)
    finally:
        os._exit(4)
