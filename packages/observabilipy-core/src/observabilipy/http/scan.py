"""Scan: reading what matches a query, in steps that tell how far one has looked.

A filter may match nothing for millions of entries. So that a reader can stop in between, and go on from there, the
store is asked about one stretch of positions after the other.
"""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import NamedTuple

from observabilipy.http.stream import close
from observabilipy.models import Clock, Cursor, LogFacts, LogQuery, parse_cursor, resume
from observabilipy.ports import LogStoragePort, NdjsonPage
from observabilipy.storage.ndjson import ndjson_pages

__all__ = ["Looked", "Span", "scan", "span_of"]

_FIRST_STRETCH = 20_000  # positions; SQLite looks at so many in about 50 ms
_STRETCH_SECONDS = 0.5  # what a stretch should take: stopping is as fine as that
_FACTOR = 4  # by which the next stretch is longer or shorter at most: parts of a log differ


@dataclass(frozen=True, slots=True)
class Span:
    """Positions from ``low`` up to, not including, ``high``."""

    generation: str
    low: int
    high: int


class Looked(NamedTuple):
    """A step: what matched, if anything did, and the place that one has looked up to, which is part of it."""

    page: NdjsonPage | None
    at: str


def span_of(query: LogQuery, facts: LogFacts) -> Span:
    """What the cursors of a query leave of a log."""
    low, high = facts.oldest, facts.upcoming
    if query.after is not None:
        after = parse_cursor(query.after)
        low, _ = resume(after, generation=facts.generation, oldest=facts.oldest, upcoming=facts.upcoming)
    if query.before is not None:
        before = parse_cursor(query.before)
        high = min(high, before.position) if before.generation == facts.generation else low
    return Span(facts.generation, low, high)


async def scan(
    storage: LogStoragePort, query: LogQuery, span: Span | None = None, clock: Clock = time.monotonic
) -> AsyncGenerator[Looked, None]:
    """What matches, in the query's order, and where one is in between.

    Where every entry matches each step has a page. Else there is a step without one after each stretch but the last.

    Args:
        storage: what is read.
        query: cursors are for a plain query, without filters; else ``span`` has their place.
        span: what to look at; what ``span_of`` says if left out.
        clock: seconds that never jump.
    """
    if query.plain:
        pages = ndjson_pages(storage, query)
        try:
            async for page in pages:
                yield Looked(page, page.last)
        finally:
            await close(pages)
        return
    if span is None:
        span = span_of(query, await storage.log_facts())
    down = query.order == "desc"
    left = query.limit
    length = _FIRST_STRETCH
    while span.low < span.high and left != 0:
        stretch, span = _cut(span, length, down)
        spent = 0.0
        pages = ndjson_pages(storage, _within(query, stretch, left))
        try:
            while True:
                began = clock()  # the time of the store alone: readers take theirs
                page_ = await anext(pages, None)
                spent += clock() - began
                if page_ is None:
                    break
                left = None if left is None else left - page_.count
                yield Looked(page_, page_.last)
        finally:
            await close(pages)
        length = _next_length(length, spent)
        if span.low < span.high and left != 0:
            yield Looked(None, str(Cursor(span.generation, stretch.low if down else stretch.high - 1)))


def _cut(span: Span, length: int, down: bool) -> tuple[Span, Span]:
    """The next stretch, and the rest."""
    if down:
        middle = max(span.low, span.high - length)
        return replace(span, low=middle), replace(span, high=middle)
    middle = min(span.high, span.low + length)
    return replace(span, high=middle), replace(span, low=middle)


def _within(query: LogQuery, stretch: Span, limit: int | None) -> LogQuery:
    after = Cursor(stretch.generation, stretch.low - 1) if stretch.low > 0 else None
    before = Cursor(stretch.generation, stretch.high)
    return replace(query, after=None if after is None else str(after), before=str(before), limit=limit)


def _next_length(length: int, spent: float) -> int:
    wanted = length * _STRETCH_SECONDS / spent if spent > 0 else length * _FACTOR
    return int(max(1_000, length / _FACTOR, min(wanted, length * _FACTOR)))
