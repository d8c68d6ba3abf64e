"""GET /logs?follow=1: what is there, then what comes, each entry once."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import pytest

from observabilipy.errors import StorageUnavailable, UnsupportedQuery
from observabilipy.http import Endpoints, Limits, Request, Response
from observabilipy.models import LogEntry, LogFacts, LogQuery
from observabilipy.ports import NdjsonPage
from observabilipy.storage.memory import MemoryStorage

Event = Callable[[], Awaitable[object]]


class Time:
    """Passes only while a follower waits; then one event after the other happens."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.now = 0.0
        self.events = iter(events)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        event = next(self.events, None)
        if event is not None:
            await event()


def writes(storage: MemoryStorage, *messages: object) -> Event:
    return lambda: storage.write_logs([LogEntry(1_763_826_000, "INFO", str(message)) for message in messages])


async def store_of(*messages: object) -> MemoryStorage:
    storage = MemoryStorage(max_entries=None)
    await writes(storage, *messages)()
    return storage


async def followed(storage: MemoryStorage, query: str, *events: Event, method: str = "GET") -> Response:
    time = Time(events)
    endpoints = Endpoints(storage, auth="public", monotonic=time, sleep=time.sleep)
    return await endpoints.handle(Request(method, "/logs", f"follow=1&{query}".encode()))


async def lines(response: Response) -> list[bytes]:
    return b"".join([chunk async for chunk in response.body]).splitlines()


def said(found: Iterable[bytes]) -> list[str]:
    return [json.loads(line)["message"] for line in found if line]


async def messages(storage: MemoryStorage, query: str, *events: Event) -> list[str]:
    return said(await lines(await followed(storage, query, *events)))


def header(response: Response, name: bytes) -> str | None:
    return next((value.decode() for key, value in response.headers if key == name), None)


async def cursors(storage: MemoryStorage) -> list[str]:
    return [entry.cursor or "" async for entry in storage.read_logs(LogQuery())]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", "0 1 2 3 new newer", id="the-newest"),
        pytest.param("limit=2", "2 3 new newer", id="the-newest-two"),
        pytest.param("limit=2&order=asc", "2 3 new newer", id="in-the-only-order"),
        pytest.param("after=start", "0 1 2 3 new newer", id="from-the-start"),
        pytest.param("after={1}", "2 3 new newer", id="after-a-cursor"),
        pytest.param("after=now", "new newer", id="from-now"),
        pytest.param("q=NEW", "new newer", id="a-filter"),
        pytest.param("q=newer&after=start", "newer", id="a-filter-from-the-start"),
        pytest.param("since=2026-01-01T00:00:00Z", "", id="a-moment-that-has-not-come"),
        pytest.param("min_level=error&after=now", "", id="a-level-that-does-not-come"),
    ],
)
async def test_a_follower_gets_what_the_query_says_and_then_what_comes(query: str, expected: str) -> None:
    storage = await store_of(*range(4))
    query = query.format(*await cursors(storage))

    assert await messages(storage, query, writes(storage, "new"), writes(storage, "newer")) == expected.split()


async def test_everything_after_a_cursor_is_more_than_a_page() -> None:
    storage = await store_of(*range(25_000))

    found = await messages(storage, "after=start", writes(storage, "new"))

    assert found == [*map(str, range(25_000)), "new"]


async def test_the_answer_is_live_and_has_no_length() -> None:
    storage = await store_of(1)
    (cursor,) = await cursors(storage)

    response = await followed(storage, "limit=5&q=x")
    await response.body.aclose()

    assert (response.status, response.live, response.headers[:-4]) == (
        200,
        True,
        (
            (b"content-type", b"application/x-ndjson"),
            (b"link", f'<?follow=1&q=x&after={cursor}>; rel="next"'.encode()),
            (b"x-accel-buffering", b"no"),
        ),
    )


async def test_a_follower_that_gets_no_line_goes_on_by_the_link() -> None:
    storage = await store_of("old")
    first = await followed(storage, "after=now")
    nothing = said(await lines(first))
    await writes(storage, "between")()
    (again,) = re.findall(r"<\?follow=1&([^>]*)>", header(first, b"link") or "")

    assert (nothing, await messages(storage, again, writes(storage, "new"))) == ([], ["between", "new"])


async def test_a_follower_of_an_empty_log_is_told_its_first_entry() -> None:
    storage = MemoryStorage()

    assert await messages(storage, "", writes(storage, "first"), writes(storage, "second")) == ["first", "second"]


async def test_a_stream_ends_after_25_seconds_with_an_empty_line_at_once_and_every_5_seconds() -> None:
    assert await lines(await followed(MemoryStorage(), "")) == [b""] * 5


async def test_lines_are_as_good_as_empty_ones() -> None:
    storage = await store_of("old")

    found = await lines(await followed(storage, "", *[writes(storage, "new")] * 99))

    assert b"" not in found


