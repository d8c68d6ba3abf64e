"""log_durability="crash": records in a ring, the delivery that reads them, and the recovery of what a process left."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from observabilipy import LogQuery, StorageUnavailable
from observabilipy.instruments import Registry
from observabilipy.logs.buffer import LogBuffer
from observabilipy.logs.crash_buffer import CrashBuffer
from observabilipy.logs.entries import Finish
from observabilipy.logs.redaction import Redaction
from observabilipy.logs.ring import Ring
from observabilipy.ports import Batch, CommitReport
from observabilipy.runtime.delivery import Delivery
from observabilipy.runtime.recovery import Recovery
from observabilipy.storage.memory import MemoryStorage
from observabilipy.testing import FakeClock


class Storage(MemoryStorage):
    """A memory storage that outlives the processes of this test, with a place for their rings."""

    def __init__(self, ring_directory: Path) -> None:
        super().__init__()
        self.ring_directory = ring_directory
        self.before: Exception | None = None
        self.after: Exception | None = None

    def commit(self, batch: Batch) -> CommitReport:
        if self.before is not None:
            raise self.before
        report = super().commit(batch)
        if self.after is not None:
            raise self.after
        return report

    async def messages(self) -> list[str]:
        return [entry.message async for entry in self.read_logs(LogQuery())]


class Process:
    """What one process has: a buffer with a ring, a delivery, a recovery."""

    def __init__(self, storage: Storage, capacity: int = 2**16) -> None:
        self.clock = FakeClock()
        self.registry = Registry()
        finish = Finish({"service": "shop"}, Redaction(), 262_144)
        self.recovery = Recovery(storage, self.registry.troubles, finish)
        self.behind = LogBuffer(100, self.registry.troubles.dropped, lambda: None)
        self.wakes = 0
        self.unprotected = 0
        self.buffer = CrashBuffer(
            self.behind,
            open_ring=lambda: self.open_ring(capacity),
            redaction=Redaction(),
            unprotected=self.count_unprotected,
            full_batch=self.count_wake,
            monotonic=self.clock,
        )
        self.ring_fails = False
        self.delivery = Delivery(
            storage,
            self.buffer,
            self.registry,
            finish=finish,
            max_backlog_bytes=2**20,
            lifetime=15.0,
            clock=self.clock,
            monotonic=self.clock,
        )
        self.directory = storage.ring_directory

    def open_ring(self, capacity: int) -> Ring | None:
        if self.ring_fails:
            return None
        return Ring.create(
            self.directory, self.delivery.worker.id, "host", os.getpid(), {"service": "shop"}, capacity=capacity
        )

    def count_wake(self) -> None:
        self.wakes += 1

    def count_unprotected(self) -> None:
        self.unprotected += 1

    def log(self, *messages: str, **attributes: object) -> None:
        for message in messages:
            self.buffer.append("INFO", self.clock(), "INFO", message, attributes, {})

    def dies(self) -> None:
        """As kill -9 leaves it: the kernel lets go of the lock, the file stays."""
        if self.buffer.ring is not None:
            self.buffer.ring.abandon()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "rings")


@pytest.fixture
def start(storage: Storage) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(**options: int) -> Process:
        started.append(Process(storage, **options))
        return started[-1]

    yield start
    for process in started:
        process.buffer.end_ring()


async def test_records_go_through_the_ring_into_the_storage_in_their_order(
    storage: Storage, start: Callable[..., Process]
) -> None:
    process = start(capacity=2**20)
    process.log(*map(str, range(2_500)), n=1)
    process.delivery.deliver()

    assert (await storage.messages(), process.unprotected, len(process.buffer)) == (list(map(str, range(2_500))), 0, 0)


async def test_what_a_killed_process_left_is_recovered_once(storage: Storage, start: Callable[..., Process]) -> None:
    victim, other = start(), start()
    victim.log("a")
    victim.delivery.deliver()
    victim.log("b", "c", tier="gold")
    victim.dies()
    other.recovery.look()
    other.recovery.look()
    entries = [(entry.message, dict(entry.attributes)) async for entry in storage.read_logs(LogQuery())]

    assert (entries, list(storage.ring_directory.iterdir())) == (
        [
            ("a", {"service": "shop"}),
            ("b", {"service": "shop", "tier": "gold"}),
            ("c", {"service": "shop", "tier": "gold"}),
        ],
        [],
    )


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_batch_whose_commit_was_unclear_when_the_process_died_arrives_once(
    when: str, storage: Storage, start: Callable[..., Process]
) -> None:
    victim, other = start(), start()
    victim.log("a", "b")
    setattr(storage, when, StorageUnavailable("no answer"))
    victim.delivery.deliver()
    setattr(storage, when, None)
    victim.log("c")
    victim.dies()
    other.recovery.look()

    assert await storage.messages() == ["a", "b", "c"]


async def test_a_recovery_that_is_killed_itself_repeats_nothing(
    storage: Storage, start: Callable[..., Process]
) -> None:
    victim, second, third = start(), start(), start()
    victim.log(*map(str, range(30)))
    victim.dies()
    storage.after = StorageUnavailable("killed here")
    second.recovery.look()
    storage.after = None
    third.recovery.look()

    assert await storage.messages() == list(map(str, range(30)))


async def test_the_ring_of_a_living_process_is_left_alone(storage: Storage, start: Callable[..., Process]) -> None:
    owner, other = start(), start()
    owner.log("a")
    other.recovery.look()
    before = await storage.messages()
    owner.delivery.deliver()

    assert (before, await storage.messages()) == ([], ["a"])


async def test_a_full_ring_leaves_records_in_memory_counts_them_and_loses_none(
    storage: Storage, start: Callable[..., Process]
) -> None:
    process = start(capacity=4_096)
    process.log(*map(str, range(90)))
    unprotected = process.unprotected
    process.delivery.deliver()
    process.log("later")
    process.delivery.deliver()

    assert (sorted(await storage.messages()), unprotected > 0, process.unprotected) == (
        sorted([*map(str, range(90)), "later"]),
        True,
        unprotected,
    )


async def test_without_a_ring_records_wait_in_memory_and_a_second_later_it_is_tried_again(
    storage: Storage, start: Callable[..., Process]
) -> None:
    process = start()
    process.ring_fails = True
    process.log("a", "b")
    process.ring_fails = False
    process.clock.advance(1.0)
    process.log("c")
    process.delivery.deliver()

    assert (sorted(await storage.messages()), process.unprotected) == (["a", "b", "c"], 2)


async def test_values_are_read_when_they_are_logged_and_secrets_never_reach_the_file(
    storage: Storage, start: Callable[..., Process]
) -> None:
    process = start()
    basket = ["apple"]
    process.log("m", basket=basket, thing=object, password="hunter2")
    basket.append("pear")
    [file] = storage.ring_directory.iterdir()
    content = file.read_bytes()
    process.delivery.deliver()
    [attributes] = [dict(entry.attributes) async for entry in storage.read_logs(LogQuery())]

    assert (b"hunter2" in content, b"apple" in content, attributes["basket"], attributes["thing"]) == (
        False,
        True,
        ["apple"],
        "<class 'object'>",
    )


async def test_a_worker_that_ends_in_good_order_leaves_no_file(storage: Storage, start: Callable[..., Process]) -> None:
    process = start()
    process.log("a")
    process.delivery.deliver()
    process.delivery.end()
    process.log("b")  # draws another worker, and another ring
    process.delivery.deliver()
    process.delivery.end()

    assert (await storage.messages(), list(storage.ring_directory.iterdir())) == (["a", "b"], [])


async def test_what_cannot_be_committed_at_the_end_waits_for_the_next_start_and_is_not_counted_as_lost(
    storage: Storage, start: Callable[..., Process]
) -> None:
    process, later = start(), start()
    process.log("a")
    storage.before = StorageUnavailable("the disk is full")
    process.delivery.deliver()
    process.delivery.abandon()
    storage.before = None
    later.recovery.look()
    later.delivery.deliver()
    counted = [family.name async for family in storage.totals()]

    assert (await storage.messages(), "observabilipy_log_entries_dropped_total" in counted) == (["a"], False)


async def test_a_batch_that_the_storage_refuses_is_given_up_after_three_times_and_frees_the_ring(
    storage: Storage, start: Callable[..., Process]
) -> None:
    process = start()
    process.log("a")
    storage.before = TypeError("cannot store this")
    for _ in range(3):
        process.delivery.deliver()
    storage.before = None
    process.log("b")
    process.delivery.deliver()

    assert (await storage.messages(), len(process.buffer)) == (["log entries were dropped: 1", "b"], 0)


def test_every_250_records_ask_to_be_carried_away(start: Callable[..., Process]) -> None:
    process = start(capacity=2**20)
    process.log(*map(str, range(749)))

    assert process.wakes == 2
