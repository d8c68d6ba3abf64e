"""Streams: the chunks of a response on their way to the server, each counted, the last one ending the record."""

from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import cast

from django.http import FileResponse, StreamingHttpResponse

from observabilipy.requests import RecordedRequest

__all__ = ["record_stream"]


def record_stream(response: StreamingHttpResponse, request: RecordedRequest, route: str | None, *, files: bool) -> None:
    """Let the end of a response's stream end the record of its request. Nothing is read ahead.

    Args:
        response: what is on its way; its chunks stay what they are.
        request: the record.
        route: the template that matched.
        files: the server sends files by itself, so that nobody reads the stream of one.
    """
    ending = _Ending(request, route)
    if response.is_async:
        response.streaming_content = _AsyncChunks(cast("AsyncIterator[bytes]", response.streaming_content), ending)
        return
    file = response.file_to_stream if files and isinstance(response, FileResponse) else None
    response.streaming_content = _Chunks(cast("Iterator[bytes]", response.streaming_content), ending)
    if file is not None:
        ending.sent_by_server = _length(response)
        response.file_to_stream = file  # type: ignore[attr-defined] # of FileResponse; the setter above took it away


def _length(response: StreamingHttpResponse) -> int:
    declared = response.headers.get("Content-Length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


class _Ending:
    """How the record of a streamed answer ends."""

    begun = False
    sent_by_server: int | None = None

    def __init__(self, request: RecordedRequest, route: str | None) -> None:
        self.request = request
        self.route = route

    def whole(self) -> None:
        self.request.end(self.route)

    def broken(self, error: BaseException) -> None:
        """Reading the next chunk raised."""
        if isinstance(error, CancelledError | GeneratorExit):
            self.request.end(self.route, "aborted")
        else:
            self.request.failed(error)
            self.request.end(self.route, "error")

    def closed(self) -> None:
        """The response was closed: as the last thing of all, or before the stream came to its end."""
        request = self.request
        if request.ended:
            return
        whole = request.has_no_body  # so that nobody may have read it
        if self.sent_by_server is not None and not self.begun:
            request.response_bytes = self.sent_by_server
            whole = True
        request.enter()
        request.end(self.route, "complete" if whole else "aborted")
        request.leave()


class _Chunks:
    """Chunks that a thread reads. Django closes what they are made from."""

    def __init__(self, chunks: Iterator[bytes], ending: _Ending) -> None:
        self._chunks = chunks
        self._ending = ending
        self.close = ending.closed

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        ending = self._ending
        request = ending.request
        ending.begun = True
        request.enter()
        try:
            chunk = next(self._chunks)
        except StopIteration:
            ending.whole()
            raise
        except BaseException as error:
            ending.broken(error)
            raise
        finally:
            request.leave()
        request.response_bytes += len(chunk)
        return chunk


class _AsyncChunks:
    """Chunks that an event loop reads. Django calls ``close`` in a thread, also when it did not read to the end."""

    def __init__(self, chunks: AsyncIterator[bytes], ending: _Ending) -> None:
        self._chunks = chunks
        self._ending = ending
        self.close = ending.closed

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        ending = self._ending
        request = ending.request
        ending.begun = True
        try:
            while True:
                request.enter()
                try:
                    chunk = await anext(self._chunks)
                except StopAsyncIteration:
                    ending.whole()
                    return
                except BaseException as error:
                    ending.broken(error)
                    raise
                finally:
                    request.leave()
                request.response_bytes += len(chunk)
                yield chunk
        finally:
            ending.closed()
            if isinstance(self._chunks, AsyncGenerator):
                await self._chunks.aclose()
