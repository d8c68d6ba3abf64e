"""Renderings: who asks for the same while it is being made shares what is made next."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable

from observabilipy.http.stream import close

__all__ = ["WAIT_SECONDS", "Renderings"]

WAIT_SECONDS = 0.25
"""How long one waits for the rendering before it, which a slow client may hold up."""


class Renderings:
    """One rendering of a kind at a time, if its readers are fast; those who come meanwhile share the next one.

    They do not share the one under way: what it shows was read before they came, and somebody may have been answered
    with more since then. Within one event loop; a rendering is kept for as long as it is read, and whole only if
    several read it.
    """

    def __init__(self) -> None:
        self._next: dict[Hashable, _Rendering] = {}
        self._last: dict[Hashable, _Rendering] = {}

    async def chunks(self, kind: Hashable, begin: Callable[[], AsyncIterator[bytes]]) -> AsyncGenerator[bytes, None]:
        """What ``begin`` gives, begun by the first who asked for it, when it is its turn."""
        import asyncio

        key = asyncio.get_running_loop(), kind
        rendering = self._next.get(key)
        first = rendering is None
        if rendering is None:
            rendering = self._next[key] = _Rendering(begin)
        rendering.readers += 1
        try:
            if first:
                await self._begin(key, rendering)
            else:
                await rendering.begun.wait()
            async for chunk in rendering.read():
                yield chunk
        finally:
            rendering.readers -= 1
            if rendering.readers == 0:
                rendering.ended.set()
                if self._last.get(key) is rendering:
                    del self._last[key]
                await rendering.close()

    async def _begin(self, key: Hashable, rendering: "_Rendering") -> None:
        try:
            await self._turn(key)
        finally:  # though this reader was cancelled: others may wait for the rendering
            del self._next[key]
            self._last[key] = rendering
            rendering.shared = rendering.readers > 1
            rendering.begun.set()

    async def _turn(self, key: Hashable) -> None:
        import asyncio

        before = self._last.get(key)
        if before is not None:
            ended = asyncio.ensure_future(before.ended.wait())
            try:
                await asyncio.wait((ended,), timeout=WAIT_SECONDS)
            finally:
                ended.cancel()


class _Rendering:
    """Chunks that several may read, each from the first one on. Of one event loop."""

    def __init__(self, begin: Callable[[], AsyncIterator[bytes]]) -> None:
        import asyncio

        self.readers = 0
        self.shared = False  # once it has begun; nobody joins after that
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self._begin = begin
        self._source: AsyncIterator[bytes] | None = None
        self._chunks: list[bytes] = []
        self._making: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._whole = False

    async def read(self) -> AsyncIterator[bytes]:
        """All chunks. A single reader needs no memory of them."""
        if not self.shared:
            async for chunk in self._opened():
                yield chunk
            return
        at = 0
        while True:
            while at < len(self._chunks):
                at += 1
                yield self._chunks[at - 1]
            if self._failure is not None:
                raise self._failure
            if self._whole:
                return
            await self._more()

    async def close(self) -> None:
        """Let go of the source."""
        import asyncio

        if self._making is not None and not self._making.done():
            self._making.cancel()
            await asyncio.wait((self._making,))
        if self._source is not None:
            await close(self._source)

    def _opened(self) -> AsyncIterator[bytes]:
        if self._source is None:
            self._source = self._begin()
        return self._source

    async def _more(self) -> None:
        """Wait for one more chunk; a reader that is cancelled leaves it to the others."""
        import asyncio

        if self._making is None or self._making.done():
            self._making = asyncio.ensure_future(self._make())
        await asyncio.wait((self._making,))

    async def _make(self) -> None:
        try:
            self._chunks.append(await anext(self._opened()))
        except StopAsyncIteration:
            self._whole = True
        except Exception as error:  # noqa: BLE001 - it is each reader's to handle
            self._failure = error
