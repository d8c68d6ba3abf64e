"""``GET /logs``: the log as lines or as an array; a page at a time, all of it, or what comes as it comes."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from observabilipy.encoding.ndjson import NDJSON_CONTENT_TYPE
from observabilipy.http.array import ARRAY_CONTENT_TYPE, array_of, array_stream
from observabilipy.http.follow import Follow, newest_cursor
from observabilipy.http.limits import HEAVY_LIMIT, Limits
from observabilipy.http.links import gap_of, link, links_down, links_up
from observabilipy.http.message import Headers, Request, Response
from observabilipy.http.page import read_page, turned
from observabilipy.http.parameters import LogsParameters, logs_parameters
from observabilipy.http.problems import Problem, Refused
from observabilipy.http.scan import Looked, scan
from observabilipy.http.slots import Slot, Slots
from observabilipy.http.stream import Pause, begun, close
from observabilipy.models import Clock, Gap, LogQuery
from observabilipy.ports import LogStoragePort

__all__ = ["Logs"]

_Body: TypeAlias = AsyncGenerator[bytes, None]

_INSTEAD = {
    "followers": "ask again in a few seconds, or follow the links from page to page",
    "heavy": "ask again in a few seconds, or for at most 1000 entries at once, without q and attr",
}

_UNBUFFERED = (b"x-accel-buffering", b"no")  # nginx else keeps headers and lines until its buffer is full


class Logs:
    """The log to readers, as much of it at once as the limits allow.

    Args:
        storage: what is read.
        limits: how much of this process readers may take.
        flushed: awaited before anything is read.
        on_error: told about a store that failed while a client was followed.
        on_cut: told why an answer ended early.
        on_refused: told why a reader was sent away.
        clock: seconds that never jump.
    """

    def __init__(
        self,
        storage: LogStoragePort,
        limits: Limits,
        *,
        flushed: Callable[[], Awaitable[None]],
        on_error: Callable[[Exception], None],
        on_cut: Callable[[str], None],
        on_refused: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._limits = limits
        self._flushed = flushed
        self._on_error = on_error
        self._on_cut = on_cut
        self._on_refused = on_refused
        self._clock = clock
        self._heavy = Slots(limits.heavy_queries)
        self._followers = Slots(limits.followers)

    async def response(self, request: Request, pause: Pause) -> Response:
        """Answer a reader of the log, with what was flushed when the parameters were understood.

        Which entries: without a cursor the newest ``limit`` that match; with ``after`` the next ones, also when
        ``before`` ends the range; with ``before`` alone the ones before. ``order`` only decides how they are printed.

        A page ends early at 8 MiB, or when it was looked for too long; ``X-Observabilipy-Partial`` says so, and the
        links go on from where it ended. ``rel="next"`` leads to what was committed later and is there as long as
        something may come; ``rel="prev"`` to what was committed earlier. With ``limit=all`` there are no links, because
        they stand before the body: what is not whole there breaks off.

        The format is a matter of ``format`` alone, so that an address gives the same to everybody who opens it.

        Raises:
            Refused: parameters that are not understood, or more readers than there may be.
            StorageUnavailable, UnsupportedQuery: what the store says.
        """
        parameters = logs_parameters(request.query)
        slot = self._slot(parameters)
        try:
            await self._flushed()
            if parameters.follow:
                return await self._follow(parameters, request, pause, slot)
            if parameters.limit is None:
                return await self._everything(parameters, request, slot)
            return await self._page(parameters, parameters.limit, request, slot)
        except BaseException:
            if slot is not None:
                slot.release()
            raise

    def _slot(self, parameters: LogsParameters) -> Slot | None:
        """A place among those who are answered at once, None for plain small pages, which are never refused."""
        if parameters.follow:
            return self._taken(self._followers, "followers", f"{self._limits.followers} clients follow already")
        filters = parameters.filters
        limit = parameters.limit
        if limit is None or limit > HEAVY_LIMIT or filters.text or filters.attributes:
            return self._taken(self._heavy, "heavy", f"{self._limits.heavy_queries} heavy queries are answered already")
        return None

    def _taken(self, slots: Slots, kind: str, full: str) -> Slot:
        slot = slots.take()
        if slot is None:
            self._on_refused(kind)
            raise Refused(
                Problem(
                    503,
                    f"{full}, and one process answers no more of them at once",
                    hint=_INSTEAD[kind],
                    headers=((b"retry-after", b"5"),),
                )
            )
        return slot

    async def _page(self, parameters: LogsParameters, limit: int, request: Request, slot: Slot | None) -> Response:
        newest = await newest_cursor(self._storage)
        if parameters.after == "now":
            parameters = replace(parameters, after=newest or "start")
        query = _query(parameters)
        upwards = parameters.after is not None
        read = replace(query, order="asc" if upwards else "desc", limit=limit)
        page = await read_page(self._storage, read, self._limits, self._clock)
        gap = await gap_of(self._storage, query)
        if page.cut is not None:
            self._on_cut(page.cut)
        chunks = page.chunks if upwards != parameters.newest_first else turned(page.chunks)
        if parameters.array:
            chunks = list(array_of(chunks))
        headers = (
            *_headers(parameters, gap, page.cut),
            (b"content-length", b"%d" % sum(map(len, chunks))),
            *(links_up if upwards else links_down)(parameters, page, newest, gap),
        )
        printed = _printed(chunks)
        return Response(200, headers, printed if slot is None else await self._begun(printed, slot, request))

    async def _begun(self, chunks: _Body, slot: Slot | None, request: Request) -> _Body:
        """A body that holds the slot until its end, and breaks off when the process ends."""
        return await begun(_holding(slot, chunks), chunks, request.peer, lambda: self._on_cut("stopped"))

    async def _everything(self, parameters: LogsParameters, request: Request, slot: Slot | None) -> Response:
        if parameters.after == "now":
            parameters = replace(parameters, after=await newest_cursor(self._storage) or "start")
        query = _query(parameters)
        steps = scan(
            self._storage, replace(query, order="desc" if parameters.newest_first else "asc"), clock=self._clock
        )
        lines = _lines(steps)
        body = await self._begun(array_stream(lines) if parameters.array else lines, slot, request)
        try:
            gap = await gap_of(self._storage, query)
        except BaseException:
            await body.aclose()
            raise
        return Response(200, _headers(parameters, gap), body)

    async def _follow(self, parameters: LogsParameters, request: Request, pause: Pause, slot: Slot | None) -> Response:
        follow = Follow(self._storage, parameters.filters, self._limits, self._clock)
        await follow.begin(parameters.after, parameters.limit)
        if follow.cut is not None:
            self._on_cut(follow.cut)
        # For a client that gets no line, and so no cursor of its own.
        kept = tuple(pair for pair in parameters.kept if pair[0] != "limit")
        onwards = link(replace(parameters, kept=kept), {"after": follow.place}, "next")
        body = await self._begun(follow.chunks(pause, self._on_error, self._on_cut), slot, request)
        headers = (*_headers(parameters, follow.gap, follow.cut), (b"link", onwards), _UNBUFFERED)
        return Response(200, headers, body, live=True)


def _query(parameters: LogsParameters) -> LogQuery:
    after = None if parameters.after == "start" else parameters.after
    return replace(parameters.filters, after=after, before=parameters.before)


def _headers(parameters: LogsParameters, gap: Gap | None, cut: str | None = None) -> Headers:
    content_type = ARRAY_CONTENT_TYPE if parameters.array else NDJSON_CONTENT_TYPE
    told = ((b"x-observabilipy-gap", gap), (b"x-observabilipy-partial", cut))
    return ((b"content-type", content_type.encode()), *((name, why.encode()) for name, why in told if why is not None))


async def _lines(steps: AsyncGenerator[Looked, None]) -> _Body:
    try:
        async for page, _ in steps:
            yield b"" if page is None else page.lines
    finally:
        await close(steps)


async def _holding(slot: Slot | None, chunks: _Body) -> _Body:
    """The same chunks; the slot is given back when they end, or are closed."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        if slot is not None:
            slot.release()
        await close(chunks)


async def _printed(chunks: list[bytes]) -> _Body:
    for chunk in chunks:
        yield chunk
