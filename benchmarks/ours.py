"""Our own library as the benchmarks open it."""

import asyncio
from pathlib import Path
from typing import Any

from observabilipy import LogQuery, Observability

__all__ = ["opened", "stored"]


def opened(path: Path, **options: Any) -> Observability:  # Any: any option of Observability
    """An Observability on a SQLite file."""
    return Observability(f"sqlite:///{path}", handle_sigterm=False, **options)


def stored(obs: Observability) -> int:
    """How many entries the store has."""
    return asyncio.run(obs.storage.count_logs(LogQuery()))
