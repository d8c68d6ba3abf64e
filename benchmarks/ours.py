"""Our own library as the benchmarks open it."""

import asyncio
from pathlib import Path
from typing import Any

from observabilipy import LogQuery, Observability
from observabilipy.ports import Worker

__all__ = ["maintained", "opened", "stored", "unattended"]


def opened(path: Path, **options: Any) -> Observability:  # Any: any option of Observability
    """An Observability on a SQLite file."""
    return Observability(f"sqlite:///{path}", handle_sigterm=False, **options)


def unattended(obs: Observability) -> Observability:
    """The same, without maintenance by its runtime for an hour: somebody else has the lease."""
    obs.storage.acquire_lease(Worker("benchmark"), 3_600)
    return obs


def maintained(obs: Observability) -> None:
    """Commit, and do all the maintenance that this leaves to be done."""
    obs.flush()
    while obs.storage.maintain():
        pass


def stored(obs: Observability) -> int:
    """How many entries the store has."""
    return asyncio.run(obs.storage.count_logs(LogQuery()))
