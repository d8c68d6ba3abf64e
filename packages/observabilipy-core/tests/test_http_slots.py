"""GET /logs for many at once: how many heavy queries and followers a process serves, and when a place is free."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from observabilipy import Observability
from observabilipy.errors import StorageUnavailable
from observabilipy.http import Endpoints, Limits, Request, Response
from observabilipy.models import LogEntry, LogQuery
from observabilipy.ports import NdjsonPage
from observabilipy.storage.memory import MemoryStorage

LIGHT = ["", "limit=1000", "level=error", "min_level=error", "since=5", "q=", "after=start", "order=desc&format=json"]
HEAVY = ["limit=all", "limit=1001", "q=x", "attr.a=1", "q=x&limit=1"]


class Log(MemoryStorage):
    """A few long entries, and a way to let reads fail or wait."""

    error: Exception | None = None
    waits = False

    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(query):
            if self.waits and query.limit != 1:
                await asyncio.Event().wait()
            yield page
            if self.error is not None and query.limit != 1:
                raise self.error


@pytest.fixture
async def log() -> Log:
    storage = Log()
    await storage.write_logs([LogEntry.info("x" * 70_000) for _ in range(5)])
    return storage


def endpoints_of(storage: MemoryStorage, refused: list[str] | None = None, **limits: int) -> Endpoints:
    on_refused = None if refused is None else refused.append
    return Endpoints(storage, auth="public", limits=Limits(**limits), on_refused=on_refused)


async def ask(endpoints: Endpoints, query: str, method: str = "GET") -> Response:
    return await endpoints.handle(Request(method, "/logs", query.encode()))


async def is_free(endpoints: Endpoints, query: str) -> bool:
    response = await ask(endpoints, query)
    await response.body.aclose()
    return response.status == 200


OTHERS_FIRST = "and one process answers no more of them at once"
MANY_DOWNLOADS = (
    f"4 heavy queries are answered already, {OTHERS_FIRST}",
    "ask again in a few seconds, or for at most 1000 entries at once, without q and attr",
)
MANY_FOLLOWERS = (
    f"8 clients follow already, {OTHERS_FIRST}",
    "ask again in a few seconds, or follow the links from page to page",
)


@pytest.mark.parametrize(
    ("query", "most", "kind", "problem"),
    [("limit=all", 4, "heavy", MANY_DOWNLOADS), ("follow=1", 8, "followers", MANY_FOLLOWERS)],
)
async def test_one_more_than_there_may_be_is_a_503_that_says_why(
    log: Log, query: str, most: int, kind: str, problem: tuple[str, str]
) -> None:
    refused: list[str] = []
    endpoints = endpoints_of(log, refused)
    served = [await ask(endpoints, query) for _ in range(most)]

    response = await ask(endpoints, query)
    document = json.loads(b"".join([chunk async for chunk in response.body]))
    for one in served:
        await one.body.aclose()

    detail, hint = problem
    assert ([one.status for one in served], response.status, response.headers[2], document, refused) == (
        [200] * most,
        503,
        (b"retry-after", b"5"),
        {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": detail, "hint": hint},
        [kind],
    )


@pytest.mark.parametrize(("query", "status"), [*((query, 200) for query in LIGHT), *((query, 503) for query in HEAVY)])
@pytest.mark.parametrize("other", ["limit=all", "q=x"])
async def test_plain_small_pages_are_never_refused_and_heavy_ones_are(
    log: Log, other: str, query: str, status: int
) -> None:
    endpoints = endpoints_of(log, heavy_queries=1)
    not_taken_yet = await ask(endpoints, other)

    response = await ask(endpoints, query)
    for one in (not_taken_yet, response):
        await one.body.aclose()

    assert response.status == status


async def test_heavy_queries_and_followers_take_nothing_from_each_other(log: Log) -> None:
    endpoints = endpoints_of(log, heavy_queries=1, followers=1)
    served = [await ask(endpoints, query) for query in ("limit=all", "follow=1&q=x")]
    for one in served:
        await one.body.aclose()

    assert [one.status for one in served] == [200, 200]


@pytest.mark.parametrize("query", [*HEAVY, "follow=1", "follow=1&after=start&q=x"])
@pytest.mark.parametrize("chunks", [0, 1])
async def test_a_place_is_free_when_a_body_is_closed(log: Log, query: str, chunks: int) -> None:
    endpoints = endpoints_of(log, heavy_queries=1, followers=1)
    for _ in range(3):
        response = await ask(endpoints, query)
        for _ in range(chunks):
            await anext(response.body, b"")
        await response.body.aclose()

    assert await is_free(endpoints, query)


@pytest.mark.parametrize("query", [*HEAVY, "follow=1"])
async def test_head_takes_no_place(log: Log, query: str) -> None:
    endpoints = endpoints_of(log, heavy_queries=1, followers=1)
    for _ in range(3):
        await ask(endpoints, query, "HEAD")

    assert await is_free(endpoints, query)


@pytest.mark.parametrize("query", HEAVY)
async def test_a_place_is_free_when_a_body_was_read(log: Log, query: str) -> None:
    endpoints = endpoints_of(log, heavy_queries=1)
    _ = [chunk async for chunk in (await ask(endpoints, query)).body]

    assert await is_free(endpoints, query)


@pytest.mark.parametrize("query", [*HEAVY, "follow=1&after=start", "follow=1"])
async def test_a_place_is_free_when_the_store_fails(log: Log, query: str) -> None:
    endpoints = endpoints_of(log, heavy_queries=1, followers=1)
    log.error = StorageUnavailable("locked")
    with suppress(StorageUnavailable):
        _ = [chunk async for chunk in (await ask(endpoints, query)).body]
    log.error = None

    assert await is_free(endpoints, query)


@pytest.mark.parametrize("query", [*HEAVY[:-1], "follow=1", "follow=1&after=start"])
async def test_a_place_is_free_when_the_client_leaves_before_the_answer(log: Log, query: str) -> None:
    endpoints = endpoints_of(log, heavy_queries=1, followers=1)
    log.waits = True
    asking = asyncio.create_task(ask(endpoints, query))
    await asyncio.sleep(0.01)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    log.waits = False

    assert await is_free(endpoints, query)


@pytest.mark.parametrize("query", ["limit=all", "follow=1"])
async def test_a_place_is_free_when_nobody_holds_the_body_any_more(log: Log, query: str) -> None:
    endpoints = endpoints_of(log, heavy_queries=1, followers=1)
    response = await ask(endpoints, query)
    del response
    gc.collect()
    await asyncio.sleep(0.01)  # the event loop closes what nobody holds

    assert await is_free(endpoints, query)


@pytest.mark.parametrize("query", [*HEAVY, "follow=1"])
def test_in_a_thread_a_place_is_free_when_the_body_is_closed(query: str) -> None:
    storage = MemoryStorage()
    asyncio.run(storage.write_logs([LogEntry.info("x" * 70_000) for _ in range(5)]))
    endpoints = endpoints_of(storage, heavy_queries=1, followers=1)
    statuses = []
    for chunks in (0, 1, 0):
        response = endpoints.handle_sync(Request("GET", "/logs", query.encode()))
        for _ in range(chunks):
            next(response.body, b"")
        response.body.close()
        statuses.append(response.status)

    assert statuses == [200, 200, 200]


@pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning")  # PEP 3333 has such a body closed
@pytest.mark.filterwarnings("ignore:coroutine method 'aclose':RuntimeWarning")
def test_in_a_thread_a_place_is_free_when_nobody_holds_the_body_any_more() -> None:
    endpoints = endpoints_of(MemoryStorage(), followers=1)
    statuses = []
    for _ in range(3):
        response = endpoints.handle_sync(Request("GET", "/logs", b"follow=1"))
        statuses.append(response.status)
        del response
        gc.collect()

    assert statuses == [200, 200, 200]


async def test_what_was_refused_and_cut_is_among_the_metrics() -> None:
    async with Observability(auth="public", handle_sigterm=False) as obs:
        await obs.storage.write_logs([LogEntry.info("x" * 2**20) for _ in range(12)])
        await ask(obs.endpoints, "")
        served = [await ask(obs.endpoints, "limit=all") for _ in range(6)]
        for one in served:
            await one.body.aclose()
        metrics = await obs.endpoints.handle(Request("GET", "/metrics"))
        text = b"".join([chunk async for chunk in metrics.body]).decode()

    assert sorted(line for line in text.splitlines() if line.startswith("observabilipy_queries")) == [
        'observabilipy_queries_cut_total{reason="bytes"} 1',
        'observabilipy_queries_refused_total{reason="heavy"} 2',
    ]
