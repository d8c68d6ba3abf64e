"""GET /metrics: formats, names, gzip."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from observabilipy.http import Endpoints, Request, Response
from observabilipy.http.stream import gzipped
from observabilipy.models import Family, HistogramValue, MetricKind, counter, gauge, histogram
from observabilipy.storage.memory import MemoryStorage

VARY = (b"vary", b"Accept, Accept-Encoding")
OPENMETRICS = (b"accept", b"application/openmetrics-text")


async def shop() -> MemoryStorage:
    storage = MemoryStorage()
    await storage.register(
        [
            Family("orders_total", MetricKind.COUNTER, "Orders placed."),
            Family("latency_seconds", MetricKind.HISTOGRAM, "Latency.", "seconds", bounds=(0.5,)),
            Family("queue", MetricKind.GAUGE, "Waiting orders."),
        ]
    )
    await storage.write_samples(
        [
            counter("orders_total", 3, labels={"tier": "gold"}),
            histogram("latency_seconds", HistogramValue.of((0.5,), [0.25, 1])),
            gauge("queue", 7),
        ]
    )
    return storage


async def get(storage: MemoryStorage, query: bytes = b"", *headers: tuple[bytes, bytes]) -> Response:
    return await Endpoints(storage, auth="public").handle(Request("GET", "/metrics", query, headers))


async def body(response: Response) -> bytes:
    return b"".join([chunk async for chunk in response.body])


LATENCY = b"""\
# HELP latency_seconds Latency.
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.5"} 1
latency_seconds_bucket{le="+Inf"} 2
latency_seconds_count 2
latency_seconds_sum 1.25
"""
ORDERS = b"""\
# HELP orders_total Orders placed.
# TYPE orders_total counter
orders_total{tier="gold"} 3
"""
QUEUE = b"""\
# HELP queue Waiting orders.
# TYPE queue gauge
queue 7
"""


async def test_a_scrape_gets_prometheus_text() -> None:
    response = await get(await shop())

    assert (response.status, response.headers[:2], await body(response)) == (
        200,
        ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"), VARY),
        LATENCY + ORDERS + QUEUE,
    )


async def test_a_scraper_that_prefers_openmetrics_gets_it() -> None:
    response = await get(await shop(), b"name[]=orders", OPENMETRICS)

    assert (response.headers[:2], await body(response)) == (
        ((b"content-type", b"application/openmetrics-text; version=1.0.0; charset=utf-8"), VARY),
        b'# HELP orders Orders placed.\n# TYPE orders counter\norders_total{tier="gold"} 3\n# EOF\n',
    )


@pytest.mark.parametrize(("headers", "expected"), [((), b""), ((OPENMETRICS,), b"# EOF\n")])
async def test_a_store_without_metrics_gives_an_empty_exposition(
    headers: tuple[tuple[bytes, bytes], ...], expected: bytes
) -> None:
    assert await body(await get(MemoryStorage(), b"", *headers)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(b"name[]=orders_total", ORDERS, id="family"),
        pytest.param(b"name[]=orders", ORDERS, id="counter-without-total"),
        pytest.param(b"name%5B%5D=queue", QUEUE, id="encoded"),
        pytest.param(b"name[]=queue&name[]=orders_total", ORDERS + QUEUE, id="several"),
        pytest.param(b"name[]=latency_seconds", LATENCY, id="histogram"),
        pytest.param(b"name[]=latency_seconds_bucket", LATENCY, id="its-buckets"),
        pytest.param(b"name[]=latency_seconds_count", LATENCY, id="its-count"),
        pytest.param(b"name[]=latency_seconds_sum", LATENCY, id="its-sum"),
        pytest.param(b"name[]=queue_total", b"", id="gauge-with-total"),
        pytest.param(b"name[]=queue_count", b"", id="gauge-with-count"),
        pytest.param(b"name[]=nothing", b"", id="unknown"),
        pytest.param(b"name[]=", b"", id="empty"),
        pytest.param(b"name[]=%00%C3%A9+", b"", id="no-metric-name"),
        pytest.param(b"name[]=queue&name[]=%00", QUEUE, id="one-of-them-no-metric-name"),
        pytest.param(b"colour=red&limit=x&%FF=%FF", LATENCY + ORDERS + QUEUE, id="unknown-parameters"),
    ],
)
async def test_name_asks_for_families_and_everything_else_is_ignored(query: bytes, expected: bytes) -> None:
    assert await body(await get(await shop(), query)) == expected


async def test_a_name_that_is_not_utf_8_is_a_400() -> None:
    assert (await get(await shop(), b"name[]=%FF")).status == 400


async def test_gzip_is_used_when_accepted() -> None:
    response = await get(await shop(), b"", (b"accept-encoding", b"gzip"))

    assert (response.headers[1:3], gzip.decompress(await body(response))) == (
        (VARY, (b"content-encoding", b"gzip")),
        LATENCY + ORDERS + QUEUE,
    )


async def test_gzip_is_not_used_when_forbidden() -> None:
    response = await get(await shop(), b"", (b"accept-encoding", b"gzip;q=0, *"))

    assert await body(response) == LATENCY + ORDERS + QUEUE


async def test_a_large_exposition_survives_gzip() -> None:
    storage = MemoryStorage()
    await storage.write_samples(
        [counter(f"c{name}_total", labels={"n": str(n)}) for name in range(50) for n in range(200)]
    )
    plain = await body(await get(storage))

    assert gzip.decompress(await body(await get(storage, b"", (b"accept-encoding", b"gzip")))) == plain


async def test_other_tasks_get_a_turn_after_each_piece_that_is_compressed() -> None:
    turns = 0

    async def other_task() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 640 * 1024

    other = asyncio.create_task(other_task())
    compressed = b"".join([piece async for piece in gzipped(pieces())])
    other.cancel()

    assert (len(gzip.decompress(compressed)), turns) == (640 * 1024, 10)


async def test_a_family_that_clashes_is_left_out_and_told() -> None:
    storage = MemoryStorage()
    await storage.write_samples([gauge("x", 1), counter("x_total", 1)])
    clashes: list[str] = []

    endpoints = Endpoints(storage, auth="public", on_clash=clashes.append)
    await body(await endpoints.handle(Request("GET", "/metrics", headers=(OPENMETRICS,))))

    assert len(clashes) == 1


@pytest.mark.parametrize("created", [False, True])
async def test_when_a_series_began_is_told_in_openmetrics_to_those_who_want_it(created: bool) -> None:
    endpoints = Endpoints(await shop(), auth="public", created=created)
    requests = [Request("GET", "/metrics", headers=headers) for headers in ((OPENMETRICS,), ())]
    bodies = [await body(await endpoints.handle(request)) for request in requests]

    assert [b"orders_created{" in text and b"latency_seconds_created " in text for text in bodies] == [created, False]
