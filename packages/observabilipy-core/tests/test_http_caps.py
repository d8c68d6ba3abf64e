"""GET /logs where a query asks for much: what a page may cost, and how it goes on."""

import asyncio
import json
import re
from itertools import pairwise

import pytest

from observabilipy.errors import ConfigurationError
from observabilipy.http import Endpoints, Limits, Request, Response
from observabilipy.models import LogEntry, LogQuery
from observabilipy.storage.memory import MemoryStorage

HAY = 50_000
NEEDLES = {"needle low": 10, "needle middle": 30_000, "needle high": HAY - 5}


class Slow:
    """Each look at the clock takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(scope="module")
def haystack() -> MemoryStorage:
    """A log that takes several seconds of that clock to look through, with holes."""
    return asyncio.run(stacked())


async def stacked() -> MemoryStorage:
    storage = MemoryStorage(max_entries=None)
    needles = {position: message for message, position in NEEDLES.items()}
    entries = [LogEntry(0, "DEBUG", needles.get(number, "hay")) for number in range(HAY)]
    for start in range(0, HAY, 1_000):
        await storage.write_logs([LogEntry(0, "AUDIT", "gone")] * 500)
        await storage.write_logs(entries[start : start + 1_000])
    await storage.delete_oldest_logs(HAY, "AUDIT")
    return storage


async def get(
    storage: MemoryStorage, query: str, limits: Limits | None = None, cut: list[str] | None = None
) -> Response:
    endpoints = Endpoints(
        storage,
        auth="public",
        limits=limits or Limits(page_seconds=10),
        monotonic=Slow(),
        on_cut=None if cut is None else cut.append,
    )
    return await endpoints.handle(Request("GET", "/logs", query.encode()))


async def messages(response: Response) -> list[str]:
    return [json.loads(line)["message"] for line in b"".join([chunk async for chunk in response.body]).splitlines()]


def header(response: Response, name: bytes) -> str | None:
    return next((value.decode() for key, value in response.headers if key == name), None)


def links(response: Response) -> dict[str, str]:
    return {name: query for query, name in re.findall(r'<\?([^>]*)>; rel="(\w+)"', header(response, b"link") or "")}


async def entry_before(storage: MemoryStorage, message: str) -> str:
    """The cursor of the entry before the one with this message."""
    found = [entry async for entry in storage.read_logs(LogQuery())]
    return next(one.cursor for one, other in pairwise(found) if other.message == message) or ""


async def test_a_page_that_ends_at_its_bytes_says_so_and_counts() -> None:
    storage = MemoryStorage()
    await storage.write_logs([LogEntry(0, "INFO", f"{number}{'x' * 2**20}") for number in range(12)])
    cut: list[str] = []
    first = await get(storage, "after=start", cut=cut)
    second = await get(storage, links(first)["next"], cut=cut)

    assert ([header(page, b"x-observabilipy-partial") for page in (first, second)], cut) == (["bytes", None], ["bytes"])


@pytest.mark.parametrize("query", ["limit=5", "limit=10000", "limit=3&after=start", "limit=all"])
async def test_what_has_all_that_was_asked_for_is_not_partial(query: str) -> None:
    storage = MemoryStorage()
    await storage.write_logs([LogEntry.info(str(number)) for number in range(5)])

    assert header(await get(storage, query), b"x-observabilipy-partial") is None


async def test_a_page_with_the_last_entry_that_was_asked_for_is_not_partial_however_large() -> None:
    storage = MemoryStorage()
    await storage.write_logs([LogEntry.info("x" * 100) for _ in range(5)])

    page = await get(storage, "limit=3&after=start", Limits(page_bytes=1, page_seconds=0.1))

    assert (len(await messages(page)), header(page, b"x-observabilipy-partial")) == (3, None)


@pytest.mark.parametrize(
    ("query", "relation", "expected"),
    [
        pytest.param("q=needle&after=start", "next", list(NEEDLES), id="up"),
        pytest.param("q=NEEDLE&after=start&order=desc", "next", list(NEEDLES), id="up-printed-downwards"),
        pytest.param("q=needle&after=start&limit=1", "next", list(NEEDLES), id="up-one-by-one"),
        pytest.param("q=needle", "prev", list(NEEDLES)[::-1], id="down"),
        pytest.param("q=needle&limit=1&order=desc", "prev", list(NEEDLES)[::-1], id="down-one-by-one"),
        pytest.param("level=error&after=start", "next", [], id="up-without-any"),
        pytest.param("level=error", "prev", [], id="down-without-any"),
        pytest.param("q=needle&after=start&before={}", "next", ["needle low", "needle middle"], id="a-range"),
        pytest.param("q=needle&before={}", "prev", ["needle middle", "needle low"], id="before"),
    ],
)
async def test_pages_that_end_for_time_lead_to_everything_once(
    haystack: MemoryStorage, query: str, relation: str, expected: list[str]
) -> None:
    query = query.format(await entry_before(haystack, "needle high"))
    found: list[str] = []
    cut: list[str] = []
    partial: list[str | None] = []
    while query and len(partial) < 50:
        response = await get(haystack, query, cut=cut)
        found += await messages(response)
        partial.append(header(response, b"x-observabilipy-partial"))
        query = links(response).get(relation, "") if partial[-1] or found[-1:] not in ([], expected[-1:]) else ""

    assert (found, partial[-1], len(cut), set(cut)) == (expected, None, len(partial) - partial.count(None), {"time"})


async def test_after_an_empty_page_that_ended_for_time_next_leads_to_what_comes_later(haystack: MemoryStorage) -> None:
    before = await entry_before(haystack, "needle high")

    page = await get(haystack, f"q=needle&before={before}", Limits(page_seconds=0.5))
    later = await get(haystack, links(page)["next"], Limits(page_seconds=1_000))

    assert (header(page, b"x-observabilipy-partial"), await messages(page), await messages(later)) == (
        "time",
        [],
        ["needle high"],
    )


@pytest.mark.parametrize("place", ["0", "1", "999999999"])
async def test_a_page_before_a_strange_place_has_links_that_work(haystack: MemoryStorage, place: str) -> None:
    generation = (await haystack.log_facts()).generation

    page = await get(haystack, f"q=nothing&before={generation}-{place}", Limits(page_seconds=0.5))

    onwards = [await get(haystack, query) for query in links(page).values()]
    assert {(one.status, header(one, b"x-observabilipy-gap")) for one in onwards} == {(200, None)}


async def test_the_newest_page_that_ended_for_time_leads_on_to_what_comes(haystack: MemoryStorage) -> None:
    page = await get(haystack, "q=needle&level=error", Limits(page_seconds=0.5))
    newest = [entry.cursor async for entry in haystack.read_logs(LogQuery(order="desc", limit=1))]

    assert links(page)["next"] == f"q=needle&level=error&after={newest[0]}"


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_everything_is_looked_through_however_long_it_takes(haystack: MemoryStorage, order: str) -> None:
    response = await get(haystack, f"limit=all&q=needle&order={order}")

    assert sorted(await messages(response)) == sorted(NEEDLES)


async def test_an_empty_chunk_tells_that_somebody_still_looks(haystack: MemoryStorage) -> None:
    response = await get(haystack, "limit=all&level=error")

    assert {chunk async for chunk in response.body} == {b""}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"page_bytes": 0}, "page_bytes must be a whole number of 1 or more, got 0: the default is 8388608"),
        ({"followers": 1.5}, "followers must be a whole number of 1 or more, got 1.5: the default is 8"),
        ({"page_seconds": -1}, "page_seconds must be a positive number of seconds, got -1: the default is 5.0"),
        ({"follow_seconds": float("nan")}, "follow_seconds must be a positive number of seconds, got nan"),
        ({"poll_seconds": True}, "poll_seconds must be a positive number of seconds, got True"),
    ],
)
def test_a_limit_is_positive(limits: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}"):
        Limits(**limits)  # type: ignore[arg-type] # on purpose
