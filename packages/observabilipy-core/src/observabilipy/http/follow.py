"""Follow: one client that is told what is committed, by whichever worker, as it is committed.

Exact: no entry twice, none missed. Where entries fell out of the store before they could be read, or the store began
anew, the stream ends: with the last cursor it got the client asks again, and a header of that answer tells it.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Literal

from observabilipy import sigterm
from observabilipy.errors import StorageUnavailable
from observabilipy.http.limits import Limits
from observabilipy.http.page import Cut, read_page, turned
from observabilipy.http.scan import Span, scan
from observabilipy.http.stream import Pause, close
from observabilipy.models import Clock, Cursor, Gap, LogFacts, LogQuery, parse_cursor, resume
from observabilipy.ports import LogStoragePort, NdjsonPage
from observabilipy.storage.ndjson import ndjson_pages

__all__ = ["Follow", "newest_cursor"]

_ALIVE = b"\n"  # ndjson-spec 1.0, section 3.2: parsers may skip empty lines


async def newest_cursor(storage: LogStoragePort) -> str | None:
    """The cursor of the newest entry, whether it matches or not; None when there is none."""
    return await _end(storage, "desc")


async def _end(storage: LogStoragePort, order: Literal["asc", "desc"]) -> str | None:
    """The cursor at one end of the log. The facts of a log tell more, and are dearer."""
    pages = ndjson_pages(storage, LogQuery(order=order, limit=1))
    try:
        async for page in pages:
            return page.first
    finally:
        await close(pages)
    return None


class Follow:
    """What a client has been told, and what comes next.

    The place in the log is the next position to look at, not the last entry that matched: with a rare filter each look
    would begin there again.
    """

    def __init__(self, storage: LogStoragePort, filters: LogQuery, limits: Limits, clock: Clock) -> None:
        self.gap: Gap | None = None
        self.cut: Cut | None = None
        self._storage = storage
        self._filters = filters
        self._limits = limits
        self._clock = clock
        self._generation = ""
        self._position = 0
        self._promised = True  # nothing from the position on may be missing
        self._page: list[bytes] = []
        self._looked_into: str | None = None  # the newest entry for which the facts were asked
        self._over = False

    async def begin(self, after: str | None, limit: int | None) -> None:
        """Read what the client gets at once, and find the place from which everything is told."""
        facts = await self._storage.log_facts()
        self._generation = facts.generation
        self._position, self.gap = _place(after, facts)
        self._promised = self.gap is None and after != "start"
        if after is None:
            before = str(Cursor(self._generation, self._position))
            query = replace(self._filters, before=before, order="desc", limit=limit)
            page = await read_page(self._storage, query, self._limits, self._clock)
            self.cut = page.cut
            self._page = turned(page.chunks)

    @property
    def place(self) -> str:
        """What one can be followed after, to go on from here."""
        return str(Cursor(self._generation, self._position - 1)) if self._position else "start"

    async def chunks(
        self, pause: Pause, on_error: Callable[[Exception], None], on_cut: Callable[[str], None]
    ) -> AsyncGenerator[bytes, None]:
        """Lines, some at once; an empty line when there were none for a while, and when there is nothing to begin with.

        An empty chunk follows each pause. The end is an orderly one: the time is up, the process ends, entries are
        gone that nobody was told, or the store cannot be read.
        """
        clock = self._clock
        end = clock() + self._limits.follow_seconds
        spoke = float("-inf")
        while self._page:
            yield self._page.pop(0)
            spoke = clock()
        while not self._ends(end):
            news = self._news()
            try:
                async for lines in news:
                    if lines or clock() - spoke < self._limits.keep_alive_seconds:
                        yield lines
                        spoke = clock() if lines else spoke
                    else:
                        yield _ALIVE
                        spoke = clock()
                    if self._ends(end):
                        return
            except StorageUnavailable as error:
                if spoke == float("-inf"):
                    raise  # nothing was sent: there still can be another answer
                on_error(error)
                return
            finally:
                await close(news)
            if self._over:
                on_cut("gap")
                return
            if clock() - spoke >= self._limits.keep_alive_seconds:
                yield _ALIVE
                spoke = clock()
            await pause(self._limits.poll_seconds)
            yield b""

    def _ends(self, end: float) -> bool:
        return self._clock() >= end or sigterm.stopping()

    async def _news(self) -> AsyncGenerator[bytes, None]:
        """What was committed since the last look; an empty chunk where nothing of much matched."""
        newest = await newest_cursor(self._storage)
        end = 0 if newest is None else self._position_of(newest) + 1
        if end <= self._position:
            if end < self._position and newest != self._looked_into:
                self._looked_into = newest
                self._over = self._is_gone(await self._storage.log_facts())
            return
        query = replace(self._filters, after=self.place if self._position else None)
        steps = scan(self._storage, query, Span(self._generation, self._position, end), self._clock)
        try:
            async for page, at in steps:
                if not await self._moved(self._position_of(at) + 1, page):
                    return
                yield b"" if page is None else page.lines
        finally:
            await close(steps)
        if self._position < end:
            await self._moved(end, None)

    def _position_of(self, cursor: str) -> int:
        """-1 in another generation of the store."""
        place = parse_cursor(cursor)
        return place.position if place.generation == self._generation else -1

    def _is_gone(self, facts: LogFacts) -> bool:
        """Whether the store began anew, or entries came and went that nobody was told."""
        return (
            facts.generation != self._generation
            or facts.upcoming < self._position
            or (self._promised and facts.oldest > self._position)
        )

    async def _moved(self, position: int, page: NdjsonPage | None) -> bool:
        """Go on to this position, unless entries before it may have gone before this page was read.

        To be asked before the page is sent: with a cursor from it the client would not learn of the gap.
        """
        gapless = page is not None and page.count == position - self._position  # mostly, and nothing more is read
        if not (gapless or await self._is_still_there()):
            self._over = True
            return False
        self._position = position
        self._promised = True
        return True

    async def _is_still_there(self) -> bool:
        oldest = await _end(self._storage, "asc")
        if oldest is None:
            return not self._promised
        position = self._position_of(oldest)
        return position >= 0 and (position <= self._position or not self._promised)


def _place(after: str | None, facts: LogFacts) -> tuple[int, Gap | None]:
    """The first position that a client is to be told of."""
    if after is None or after == "now":
        return facts.upcoming, None
    if after == "start":
        return facts.oldest, None
    return resume(parse_cursor(after), generation=facts.generation, oldest=facts.oldest, upcoming=facts.upcoming)
