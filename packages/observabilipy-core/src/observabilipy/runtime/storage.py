"""What a runtime needs to know of the storages that it is given."""

import os
import re
import sys

from observabilipy import process
from observabilipy.ports import LogStoragePort, MetricsStoragePort, RuntimeStoragePort
from observabilipy.troubles import Troubles

__all__ = ["runtime_storage", "warn_of_lonely_memory"]

# As gunicorn, uvicorn and hypercorn have it.
_WORKERS = re.compile(r"(?<!\S)(?:-w|--workers)[ =]?(\d+)(?!\S)", re.ASCII)


def runtime_storage(logs: LogStoragePort, metrics: MetricsStoragePort | None) -> RuntimeStoragePort:
    """One storage that a runtime can use: the one given, or a wrapper for plain ports."""
    if metrics is None and isinstance(logs, RuntimeStoragePort):
        return logs
    from observabilipy.storage.plain import PlainStorage

    return PlainStorage(logs, metrics)


def warn_of_lonely_memory(storage: RuntimeStoragePort, troubles: Troubles) -> None:
    """Say once, in a worker among others, that what it records is seen by nobody else."""
    if _is_memory(storage) and _is_worker_among_others():
        troubles.warn(
            "memory in a worker",
            "memory:// and ring:// hold what one process records, and this one is a worker among others:"
            ' use "sqlite:///observability.db" to have all of them counted together',
        )


def _is_worker_among_others() -> bool:
    """Gunicorn forks before we are imported; a server that reloads starts its one worker by multiprocessing."""
    if not (process.is_child() or "gunicorn.arbiter" in sys.modules):
        return False
    told = _WORKERS.search(" ".join((*sys.argv, os.environ.get("GUNICORN_CMD_ARGS", ""))))
    count = told[1] if told else os.environ.get("WEB_CONCURRENCY", "")
    if count.isdecimal():
        return int(count) > 1
    return process.is_child() and "--reload" not in sys.argv


def _is_memory(storage: RuntimeStoragePort) -> bool:
    memory = sys.modules.get("observabilipy.storage.memory")  # not imported for those who have no use for it
    return memory is not None and isinstance(storage, memory.MemoryStorage)
