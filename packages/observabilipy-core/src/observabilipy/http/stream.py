"""Streams: bodies that have begun before the answer is sent, that can be closed, and that let others take turns."""

import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeAlias

from observabilipy import sigterm
from observabilipy.http.hangup import Client, until_taken

__all__ = ["Pause", "Stopped", "asleep", "begun", "close", "gzipped"]

Pause: TypeAlias = Callable[[float], Awaitable[object]]
"""Waits for so many seconds, or has whoever reads the body wait."""

_PIECE_BYTES = 65_536
_GZIP_WINDOW = 31  # the largest window, with a gzip header
_LEVEL = 1  # measured on expositions: 14 % more bytes than level 9 for a fifth of the time or less

_GRACE_SECONDS = 1.0
"""For answers under way when the process is told to end; longer ones would hold up servers that wait for them."""


class Stopped(Exception):
    """The process ends, and this answer with it, before it is whole."""


async def asleep(seconds: float) -> None:
    """Let other tasks run for so many seconds."""
    from asyncio import sleep

    await sleep(seconds)


async def close(iterator: AsyncIterator[object]) -> None:
    """Let go of what an iterator holds, if it is one that can be closed."""
    aclose = getattr(iterator, "aclose", None)
    if aclose is not None:
        await aclose()


async def begun(
    chunks: AsyncIterator[bytes],
    source: AsyncIterator[object],
    client: Client | None,
    on_stop: Callable[[], object] | None = None,
) -> AsyncGenerator[bytes, None]:
    """The same chunks as a body whose first chunk is there already.

    A store that cannot be read fails here, while there still can be another answer. Closing the body closes the chunks
    and then the source that they are made from. Other tasks get a turn after each chunk. When the process ends, so does
    the body, after ``on_stop`` was called, and a client that did not take it is hung up on.
    """
    body = _chunks(chunks, source, client, on_stop)
    await anext(body)
    return body


async def _chunks(
    chunks: AsyncIterator[bytes],
    source: AsyncIterator[object],
    client: Client | None,
    on_stop: Callable[[], object] | None,
) -> AsyncGenerator[bytes, None]:
    from asyncio import sleep

    began = time.monotonic()
    try:
        with until_taken(client):
            first = await anext(chunks, b"")
            yield b""  # for begun(): a generator that never ran would not run its finally either
            if first:
                yield first
            async for chunk in chunks:
                await sleep(0)
                if sigterm.stopping(_GRACE_SECONDS) and time.monotonic() - began > _GRACE_SECONDS:
                    if on_stop is not None:
                        on_stop()
                    raise Stopped("the process ends, and the answer is not whole: ask again from where it broke off")
                yield chunk
    finally:
        try:
            await close(chunks)
        finally:
            await close(source)


async def gzipped(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Compress for gzip, in pieces of at most 64 KiB (about a millisecond), with a turn for other tasks after each."""
    from asyncio import sleep

    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    async for chunk in chunks:
        for start in range(0, len(chunk), _PIECE_BYTES):
            if piece := compressor.compress(chunk[start : start + _PIECE_BYTES]):
                yield piece
            await sleep(0)
    yield compressor.flush()