async def test_empty_lines_come_while_a_long_log_is_looked_through() -> None:
    storage = await store_of(*range(50_000))
    time = Time()

    def slow() -> float:
        time.now += 1
        return time.now

    endpoints = Endpoints(storage, auth="public", monotonic=slow, sleep=time.sleep)
    response = await endpoints.handle(Request("GET", "/logs", b"follow=1&after=start&q=nothing"))

    assert set(await lines(response)) == {b""}


class Watched(MemoryStorage):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str | None, str | None, str, int | None]] = []

    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        self.asked.append((query.after, query.before, query.order, query.limit))
        return super().read_ndjson(query)

    async def log_facts(self) -> LogFacts:
        self.asked.append(("facts", None, "", None))
        return await super().log_facts()


LOOK = (None, None, "desc", 1)


async def test_a_look_at_a_log_that_did_not_grow_reads_one_entry() -> None:
    storage = Watched()
    await writes(storage, "old")()
    response = await followed(storage, "after=now")
    storage.asked.clear()
    await lines(response)

    assert storage.asked == [LOOK] * 99


async def test_with_a_filter_a_look_begins_behind_the_newest_entry() -> None:
    storage = Watched()
    response = await followed(
        storage, "q=match&after=start", writes(storage, "match"), writes(storage, 1, 2, 3), writes(storage, 4)
    )
    await lines(response)
    generation = (await storage.log_facts()).generation

    stretches = [asked[:2] for asked in storage.asked if asked[1] is not None]

    assert stretches == [
        (f"{generation}-0", f"{generation}-2"),
        (f"{generation}-1", f"{generation}-5"),
        (f"{generation}-4", f"{generation}-6"),
    ]


async def test_without_a_filter_a_gapless_log_is_asked_for_nothing_else() -> None:
    storage = Watched()
    response = await followed(storage, "after=start", writes(storage, 1, 2), writes(storage, 3))
    await lines(response)
    generation = (await storage.log_facts()).generation

    assert [asked for asked in storage.asked[1:-1] if asked != LOOK] == [
        (f"{generation}-{position}", None, "asc", None) for position in (0, 2)
    ]


class Unreachable(MemoryStorage):
    """A store that cannot be read from some moment on."""

    error: Exception | None = None

    async def fail(self) -> None:
        self.error = StorageUnavailable("locked")

    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        if self.error is not None:
            raise self.error
        return super().read_ndjson(query)


async def test_a_store_that_fails_meanwhile_ends_the_stream_in_good_order_and_is_reported() -> None:
    storage = Unreachable()
    await writes(storage, "old")()
    reported: list[Exception] = []
    time = Time([writes(storage, "new"), storage.fail])
    endpoints = Endpoints(storage, auth="public", monotonic=time, sleep=time.sleep, on_error=reported.append)

    response = await endpoints.handle(Request("GET", "/logs", b"follow=1"))

    assert (said(await lines(response)), reported) == (["old", "new"], [storage.error])


@pytest.mark.parametrize(
    ("error", "status"), [(StorageUnavailable("locked"), 503), (UnsupportedQuery("no text search"), 400)]
)
@pytest.mark.parametrize("query", ["q=x", "q=x&after=start"])
async def test_a_store_that_fails_at_once_is_another_answer(error: Exception, status: int, query: str) -> None:
    storage = Unreachable()
    await writes(storage, "old")()
    storage.error = error

    assert (await followed(storage, query)).status == status


async def test_follow_0_is_a_page() -> None:
    response = await Endpoints(await store_of(1), auth="public").handle(Request("GET", "/logs", b"follow=0"))

    assert (response.live, said(await lines(response))) == (False, ["1"])


async def test_after_now_is_an_empty_page_whose_next_one_is_what_comes() -> None:
    storage = await store_of(1, 2)
    endpoints = Endpoints(storage, auth="public")
    now = await endpoints.handle(Request("GET", "/logs", b"after=now"))
    await writes(storage, 3)()
    (query,) = re.findall(r'<\?([^>]*)>; rel="next"', header(now, b"link") or "")

    assert (await lines(now), said(await lines(await endpoints.handle(Request("GET", "/logs", query.encode()))))) == (
        [],
        ["3"],
    )


def test_a_thread_is_told_what_comes_too() -> None:
    storage = MemoryStorage()
    moments = iter(range(10**6))
    limits = Limits(follow_seconds=20, poll_seconds=0.001, keep_alive_seconds=1)
    endpoints = Endpoints(storage, auth="public", limits=limits, monotonic=lambda: float(next(moments)))
    response = endpoints.handle_sync(Request("GET", "/logs", b"follow=1"))
    first = next(response.body)
    asyncio.run(storage.write_logs([LogEntry.info("new")]))

    assert (response.live, first, said(b"".join(response.body).splitlines())) == (True, b"\n", ["new"])
