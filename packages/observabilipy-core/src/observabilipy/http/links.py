"""Links: where a page is in the log, as the header ``Link`` (RFC 8288) and ``X-Observabilipy-Gap``."""

from urllib.parse import quote, urlencode

from observabilipy.http.message import Headers
from observabilipy.http.page import Page
from observabilipy.http.parameters import LogsParameters
from observabilipy.models import Cursor, Gap, LogQuery, parse_cursor, resume
from observabilipy.ports import LogStoragePort

__all__ = ["gap_of", "link", "links_down", "links_up"]


async def gap_of(storage: LogStoragePort, query: LogQuery) -> Gap | None:
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


def links_up(parameters: LogsParameters, page: Page, newest: str | None, gap: Gap | None) -> Headers:
    """The links of a page after a cursor, given the newest entry as it was before the page was read.

    Between two cursors there is no page before the first one, and none after the one that ends the range.
    """
    within = parameters.before is not None
    links = []
    if not (within and page.ended):
        cursors = {"after": page.at or page.last or _after_nothing(parameters, newest, gap)}
        if parameters.before is not None:
            cursors["before"] = parameters.before
        links.append(link(parameters, cursors, "next"))
    if page.first is not None and not within:
        links.append(link(parameters, {"before": page.first}, "prev"))
    return _header(links)


def links_down(parameters: LogsParameters, page: Page, newest: str | None, gap: Gap | None) -> Headers:
    """The links of a page before a cursor, or of the newest one, which was read from its newest entry down."""
    after = page.first or (_before_nothing if page.cut else _after_nothing)(parameters, newest, gap)
    links = [link(parameters, {"after": after}, "next")]
    earlier = page.at or page.last
    if earlier is not None:
        links.append(link(parameters, {"before": earlier}, "prev"))
    return _header(links)


def link(parameters: LogsParameters, cursors: dict[str, str], relation: str) -> bytes:
    """One link, relative to the answer's own address."""
    query = urlencode([*parameters.kept, *cursors.items()], quote_via=quote, safe="")
    return f'<?{query}>; rel="{relation}"'.encode()


def _header(links: list[bytes]) -> Headers:
    return ((b"link", b", ".join(links)),) if links else ()


def _after_nothing(parameters: LogsParameters, newest: str | None, gap: Gap | None) -> str:
    """Where to go on after a page without entries.

    Nothing up to the newest one matched, so nothing is missed, and the reader does not fall behind what is kept.
    """
    if parameters.before is not None:
        return "start"
    if newest is None and gap != "reset":
        return parameters.after or "start"
    return newest or "start"


def _before_nothing(parameters: LogsParameters, newest: str | None, gap: Gap | None) -> str:
    """The same when one has not looked at everything before the cursor: what comes later begins with its own entry."""
    if parameters.before is None or newest is None:
        return _after_nothing(parameters, newest, gap)
    before = parse_cursor(parameters.before)  # not the first place: one has looked at something before it
    if before.position > parse_cursor(newest).position:
        return newest
    return str(Cursor(before.generation, before.position - 1))
