"""Page: some entries, read whole before the answer begins, because its headers tell where the next page is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from observabilipy.http.limits import Limits
from observabilipy.http.scan import scan
from observabilipy.http.stream import close
from observabilipy.models import Clock, LogQuery
from observabilipy.ports import LogStoragePort

__all__ = ["Cut", "Page", "read_page", "turned"]

Cut: TypeAlias = Literal["bytes", "time"]
"""The limit at which a page ended before it had what was asked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of NDJSON in the order in which they were read.

    Args:
        chunks: some lines each.
        first: the cursor of the entry that was read first, None when there is none.
        last: that of the last one.
        ended: the store had no more of them.
        cut: why it ended early.
        at: if it did, the place that one had looked up to, which is part of it.
    """

    chunks: list[bytes]
    first: str | None = None
    last: str | None = None
    ended: bool = True
    cut: Cut | None = None
    at: str | None = None


async def read_page(storage: LogStoragePort, query: LogQuery, limits: Limits, clock: Clock) -> Page:
    """Read up to ``query.limit`` entries, unless they are too many bytes, or too hard to find."""
    chunks: list[bytes] = []
    first = last = None
    count = size = 0
    deadline = clock() + limits.page_seconds
    steps = scan(storage, query, clock=clock)
    try:
        async for page, at in steps:
            if page is not None:
                chunks.append(page.lines)
                first = first or page.first
                last = page.last
                count += page.count
                size += len(page.lines)
            if count != query.limit and (size >= limits.page_bytes or clock() >= deadline):
                cut: Cut = "bytes" if size >= limits.page_bytes else "time"
                return Page(chunks, first, last, ended=False, cut=cut, at=at)
    finally:
        await close(steps)
    return Page(chunks, first, last, ended=count != query.limit)


def turned(chunks: Iterable[bytes]) -> list[bytes]:
    """The same lines from the last to the first. JSON holds no line break of its own."""
    return [b"".join(chunk.splitlines(keepends=True)[::-1]) for chunk in chunks][::-1]
