"""The same entries as one JSON array, for clients that cannot read NDJSON."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

from observabilipy.http.stream import close

__all__ = ["ARRAY_CONTENT_TYPE", "array_of", "array_stream"]

ARRAY_CONTENT_TYPE = "application/json"


class _Array:
    """Each line stays a line; a comma stands before it, a bracket before the first."""

    _before = b"["

    def with_lines(self, lines: bytes) -> bytes:
        piece = self._before + lines[:-1].replace(b"\n", b"\n,") + b"\n"
        self._before = b","
        return piece

    def end(self) -> bytes:
        return b"[]\n" if self._before == b"[" else b"]\n"


def array_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks of lines of NDJSON as an array."""
    array = _Array()
    for lines in chunks:
        yield array.with_lines(lines)
    yield array.end()


async def array_stream(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same while the chunks come; empty ones stay."""
    array = _Array()
    try:
        async for lines in chunks:
            yield array.with_lines(lines) if lines else b""
        yield array.end()
    finally:
        await close(chunks)
