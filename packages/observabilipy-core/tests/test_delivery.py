"""Delivery: nothing is lost and nothing arrives twice, whatever the storage does."""

import itertools
from collections import Counter as Tally

import pytest

from observabilipy import LogQuery, StorageUnavailable
from observabilipy.instruments import Counter, Gauge, Registry
from observabilipy.logs.buffer import LogBuffer
from observabilipy.logs.entries import Finish
from observabilipy.logs.redaction import Redaction
from observabilipy.models import LEVELS
from observabilipy.ports import Batch, CommitReport, Worker
from observabilipy.runtime.delivery import Delivery
from observabilipy.storage.memory import MemoryStorage
from observabilipy.testing import FakeClock


class UnreliableStorage(MemoryStorage):
    """A memory storage that fails as told: ``before`` the commit, or ``after`` it, when nobody knows any more."""

    before: Exception | None = None
    after: Exception | None = None

    def commit(self, batch: Batch) -> CommitReport:
        if self.before is not None:
            raise self.before
        report = super().commit(batch)
        if self.after is not None:
            raise self.after
        return report


class Scene:
    """A delivery with everything around it."""

    def __init__(self, max_backlog_bytes: int = 2**20) -> None:
        self.clock = FakeClock()
        self.storage = UnreliableStorage(clock=self.clock)
        self.registry = Registry()
        self.buffer = LogBuffer(10_000, self.registry.troubles.dropped, lambda: None)
        ids = map("w{}".format, itertools.count(1))
        self.delivery = Delivery(
            self.storage,
            self.buffer,
            self.registry,
            finish=Finish({"service": "shop"}, Redaction(), 262_144),
            max_backlog_bytes=max_backlog_bytes,
            lifetime=15.0,
            clock=self.clock,
            monotonic=self.clock,
            new_id=ids.__next__,
        )
        jobs = self.registry.counter("jobs_total", "Jobs.", ())
        assert isinstance(jobs, Counter)
        self.jobs = jobs

    def log(self, *messages: str, level: str = "INFO") -> None:
        for message in messages:
            self.buffer.append(level, self.clock(), level, message, {}, {})

    async def messages(self) -> list[str]:
        return [entry.message async for entry in self.storage.read_logs(LogQuery())]

    async def total(self, name: str = "jobs_total") -> dict[str, object]:
        return {
            ",".join(series.labels.values()): series.value
            async for family in self.storage.totals([name])
            for series in family.series
        }


async def test_what_was_recorded_is_committed_once() -> None:
    scene = Scene()
    scene.log("a", "b")
    scene.jobs.inc(3)
    delivered = scene.delivery.deliver(), scene.delivery.deliver()

    assert (delivered, await scene.messages(), await scene.total()) == ((True, True), ["a", "b"], {"": 3})


async def test_entries_carry_the_base_attributes_the_context_and_their_own_nearest_last() -> None:
    scene = Scene()
    scene.buffer.append("INFO", 1.0, "INFO", "m", {"b": "own", "c": 1}, {"a": "context", "b": "context"})
    scene.delivery.deliver()

    assert [dict(entry.attributes) async for entry in scene.storage.read_logs(LogQuery())] == [
        {"service": "shop", "a": "context", "b": "own", "c": 1}
    ]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_unclear_commit_is_repeated_and_arrives_once(when: str) -> None:
    scene = Scene()
    scene.log("a")
    scene.jobs.inc(3)
    setattr(scene.storage, when, StorageUnavailable("the disk is full"))
    failed = scene.delivery.deliver()
    scene.log("b")
    scene.jobs.inc(4)
    setattr(scene.storage, when, None)
    delivered = scene.delivery.deliver()

    assert (failed, delivered, await scene.messages(), await scene.total()) == (False, True, ["a", "b"], {"": 7})


