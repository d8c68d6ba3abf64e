"""MemoryStorage and the storages that it is made of, beyond the contract."""

import math
import threading

import pytest

from observabilipy.errors import ConfigurationError
from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    LogEntry,
    LogQuery,
    MetricKind,
    MetricQuery,
    MetricSample,
    RetentionPolicy,
    counter,
    gauge,
)
from observabilipy.ports import Batch, LogStoragePort, MetricsStoragePort, Worker
from observabilipy.storage import InMemoryLogStorage, InMemoryMetricsStorage, MemoryStorage
from observabilipy.testing import FakeClock

WORKER = Worker("worker-a", lifetime=15.0)


async def messages(storage: LogStoragePort) -> list[str]:
    return [entry.message async for entry in storage.read_logs(LogQuery())]


async def names(storage: MetricsStoragePort) -> list[str]:
    return [family.name async for family in storage.totals()]


async def test_built_by_hand_a_log_storage_has_no_bounds() -> None:
    storage = InMemoryLogStorage()
    await storage.write_logs([LogEntry.info("x" * 2_000)] * 12_000)

    assert await storage.count_logs(LogQuery()) == 12_000


async def test_over_max_entries_the_oldest_committed_go() -> None:
    storage = InMemoryLogStorage(max_entries=2)
    await storage.write_logs([LogEntry(9, "INFO", "a"), LogEntry(1, "INFO", "b")])
    await storage.write_logs([LogEntry(5, "INFO", "c")])

    assert await messages(storage) == ["b", "c"]


async def test_over_max_bytes_the_oldest_committed_go() -> None:
    storage = InMemoryLogStorage(max_bytes=10)
    await storage.write_logs([LogEntry.info("aaaa"), LogEntry.info("éé")])  # with "{}" six bytes each
    await storage.write_logs([LogEntry.info("cc")])

    facts = await storage.log_facts()
    assert (await messages(storage), facts.bytes, facts.oldest, facts.upcoming) == (["éé", "cc"], 10, 2, 4)


async def test_an_entry_larger_than_max_bytes_is_not_kept_and_uses_its_position() -> None:
    storage = InMemoryLogStorage(max_bytes=10)
    await storage.write_logs([LogEntry.info("a"), LogEntry.info("b" * 100)])

    facts = await storage.log_facts()
    assert (facts.count, facts.oldest, facts.upcoming) == (0, 3, 3)


async def test_bytes_are_exact_after_deletions_and_drops() -> None:
    storage = InMemoryLogStorage(max_bytes=12)
    await storage.write_logs([LogEntry(1, "INFO", "aa"), LogEntry(2, "INFO", "bb")])
    await storage.delete_logs_before(2)
    await storage.write_logs([LogEntry(3, "INFO", "cc"), LogEntry(4, "INFO", "dd")])

    assert await messages(storage) == ["bb", "cc", "dd"]


async def test_each_storage_draws_its_own_generation() -> None:
    generations = {(await InMemoryLogStorage().log_facts()).generation for _ in range(20)}

    assert len(generations) == 20


async def test_the_generation_comes_from_the_randomness_given() -> None:
    facts = await InMemoryLogStorage(randomness=lambda count: bytes(range(count))).log_facts()

    assert facts.generation == "aaaqeaye"


