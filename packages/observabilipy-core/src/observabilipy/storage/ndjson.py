"""Pages of NDJSON from any log storage: its own where it gives such, else made here from its entries."""

from collections.abc import AsyncIterator, Iterator

from observabilipy.encoding.ndjson import encode_entry
from observabilipy.models import LogQuery
from observabilipy.ports import LogStoragePort, NdjsonPage, NdjsonPort

__all__ = ["PAGE_BYTES", "ndjson_pages", "pages_of"]

PAGE_BYTES = 65_536
"""A page ends at the latest with the line that reaches so many bytes."""

_TURN = 64  # entries; with the few microseconds that each takes, other tasks wait for half a millisecond
_CURSOR = len(b'{"cursor":"')  # where it begins in a line that encode_stored made


def ndjson_pages(storage: LogStoragePort, query: LogQuery) -> AsyncIterator[NdjsonPage]:
    """What ``NdjsonPort.read_ndjson`` promises, for any storage. To be closed by who does not read it to its end."""
    if isinstance(storage, NdjsonPort):
        return storage.read_ndjson(query)
    return _encoded(storage, query)


def pages_of(lines: bytes) -> Iterator[NdjsonPage]:
    """Cut lines of stored entries, as ``encode_stored`` made them, into pages; none of no lines."""
    start = 0
    while start < len(lines):
        end = lines.find(b"\n", start + PAGE_BYTES - 1) + 1 or len(lines)
        last = lines.rfind(b"\n", start, end - 1) + 1 or start
        page = lines[start:end]
        # count() looks at each byte, 40 us a page; replace() looks for the next line feed, 7 us.
        count = len(page) - len(page.replace(b"\n", b""))
        yield NdjsonPage(page, count, _cursor_at(lines, start), _cursor_at(lines, last))
        start = end


def _cursor_at(lines: bytes, start: int) -> str:
    begin = start + _CURSOR
    return lines[begin : lines.index(b'"', begin)].decode()


async def _encoded(storage: LogStoragePort, query: LogQuery) -> AsyncIterator[NdjsonPage]:
    from asyncio import sleep

    lines = bytearray()  # no list: orjson's bytes hold on to many times their length
    entries = storage.read_logs(query)
    turn = 0
    try:
        async for entry in entries:
            lines += encode_entry(entry)
            if len(lines) >= PAGE_BYTES:
                for page in pages_of(bytes(lines)):
                    yield page
                lines.clear()
            turn += 1
            if turn % _TURN == 0:
                await sleep(0)
        for page in pages_of(bytes(lines)):
            yield page
    finally:
        close = getattr(entries, "aclose", None)
        if close is not None:
            await close()
