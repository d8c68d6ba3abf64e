"""Awaiting without async: how the runtime's thread, or a blocking flush, uses the async methods of storages."""

import sys
from collections.abc import Coroutine
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from observabilipy import process

__all__ = ["await_here"]

_T = TypeVar("_T")


def await_here(work: Coroutine[Any, Any, _T]) -> _T:  # Any: what it yields to its loop is the loop's business
    """Drive a coroutine to its end on a loop of its own, blocking."""
    if "asyncio" not in sys.modules:
        with process.no_fork():  # a child that is forked during an import finds the module's lock held for ever
            import asyncio
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _await_elsewhere(work)


def _await_elsewhere(work: Coroutine[Any, Any, _T]) -> _T:
    """The same for a thread whose own loop is running: a second loop needs a second thread."""
    done: Future[_T] = Future()

    def run() -> None:
        try:
            done.set_result(await_here(work))
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits
            done.set_exception(error)

    thread = Thread(target=run, name="observabilipy-await", daemon=True)
    thread.start()
    thread.join()
    return done.result()
