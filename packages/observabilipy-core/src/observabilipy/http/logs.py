"""``GET /logs``: the log as NDJSON, a page at a time or all of it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from observabilipy.encoding.ndjson import NDJSON_CONTENT_TYPE, encode_entry, encode_logs
from observabilipy.http.hangup import Client
from observabilipy.http.message import Headers, Request, Response
from observabilipy.http.parameters import LogsParameters, logs_parameters
from observabilipy.http.stream import begun, close
from observabilipy.models import Gap, LogQuery, parse_cursor, resume
from observabilipy.ports import LogStoragePort

__all__ = ["logs_response"]

_PAGE_BYTES = 8 * 2**20
_TURN = 256  # entries, about a millisecond of encoding


async def logs_response(storage: LogStoragePort, request: Request, flushed: Callable[[], Awaitable[None]]) -> Response:
    """Answer a reader of the log, with what was flushed when the parameters were understood.

    Which entries: without a cursor the newest ``limit`` that match; with ``after`` the next ones, also when ``before``
    ends the range; with ``before`` alone the ones before. ``order`` only decides how they are printed. A page ends
    early at 8 MiB; the links go on from what it holds.

    ``rel="next"`` leads to what was committed later and is there as long as something may come; ``rel="prev"`` to what
    was committed earlier. With ``limit=all`` there are no links, because they stand before the body.

    Raises:
        Refused: parameters that are not understood.
        StorageUnavailable, UnsupportedQuery: what the store says.
    """
    parameters = logs_parameters(request.query)
    await flushed()
    query = replace(
        parameters.filters,
        after=None if parameters.after == "start" else parameters.after,
        before=parameters.before,
    )
    if parameters.limit is None:
        return await _everything(storage, query, parameters.newest_first, request.peer)
    return await _one_page(storage, query, parameters, parameters.limit)


async def _everything(storage: LogStoragePort, query: LogQuery, newest_first: bool, client: Client | None) -> Response:
    entries = storage.read_logs(replace(query, order="desc" if newest_first else "asc"))
    body = await begun(encode_logs(entries), entries, client)
    try:
        gap = await _gap(storage, query)
    except BaseException:
        await body.aclose()
        raise
    return Response(200, _headers(gap), body)


async def _one_page(storage: LogStoragePort, query: LogQuery, parameters: LogsParameters, limit: int) -> Response:
    newest = await _newest(storage)
    upwards = parameters.after is not None
    page = await _read(storage, replace(query, order="asc" if upwards else "desc", limit=limit))
    gap = await _gap(storage, query)
    lines = page.lines if upwards != parameters.newest_first else page.lines[::-1]
    length = b"%d" % sum(map(len, lines))
    links = _links(parameters, page if upwards else page.turned(), newest, gap)
    return Response(200, (*_headers(gap), (b"content-length", length), *links), _printed(lines))


def _headers(gap: Gap | None) -> Headers:
    content_type = (b"content-type", NDJSON_CONTENT_TYPE.encode())
    return (content_type,) if gap is None else (content_type, (b"x-observabilipy-gap", gap.encode()))


async def _gap(storage: LogStoragePort, query: LogQuery) -> Gap | None:
    """Whether a cursor fell out of the store. Ask after the read: entries may be deleted until it has begun."""
    cursors = [parse_cursor(cursor) for cursor in (query.after, query.before) if cursor is not None]
    if not cursors:
        return None
    facts = await storage.log_facts()
    for cursor in cursors:
        _, gap = resume(cursor, generation=facts.generation, oldest=facts.oldest, upcoming=facts.upcoming)
        if gap is not None:
            return gap
    return None


async def _newest(storage: LogStoragePort) -> str | None:
    """The cursor of the newest entry, whether it matches or not; None when there is none."""
    page = await _read(storage, LogQuery(order="desc", limit=1))
    return page.first


@dataclass(frozen=True, slots=True)
class _Page:
    """Encoded entries in the order in which they were read; ``ended`` when the store had no more of them."""

    lines: list[bytes]
    first: str | None
    last: str | None
    ended: bool

    def turned(self) -> "_Page":
        """The same page in the other order."""
        return _Page(self.lines[::-1], self.last, self.first, self.ended)


async def _read(storage: LogStoragePort, query: LogQuery) -> _Page:
    from asyncio import sleep

    lines: list[bytes] = []
    first = last = None
    size = 0
    entries = storage.read_logs(query)
    try:
        async for entry in entries:
            lines.append(encode_entry(entry))
            last = entry.cursor
            first = last if first is None else first
            size += len(lines[-1])
            if size >= _PAGE_BYTES:
                return _Page(lines, first, last, ended=False)
            if len(lines) % _TURN == 0:
                await sleep(0)
    finally:
        await close(entries)
    return _Page(lines, first, last, ended=len(lines) != query.limit)


async def _printed(lines: list[bytes]) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(lines), _TURN):
        yield b"".join(lines[start : start + _TURN])


def _links(parameters: LogsParameters, page: _Page, newest: str | None, gap: Gap | None) -> Headers:
    """The Link header (RFC 8288) of a page that begins with its oldest entry, relative to the answer's own address.

    Between two cursors there is no page before the first one, and none after the one that ends the range.
    """
    within = parameters.after is not None and parameters.before is not None
    links = []
    if not (within and page.ended):
        bound = {"before": parameters.before or ""} if within else {}
        links.append(
            _link(parameters, {"after": page.last or _after_nothing(parameters, newest, gap), **bound}, "next")
        )
    if page.first is not None and not within:
        links.append(_link(parameters, {"before": page.first}, "prev"))
    return ((b"link", b", ".join(links)),) if links else ()


def _after_nothing(parameters: LogsParameters, newest: str | None, gap: Gap | None) -> str:
    """Where to go on after an empty page, given the newest entry as it was before the page was read.

    Nothing up to there matched, so nothing is missed, and the reader does not fall behind what is kept.
    """
    if parameters.before is not None:
        return "start"
    if newest is None and gap != "reset":
        return parameters.after or "start"
    return newest or "start"


def _link(parameters: LogsParameters, cursors: dict[str, str], relation: str) -> bytes:
    query = urlencode([*parameters.kept, *cursors.items()], quote_via=quote, safe="")
    return f'<?{query}>; rel="{relation}"'.encode()
