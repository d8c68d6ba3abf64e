"""The same answers for synchronous servers: an event loop of its own per request, in the calling thread."""

import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from observabilipy.http.message import Headers, Response

if TYPE_CHECKING:
    import asyncio

__all__ = ["Naps", "SyncBody", "SyncResponse", "answer_blocking"]

_T = TypeVar("_T")

_turn = threading.Lock()  # guards the one loop that can run, where threads are green


class Naps:
    """Pauses that a body asks for, and that the thread makes between two pieces of work.

    Not in the event loop: a green thread that slept there would keep the turn of all others.
    """

    def __init__(self) -> None:
        self._asked_for = 0.0

    async def ask_for(self, seconds: float) -> None:
        """Let the thread sleep so long before it asks for the next chunk."""
        self._asked_for += seconds

    def take(self) -> None:
        """Sleep, if anybody asked for it."""
        seconds, self._asked_for = self._asked_for, 0.0
        if seconds:
            time.sleep(seconds)


class SyncBody:
    """The chunks of a body, each made when it is asked for. Ask from one thread at a time, and close at the end.

    WSGI servers call ``close()`` themselves (PEP 3333). Reading to the end, and an exception, close it too.
    """

    def __init__(self, loop: "asyncio.AbstractEventLoop", chunks: AsyncGenerator[bytes, None], naps: Naps) -> None:
        self._loop = loop
        self._chunks = chunks
        self._naps = naps

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._loop.is_closed():
            raise StopIteration
        try:
            while (chunk := _drive(self._loop, _next(self._chunks))) == b"":
                self._naps.take()
        except BaseException:
            self.close()
            raise
        if chunk is None:
            self.close()
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Let go of the read and of the event loop. May be called again."""
        if self._loop.is_closed():
            return
        try:
            _drive(self._loop, self._close())
        finally:
            self._loop.close()

    async def _close(self) -> None:
        try:
            await self._chunks.aclose()
        finally:
            await _end(self._loop)


@dataclass(frozen=True, slots=True)
class SyncResponse:
    """A Response whose body is read without an event loop; no chunk of it is empty."""

    status: int
    headers: Headers
    body: SyncBody
    live: bool = False


def answer_blocking(answer: Coroutine[Any, Any, Response], naps: Naps) -> SyncResponse:
    """Await the answer in a new event loop that lives until the body is closed.

    Raises:
        RuntimeError: an event loop runs in this thread already; await ``Endpoints.handle`` there instead.
    """
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        response = _drive(loop, answer)
    except BaseException:
        answer.close()
        try:
            _drive(loop, _end(loop))
        finally:
            loop.close()
        raise
    return SyncResponse(response.status, response.headers, SyncBody(loop, response.body, naps), response.live)


def _drive(loop: "asyncio.AbstractEventLoop", work: Coroutine[Any, Any, _T]) -> _T:
    """Do this piece of work in the loop."""
    with _turn if _threads_are_green() else nullcontext():
        if _a_loop_runs():
            work.close()
            raise RuntimeError("handle_sync blocks, and an event loop runs in this thread: await handle() there")
        return loop.run_until_complete(work)


def _threads_are_green() -> bool:
    """Under gevent many threads are one, where a second loop can run only when the first one is done with its piece."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def _a_loop_runs() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _next(chunks: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(chunks, None)


async def _end(loop: "asyncio.AbstractEventLoop") -> None:
    """Cancel what still runs, such as a slow flush: nothing can run on in a loop that closes."""
    import asyncio

    tasks: set[Awaitable[object]] = set()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        tasks.add(task)
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
