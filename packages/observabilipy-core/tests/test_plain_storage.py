"""PlainStorage: the runtime's port over storages that have only the plain ones."""

from collections.abc import Iterable

import pytest

from observabilipy.errors import ConfigurationError, StorageUnavailable
from observabilipy.models import Family, LogEntry, LogQuery, MetricKind, MetricQuery, MetricSample, counter, gauge
from observabilipy.ports import Batch, MetricsStoragePort, RuntimeStoragePort, Worker
from observabilipy.storage import InMemoryLogStorage, InMemoryMetricsStorage, MemoryStorage, PlainStorage

WORKER = Worker("worker-a")
BATCH = Batch(
    WORKER,
    1,
    (LogEntry(1, "INFO", "order placed"),),
    (counter("a_total", 2),),
    (gauge("g", 3),),
    (Family("a_total", MetricKind.COUNTER, "A."),),
)


class Unreliable(InMemoryMetricsStorage):
    """Cannot be reached at the first write of samples."""

    reachable = False

    async def write_samples(self, samples: Iterable[MetricSample]) -> None:
        if not self.reachable:
            self.reachable = True
            raise StorageUnavailable("not now")
        await super().write_samples(samples)


async def totals(storage: MetricsStoragePort) -> dict[str, object]:
    return {family.name: series.value async for family in storage.totals() for series in family.series}


def run(storage: PlainStorage) -> tuple[int, dict[str, object]]:
    import asyncio

    async def read() -> tuple[int, dict[str, object]]:
        return await storage.count_logs(LogQuery()), await totals(storage)

    return asyncio.run(read())


def test_it_fills_the_runtimes_port() -> None:
    assert isinstance(PlainStorage(InMemoryLogStorage()), RuntimeStoragePort)


def test_a_commit_reaches_both_storages() -> None:
    storage = PlainStorage(InMemoryLogStorage(), InMemoryMetricsStorage())
    storage.commit(BATCH)

    assert run(storage) == (1, {"a_total": 2, "g": 3})


def test_a_repeated_commit_does_nothing() -> None:
    storage = PlainStorage(InMemoryLogStorage(), InMemoryMetricsStorage())
    storage.commit(BATCH)
    storage.commit(BATCH)

    assert run(storage) == (1, {"a_total": 2, "g": 3})


def test_a_commit_that_failed_midway_goes_on_where_it_failed() -> None:
    storage = PlainStorage(InMemoryLogStorage(), Unreliable())
    with pytest.raises(StorageUnavailable):
        storage.commit(BATCH)
    storage.commit(BATCH)

    assert run(storage) == (1, {"a_total": 2, "g": 3})


def test_one_storage_with_both_ports_serves_both() -> None:
    both = MemoryStorage()
    PlainStorage(both).commit(BATCH)

    assert run(PlainStorage(both)) == (1, {"a_total": 2, "g": 3})


def test_logs_alone_get_metrics_in_memory() -> None:
    storage = PlainStorage(InMemoryLogStorage())
    storage.commit(BATCH)

    assert run(storage) == (1, {"a_total": 2, "g": 3})


async def test_history_is_sampled_where_the_storage_can() -> None:
    storage = PlainStorage(InMemoryLogStorage())
    await storage.write_samples([counter("a_total")])
    storage.sample_history(10)

    (history,) = [history async for history in storage.read_history(MetricQuery("a_total"))]
    assert history.points == ((10, 1),)


def test_the_only_worker_always_lives_and_holds_the_lease() -> None:
    storage = PlainStorage(InMemoryLogStorage())

    assert (storage.heartbeat(WORKER), storage.acquire_lease(WORKER, 30)) == (True, True)


def test_what_is_no_storage_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^log_storage must be a LogStoragePort, got 'memory://'"):
        PlainStorage("memory://")  # type: ignore[arg-type] # the mistake under test
    with pytest.raises(ConfigurationError, match=r"^metrics_storage must be a MetricsStoragePort, got \{\}"):
        PlainStorage(InMemoryLogStorage(), {})  # type: ignore[arg-type] # the mistake under test
