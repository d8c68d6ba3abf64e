"""What a runtime needs to know of the storages that it is given."""

import sys

from observabilipy import process
from observabilipy.ports import LogStoragePort, MetricsStoragePort, RuntimeStoragePort
from observabilipy.troubles import Troubles

__all__ = ["runtime_storage", "warn_of_lonely_memory"]


def runtime_storage(logs: LogStoragePort, metrics: MetricsStoragePort | None) -> RuntimeStoragePort:
    """One storage that a runtime can use: the one given, or a wrapper for plain ports."""
    if metrics is None and isinstance(logs, RuntimeStoragePort):
        return logs
    from observabilipy.storage.plain import PlainStorage

    return PlainStorage(logs, metrics)


def warn_of_lonely_memory(storage: RuntimeStoragePort, troubles: Troubles) -> None:
    """Say once, in a worker among others, that what it records is seen by nobody else."""
    if process.is_child() and _is_memory(storage):
        troubles.warn(
            "memory in a worker",
            "memory:// and ring:// hold what one process records, and this one is a worker among others:"
            ' use "sqlite:///observability.db" to have all of them counted together',
        )


def _is_memory(storage: RuntimeStoragePort) -> bool:
    memory = sys.modules.get("observabilipy.storage.memory")  # not imported for those who have no use for it
    return memory is not None and isinstance(storage, memory.MemoryStorage)