@pytest.mark.parametrize("bound", [0, -1, 1.5, "10", True])
@pytest.mark.parametrize("name", ["max_entries", "max_bytes"])
def test_a_log_storage_refuses_a_bound_that_is_no_positive_whole_number(name: str, bound: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be a whole number of 1 or more, got {bound!r}: write"):
        InMemoryLogStorage(**{name: bound})  # type: ignore[arg-type] # the mistake under test


@pytest.mark.parametrize("age", [0, -1, math.inf, math.nan, "1h"])
def test_a_metrics_storage_refuses_an_age_that_is_no_positive_number(age: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^max_age must be a positive number of seconds, got {age!r}: "):
        InMemoryMetricsStorage(max_age=age)  # type: ignore[arg-type] # the mistake under test


async def test_history_older_than_max_age_goes() -> None:
    clock = FakeClock(1_000)
    storage = InMemoryMetricsStorage(max_age=20, clock=clock)
    await storage.write_samples([counter("a_total")])
    for _ in range(4):
        clock.advance(10)
        storage.sample_history(clock())

    (history,) = [history async for history in storage.read_history(MetricQuery("a_total"))]
    assert history.points == ((1_020, 1), (1_030, 1), (1_040, 1))


async def test_a_moment_sampled_twice_is_there_once() -> None:
    storage = InMemoryMetricsStorage()
    await storage.write_samples([counter("a_total")])
    storage.sample_history(10)
    await storage.write_samples([counter("a_total")])
    storage.sample_history(10)

    (history,) = [history async for history in storage.read_history(MetricQuery("a_total"))]
    assert (history.points, await storage.count_samples()) == (((10, 2),), 1)


async def test_series_come_in_the_order_in_which_they_began() -> None:
    storage = InMemoryMetricsStorage()
    await storage.write_samples([counter("a_total", labels={"x": x}) for x in "cab"])

    (family,) = [family async for family in storage.totals()]
    assert [series.labels["x"] for series in family.series] == ["c", "a", "b"]


async def test_the_newest_exemplar_of_each_bucket_is_kept() -> None:
    def observed(value: float, trace: str) -> MetricSample:
        exemplar = Exemplar({"trace_id": trace}, value)
        return MetricSample("h", HistogramValue.of((1,), [value]), {}, MetricKind.HISTOGRAM, 1, exemplars=(exemplar,))

    storage = InMemoryMetricsStorage()
    await storage.write_samples([observed(0.5, "a"), observed(5, "b"), observed(0.7, "c")])

    (family,) = [family async for family in storage.totals()]
    assert [exemplar.labels["trace_id"] for exemplar in family.series[0].exemplars] == ["c", "b"]


async def test_series_idle_for_thirty_days_leave_and_younger_ones_stay() -> None:
    clock = FakeClock()
    storage = MemoryStorage(clock=clock)
    await storage.write_samples([counter("idle_total"), counter("busy_total")])
    clock.advance(86_400)
    await storage.write_samples([counter("busy_total", 0)])
    clock.advance(29 * 86_400 + 1)
    storage.maintain()

    assert await names(storage) == ["busy_total"]


async def test_a_gauge_of_a_living_worker_is_never_idle() -> None:
    clock = FakeClock()
    storage = MemoryStorage(clock=clock)
    storage.commit(Batch(WORKER, 1, gauges=(gauge("build_info", 1),)))
    clock.advance(40 * 86_400)
    storage.heartbeat(WORKER)
    storage.maintain()
    living = await names(storage)
    clock.advance(86_400)
    storage.maintain()

    assert (living, await names(storage)) == (["build_info"], [])


async def test_a_gauge_without_living_workers_makes_room_under_the_limit() -> None:
    clock = FakeClock()
    storage = MemoryStorage(clock=clock)
    family = Family("g", MetricKind.GAUGE, "G.", aggregate="sum", series_limit=1)
    storage.commit(Batch(WORKER, 1, gauges=(gauge("g", 1, labels={"x": "old"}),), families=(family,)))
    clock.advance(16)
    storage.maintain()

    report = storage.commit(Batch(Worker("b"), 1, gauges=(gauge("g", 1, labels={"x": "new"}),)))
    assert report.refused == {}


def test_a_worker_that_ended_gives_up_the_lease() -> None:
    storage = MemoryStorage()
    storage.acquire_lease(WORKER, 30)
    storage.end_worker(WORKER)

    assert storage.acquire_lease(Worker("b"), 30)


async def test_a_forked_copy_goes_on_under_a_lock_that_nobody_holds() -> None:
    storage = MemoryStorage()
    storage.commit(Batch(WORKER, 1, (LogEntry.info("before"),)))
    before = await storage.log_facts()
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with storage._lock:
            holding.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait()
    storage.forget()
    storage.commit(Batch(WORKER, 2, (LogEntry.info("after"),)))
    done.set()
    holder.join()

    assert await messages(storage) == ["before", "after"]
    assert (await storage.log_facts()).generation != before.generation


async def test_the_gauges_of_the_parent_are_not_added_to_those_of_a_forked_copy() -> None:
    storage = MemoryStorage()
    families = (Family("open_files", MetricKind.GAUGE, "Open files.", aggregate="sum"),)
    storage.commit(Batch(WORKER, 1, gauges=(gauge("open_files", 3),), families=families))
    storage.forget()
    child = Worker("worker-b", lifetime=15.0)
    storage.commit(Batch(child, 1, gauges=(gauge("open_files", 4),)))

    assert [series.value async for family in storage.totals() for series in family.series] == [4]
    assert storage.acquire_lease(child, 5.0)


def test_memory_says_what_it_keeps() -> None:
    storage = MemoryStorage()

    assert (storage.default_log_retention, storage.default_history_retention) == (
        RetentionPolicy(max_count=10_000, max_bytes=16 * 1024 * 1024),
        RetentionPolicy(max_age=3600.0, max_count=100_000),
    )


def test_memory_without_bounds_keeps_everything_on_purpose() -> None:
    storage = MemoryStorage(max_entries=None, max_bytes=None, max_samples=None, max_age=None)

    assert (storage.default_log_retention, storage.default_history_retention) == (RetentionPolicy.forever(),) * 2
