"""Awaiting without async, for the runtime's thread and the async methods of storages, and blocking without a block."""

import sys
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, TypeVar

from observabilipy import process

__all__ = ["await_here", "off_loop"]

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
    from concurrent.futures import Future

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


async def off_loop(work: Callable[[], object]) -> None:
    """Do blocking work in a thread of its own: the loop's default executor belongs to the application."""
    from asyncio import wrap_future
    from concurrent.futures import Future

    future: Future[None] = Future()

    def run() -> None:
        awaited = future.set_running_or_notify_cancel()  # the work is done for nobody, too
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the one who awaits
            if awaited:
                future.set_exception(error)
        else:
            if awaited:
                future.set_result(None)

    thread = Thread(target=run, name="observabilipy-work", daemon=True)
    thread.start()
    await wrap_future(future)
    thread.join()  # it is past its last statement