async def test_a_batch_that_the_storage_refuses_is_given_up_and_counted_after_three_times() -> None:
    scene = Scene()
    scene.log("a", "b")
    scene.jobs.inc()
    scene.storage.before = TypeError("cannot store this")
    attempts = [scene.delivery.deliver() for _ in range(2)]
    scene.storage.before = None
    scene.storage.after = TypeError("cannot store this")
    scene.delivery.deliver()
    scene.storage.after = None
    scene.delivery.deliver()

    assert (attempts, await scene.total("observabilipy_log_entries_dropped_total")) == (
        [False, False],
        {"INFO,refused_by_storage": 2},
    )


async def test_a_backlog_keeps_within_its_bytes_gives_up_the_lowest_levels_first_and_counts_them() -> None:
    scene = Scene(max_backlog_bytes=30_000)
    scene.storage.before = StorageUnavailable("the disk is full")
    for number in range(200):
        scene.log(str(number), level=LEVELS[number % 5])
        scene.delivery.deliver()
    scene.storage.before = None
    scene.delivery.deliver()
    scene.delivery.deliver()
    stored = Tally(
        [entry.level async for entry in scene.storage.read_logs(LogQuery()) if "dropped" not in entry.attributes]
    )
    dropped = Tally(await scene.total("observabilipy_log_entries_dropped_total"))
    lost = Tally({key.partition(",")[0]: value for key, value in dropped.items()})

    assert (stored + lost, stored["CRITICAL"], lost["DEBUG"] > 30) == (Tally(dict.fromkeys(LEVELS, 40)), 40, True)


async def test_hostile_records_are_stored_as_well_as_possible_and_hold_nothing_up() -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

    cycle: dict[object, object] = {"n": 1}
    cycle["me"] = cycle
    cycle[Hostile()] = [cycle] * 100
    scene = Scene()
    scene.buffer.append("INFO", 1.0, "INFO", Hostile(), {"x": Hostile(), "cycle": cycle}, {})
    scene.buffer.append("INFO", float("nan"), "INFO", "no time", {}, {})
    scene.log("after")
    scene.delivery.deliver()
    scene.delivery.deliver()

    assert (await scene.messages(), await scene.total("observabilipy_log_entries_dropped_total")) == (
        ["<unprintable Hostile>", "after", "log entries were dropped: 1"],
        {"INFO,invalid": 1},
    )


async def test_what_was_dropped_is_told_by_one_entry_in_the_log() -> None:
    scene = Scene()
    for level in ("DEBUG", "DEBUG", "INFO"):
        scene.registry.troubles.dropped(level, "buffer_full")
    scene.delivery.deliver()
    scene.delivery.deliver()

    assert [
        (entry.level, entry.message, dict(entry.attributes)) async for entry in scene.storage.read_logs(LogQuery())
    ] == [
        (
            "WARNING",
            "log entries were dropped: 3",
            {
                "service": "shop",
                "logger": "observabilipy",
                "dropped": {"DEBUG buffer_full": 2, "INFO buffer_full": 1},
            },
        )
    ]


async def test_a_thousand_entries_go_in_one_batch_and_more_in_several() -> None:
    scene = Scene(max_backlog_bytes=2**24)
    scene.log(*map(str, range(2_500)))
    scene.delivery.deliver()

    assert (await scene.messages(), scene.delivery._sequence) == (list(map(str, range(2_500))), 3)


async def test_one_series_that_cannot_be_reported_holds_nothing_up() -> None:
    scene = Scene()
    huge = scene.registry.gauge("huge", "Huge.", (), aggregate="sum")
    wait = scene.registry.histogram("wait", "Waiting.", ())
    assert isinstance(huge, Gauge)
    for _ in range(30):
        huge.inc(10**308)
        wait.observe(10**308)
        scene.jobs.inc(10**308)
    scene.log("there")
    scene.delivery.deliver()
    huge.set(2)
    scene.jobs.inc()
    scene.delivery.deliver()

    assert (await scene.messages(), await scene.total(), await scene.total("huge")) == (["there"], {"": 1}, {"": 2})


async def test_a_family_that_was_given_up_with_its_batch_is_defined_by_the_next_one() -> None:
    scene = Scene()
    queue = scene.registry.gauge("queue", "Jobs that wait.", (), aggregate="max")
    assert isinstance(queue, Gauge)
    queue.set(5)
    scene.storage.before = TypeError("cannot store this")
    for _ in range(3):
        scene.delivery.deliver()
    scene.storage.before = None
    queue.set(4)
    scene.delivery.deliver()

    assert [(f.help, f.aggregate) async for f in scene.storage.totals(["queue"])] == [("Jobs that wait.", "max")]


