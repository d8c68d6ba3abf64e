"""The storage contract, run by the storages of this package."""

import pytest

from observabilipy.storage.memory import MemoryStorage, open_memory, open_ring
from observabilipy.storage.memory_logs import InMemoryLogStorage, RingBufferLogStorage
from observabilipy.storage.memory_metrics import InMemoryMetricsStorage, RingBufferMetricsStorage
from observabilipy.storage.plain import PlainStorage
from observabilipy.testing import (
    FakeClock,
    HistoryContract,
    LogStorageContract,
    MetricsStorageContract,
    NdjsonContract,
    RuntimeStorageContract,
    VolumeContract,
)

pytestmark = pytest.mark.contract


class _WithoutNdjson(InMemoryLogStorage):
    """One that has the plain port alone."""

    read_ndjson = None  # type: ignore[assignment] # what isinstance takes for missing


class TestInMemoryLogs(LogStorageContract):
    def make_storage(self, clock: FakeClock) -> InMemoryLogStorage:
        return InMemoryLogStorage(clock=clock)


class TestRingBufferLogs(LogStorageContract):
    def make_storage(self, clock: FakeClock) -> RingBufferLogStorage:
        return RingBufferLogStorage(10_000, clock=clock)


class TestMemoryLogs(LogStorageContract):
    def make_storage(self, clock: FakeClock) -> MemoryStorage:
        return MemoryStorage(clock=clock)


class TestPlainLogs(LogStorageContract):
    def make_storage(self, clock: FakeClock) -> PlainStorage:
        return PlainStorage(InMemoryLogStorage(clock=clock))


class TestInMemoryNdjson(NdjsonContract):
    def make_storage(self, clock: FakeClock) -> InMemoryLogStorage:
        return InMemoryLogStorage(clock=clock)


class TestRingBufferNdjson(NdjsonContract):
    def make_storage(self, clock: FakeClock) -> RingBufferLogStorage:
        return RingBufferLogStorage(10_000, clock=clock)


class TestMemoryNdjson(NdjsonContract):
    def make_storage(self, clock: FakeClock) -> MemoryStorage:
        return open_memory("memory://", clock=clock)


class TestRingNdjson(NdjsonContract):
    def make_storage(self, clock: FakeClock) -> MemoryStorage:
        return open_ring("ring://?entries=5000", clock=clock)


class TestPlainNdjson(NdjsonContract):
    def make_storage(self, clock: FakeClock) -> PlainStorage:
        return PlainStorage(InMemoryLogStorage(clock=clock))


class TestPlainNdjsonOfEntries(NdjsonContract):
    def make_storage(self, clock: FakeClock) -> PlainStorage:
        return PlainStorage(_WithoutNdjson(clock=clock))


class TestPlainVolume(VolumeContract):
    def make_storage(self, clock: FakeClock) -> PlainStorage:
        return PlainStorage(InMemoryLogStorage(clock=clock))


class TestInMemoryMetrics(MetricsStorageContract):
    def make_storage(self, clock: FakeClock) -> InMemoryMetricsStorage:
        return InMemoryMetricsStorage(clock=clock)


class TestRingBufferMetrics(MetricsStorageContract):
    def make_storage(self, clock: FakeClock) -> RingBufferMetricsStorage:
        return RingBufferMetricsStorage(10_000, clock=clock)


class TestMemoryMetrics(MetricsStorageContract):
    def make_storage(self, clock: FakeClock) -> MemoryStorage:
        return MemoryStorage(clock=clock)


class TestPlainMetrics(MetricsStorageContract):
    def make_storage(self, clock: FakeClock) -> PlainStorage:
        return PlainStorage(InMemoryLogStorage(clock=clock), InMemoryMetricsStorage(clock=clock))


class TestMemoryRuntime(RuntimeStorageContract):
    def make_storage(self, clock: FakeClock) -> MemoryStorage:
        return open_memory("memory://", clock=clock)


class TestRingRuntime(RuntimeStorageContract):
    def make_storage(self, clock: FakeClock) -> MemoryStorage:
        return open_ring("ring://?entries=5000&samples=500", clock=clock)


class TestMemoryHistory(HistoryContract):
    def make_storage(self, clock: FakeClock) -> MemoryStorage:
        return open_memory("memory://", clock=clock)


class TestRingHistory(HistoryContract):
    def make_storage(self, clock: FakeClock) -> MemoryStorage:
        return open_ring("ring://?entries=5000&samples=500", clock=clock)
