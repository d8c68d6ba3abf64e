"""Storages that live in this process, and the door to those of other packages: ``open_storage``."""

from observabilipy.storage.memory import MemoryStorage
from observabilipy.storage.memory_logs import InMemoryLogStorage, RingBufferLogStorage
from observabilipy.storage.memory_metrics import InMemoryMetricsStorage, RingBufferMetricsStorage
from observabilipy.storage.opening import open_storage
from observabilipy.storage.plain import PlainStorage

__all__ = [
    "InMemoryLogStorage",
    "InMemoryMetricsStorage",
    "MemoryStorage",
    "PlainStorage",
    "RingBufferLogStorage",
    "RingBufferMetricsStorage",
    "open_storage",
]