async def test_what_the_storage_does_not_take_before_the_end_is_counted_as_dropped() -> None:
    scene = Scene()
    scene.storage.before = StorageUnavailable("the disk is full")
    scene.log("a", "b")
    scene.delivery.deliver()
    scene.log("c")
    scene.delivery.deliver()
    scene.delivery.abandon()
    dropped = [
        (sample.labels, sample.value)
        for sample in scene.registry.collect(1.0).samples
        if sample.name == "observabilipy_log_entries_dropped_total"
    ]

    assert dropped == [({"level": "INFO", "reason": "closed"}, 3)]


async def test_a_worker_that_was_silent_for_too_long_reports_its_gauges_again() -> None:
    scene = Scene()
    queue = scene.registry.gauge("queue", "Queue.", (), aggregate="sum")
    assert isinstance(queue, Gauge)
    queue.set(5)
    scene.delivery.deliver()
    scene.clock.advance(60)
    scene.storage.maintain()
    expired = await scene.total("queue")
    scene.delivery.heartbeat()
    scene.delivery.deliver()

    assert (expired, await scene.total("queue")) == ({}, {"": 5})


async def test_the_end_of_a_worker_takes_its_gauges_and_leaves_its_totals() -> None:
    scene = Scene()
    queue = scene.registry.gauge("queue", "Queue.", (), aggregate="sum")
    assert isinstance(queue, Gauge)
    queue.set(5)
    scene.jobs.inc()
    scene.delivery.deliver()
    scene.delivery.end()

    assert (await scene.total("queue"), await scene.total()) == ({}, {"": 1})


async def test_a_forked_child_is_another_worker_and_leaves_what_the_parent_recorded_to_the_parent() -> None:
    scene = Scene()
    scene.log("parent")
    scene.jobs.inc(3)
    first = scene.delivery.worker
    scene.buffer.begin_anew()
    scene.registry.begin_anew()
    scene.delivery.begin_anew()
    scene.log("child")
    scene.jobs.inc(4)
    scene.delivery.deliver()

    assert (await scene.messages(), await scene.total(), first.id, scene.delivery.worker.id) == (
        ["child"],
        {"": 4},
        "w1",
        "w2",
    )


async def test_a_definition_that_hides_what_another_process_reports_is_counted_and_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    other = Registry()
    other.gauge("size", "Size.", ())
    scene.storage.commit(Batch(Worker("other"), 1, families=tuple(other.collect(1.0).families)))
    scene.registry.histogram("size", "Size.", ())
    scene.delivery.deliver()
    scene.delivery.deliver()

    assert (await scene.total("observabilipy_hidden_samples_total"), [r.getMessage() for r in caplog.records]) == (
        {"size": 1},
        ["size is reported under two kinds: only the newest definition is shown"],
    )


async def test_overflow_in_the_storage_is_counted_by_family() -> None:
    scene = Scene()
    scene.registry.counter("hits_total", "Hits.", ("page",), series_limit=1)
    for number in (1, 2):
        other = Worker(f"other{number}")
        registry = Registry()
        hits = registry.counter("hits_total", "Hits.", ("page",), series_limit=1)
        hits.labels(number).inc()  # type: ignore[union-attr]  # it has labels
        collection = registry.collect(1.0)
        scene.storage.commit(Batch(other, 1, samples=tuple(collection.samples), families=tuple(collection.families)))
    hits = scene.registry.counter("hits_total", "Hits.", ("page",), series_limit=1)
    hits.labels("mine").inc()  # type: ignore[union-attr]  # it has labels
    scene.delivery.deliver()
    scene.delivery.deliver()

    assert (await scene.total("hits_total"), await scene.total("observabilipy_series_overflow_total")) == (
        {"1": 1, "__overflow__": 2},
        {"hits_total": 1},
    )
