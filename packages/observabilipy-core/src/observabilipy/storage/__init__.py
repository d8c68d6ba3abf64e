"""Storages that live in this process, the door to others (``open_storage``), and what is made of any of them."""

from typing import TYPE_CHECKING

from observabilipy.lazy import lazy

if TYPE_CHECKING:
    from observabilipy.storage.memory import MemoryStorage
    from observabilipy.storage.memory_logs import InMemoryLogStorage, RingBufferLogStorage
    from observabilipy.storage.memory_metrics import InMemoryMetricsStorage, RingBufferMetricsStorage
    from observabilipy.storage.opening import open_storage
    from observabilipy.storage.plain import PlainStorage
    from observabilipy.storage.volume import log_volume

__all__ = [
    "InMemoryLogStorage",
    "InMemoryMetricsStorage",
    "MemoryStorage",
    "PlainStorage",
    "RingBufferLogStorage",
    "RingBufferMetricsStorage",
    "log_volume",
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
        "log_volume": "observabilipy.storage.volume",
        "open_storage": "observabilipy.storage.opening",
    },
)
