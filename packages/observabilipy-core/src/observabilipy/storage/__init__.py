"""Storages that live in this process, and the door to those of other packages: ``open_storage``."""

from typing import TYPE_CHECKING

from observabilipy.lazy import lazy

if TYPE_CHECKING:
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

__getattr__ = lazy(
    __name__,
    {
        "InMemoryLogStorage": "observabilipy.storage.memory_logs",
        "InMemoryMetricsStorage": "observabilipy.storage.memory_metrics",
        "MemoryStorage": "observabilipy.storage.memory",
        "PlainStorage": "observabilipy.storage.plain",
        "RingBufferLogStorage": "observabilipy.storage.memory_logs",
        "RingBufferMetricsStorage": "observabilipy.storage.memory_metrics",
        "open_storage": "observabilipy.storage.opening",
    },
)
