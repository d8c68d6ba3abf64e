"""Shelter: memory, for a process whose file is one that it must not touch.

A deploy may go back to a release that does not know the file's format, and a path may name another program's database.
Neither gets better by waiting, so the service goes on as with ``memory://``, and says so in its log.
"""

import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from observabilipy import process
from observabilipy.awaiting import await_here
from observabilipy.errors import StorageRefused
from observabilipy.models import LogEntry

if TYPE_CHECKING:
    from observabilipy.storage.memory import MemoryStorage

__all__ = ["Sheltering", "sheltered", "take_shelter"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Sheltering(Protocol):
    """A storage that may have taken shelter."""

    shelter: "MemoryStorage | None"


_S = TypeVar("_S", bound=Sheltering)


def sheltered(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """The method, or that of the shelter if there is one."""

    @wraps(method)
    def call(storage: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if storage.shelter is None:
            return method(storage, *args, **kwargs)
        instead: Callable[..., Any] = getattr(storage.shelter, method.__name__)
        result: _R = instead(*args, **kwargs)
        return result

    return call


def take_shelter(path: Path, error: StorageRefused) -> "MemoryStorage":
    """A store in memory whose first entry says why."""
    problem = f"{error}; what this process records is kept in its memory, as with memory://, and ends with it"
    logging.getLogger("observabilipy").warning("%s", problem)
    with process.no_fork():  # a child that is forked during an import finds the module's lock held for ever
        from observabilipy.storage.memory import MemoryStorage
    memory = MemoryStorage()
    await_here(memory.write_logs([LogEntry.warning(problem, path=str(path))]))
    return memory
