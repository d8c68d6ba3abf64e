"""Courier: carries whole transactions to the thread of one aiosqlite connection, and answers to any event loop.

The only place that uses what aiosqlite keeps private: ``Connection._execute``, its thread, and the field that makes it
warn at exit. Awaiting begin, insert and commit one by one would hold SQLite's write lock for as long as the event loop
is busy elsewhere.
"""

import asyncio
import atexit
import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar, cast

import aiosqlite

from observabilipy.errors import StorageUnavailable
from observabilipy_sqlite.database import Database

__all__ = ["Courier"]

T = TypeVar("T")

_LIVENESS_SECONDS = 1.0
_CLOSING_SECONDS = 10.0


class Courier:
    """Awaits functions that use a Database, on a thread of their own; from any thread's event loop, several at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begin_anew()
        _couriers.add(self)

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()  # guards _opening; held for no longer than an assignment
        self._opening: Future[aiosqlite.Connection] | None = None

    async def carry(self, function: Callable[[], T]) -> T:
        """Run a function on the thread; what it raises comes back.

        A cancelled caller waits until the thread is done with its function: aiosqlite's thread dies when it has to
        answer to a loop that was closed.
        """
        connection = await self._connection()
        answer = asyncio.ensure_future(_executed(connection, function))
        answer.add_done_callback(_looked_at)
        try:
            while not (await asyncio.wait({answer}, timeout=_LIVENESS_SECONDS))[0]:
                if not _thread(connection).is_alive():
                    answer.cancel()
                    raise StorageUnavailable(f"the thread that used {self._database.path} died: repeat the call")
            return answer.result()
        except asyncio.CancelledError:
            await _settled(connection)
            raise

    async def aclose(self) -> None:
        """End the thread, after what it was given before. May be called again."""
        connection = self._forget_connection()
        if connection is not None and _thread(connection).is_alive():
            closing = asyncio.ensure_future(connection.close())
            closing.add_done_callback(_looked_at)
            try:
                await asyncio.wait({closing}, timeout=_CLOSING_SECONDS)
            except asyncio.CancelledError:
                await _settled(connection)
                raise

    def close(self) -> None:
        """End the thread, blocking."""
        if self._forget_connection(look_only=True) is None:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self.aclose())
        else:  # a second loop needs a second thread
            thread = threading.Thread(target=lambda: asyncio.run(self.aclose()), daemon=True)
            thread.start()
            thread.join(_CLOSING_SECONDS)

    def forget(self) -> None:
        """In a forked child: let go of the inherited connection without closing it."""
        if self._pid != os.getpid():
            opening = self._opening
            if opening is not None and opening.done() and opening.exception() is None:
                _hush(opening.result())
            self._begin_anew()

    def abandon(self) -> None:
        """At exit: the thread is a daemon and ends with the process, the Database closes itself."""
        connection = self._forget_connection()
        if connection is not None:
            _hush(connection)

    def _forget_connection(self, *, look_only: bool = False) -> aiosqlite.Connection | None:
        self.forget()
        with self._lock:
            opening = self._opening
            if not look_only:
                self._opening = None
        opened = opening is not None and opening.done() and opening.exception() is None
        return opening.result() if opening is not None and opened else None

    async def _connection(self) -> aiosqlite.Connection:
        """The one connection, made by whoever comes first; the others wait for it on their own loops."""
        self.forget()
        with self._lock:
            opening = self._opening
            if opening is not None and _died(opening):
                _hush(opening.result())
                opening = None
            if opening is None:
                opening = mine = self._opening = Future()
            else:
                mine = None
        if mine is None:
            return await asyncio.shield(asyncio.wrap_future(opening))
        try:
            connection = await _started(self._database)
        except BaseException:
            with self._lock:
                self._opening = None
            mine.set_exception(StorageUnavailable(f"{self._database.path} was not opened: repeat the call"))
            raise
        mine.set_result(connection)
        return connection


async def _started(database: Database) -> aiosqlite.Connection:
    """An aiosqlite connection whose thread does not keep the interpreter from exiting.

    The Database opens, reopens and closes sqlite3 connections by itself, in that thread; of what a connector returns
    aiosqlite wants no more than ``close()``.
    """
    connection = aiosqlite.Connection(lambda: cast("sqlite3.Connection", database), iter_chunk_size=1)
    _thread(connection).daemon = True
    return await connection


async def _executed(connection: aiosqlite.Connection, function: Callable[[], T]) -> T:
    return cast("T", await connection._execute(function))  # type: ignore[no-untyped-call] # noqa: SLF001 - private


def _hush(connection: aiosqlite.Connection) -> None:
    """Keep aiosqlite from warning that nobody closed it, and from closing it."""
    connection._connection = None  # noqa: SLF001 - private


def _thread(connection: aiosqlite.Connection) -> threading.Thread:
    """Its thread; before aiosqlite 0.22 a connection was one itself."""
    return cast("threading.Thread", getattr(connection, "_thread", connection))


def _died(opening: "Future[aiosqlite.Connection]") -> bool:
    return opening.done() and opening.exception() is None and not _thread(opening.result()).is_alive()


def _looked_at(answer: "asyncio.Task[object]") -> None:
    """Keep asyncio from reporting an error that a cancelled caller does not want any more."""
    if not answer.cancelled():
        answer.exception()


async def _settled(connection: aiosqlite.Connection) -> None:
    """Wait until the thread has answered everything that it was given before, whoever cancels the wait."""
    while _thread(connection).is_alive():
        with contextlib.suppress(asyncio.CancelledError):
            barrier = asyncio.ensure_future(_executed(connection, int))
            await asyncio.wait({barrier}, timeout=_LIVENESS_SECONDS)
            if barrier.done() and not barrier.cancelled():
                return


_couriers: "weakref.WeakSet[Courier]" = weakref.WeakSet()


@atexit.register
def _abandon_all() -> None:
    for courier in list(_couriers):
        courier.abandon()
