"""GET /logs?format=json: the same entries as one array."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from observabilipy.http import Endpoints, Request, Response
from observabilipy.models import LogEntry, LogQuery
from observabilipy.ports import NdjsonPage
from observabilipy.storage.memory import MemoryStorage

ENTRIES = [LogEntry(number, "INFO", f"line {number}\nand {'x' * number}", {"n": [number]}) for number in range(2_000)]


async def store_of(count: int) -> MemoryStorage:
    storage = MemoryStorage()
    await storage.write_logs(ENTRIES[:count])
    return storage


async def get(storage: MemoryStorage, query: str, *headers: tuple[bytes, bytes]) -> Response:
    return await Endpoints(storage, auth="public").handle(Request("GET", "/logs", query.encode(), headers))


async def body(response: Response) -> bytes:
    return b"".join([chunk async for chunk in response.body])


@pytest.mark.parametrize("count", [0, 1, 2, 2_000])
@pytest.mark.parametrize("query", ["limit=10000", "limit=10000&order=desc", "limit=all", "limit=all&order=desc"])
async def test_an_array_holds_what_the_lines_hold(query: str, count: int) -> None:
    storage = await store_of(count)

    lines = await body(await get(storage, query))

    array = await body(await get(storage, f"{query}&format=json"))
    assert json.loads(array) == [json.loads(line) for line in lines.splitlines()]


async def test_each_entry_stays_a_line() -> None:
    storage = await store_of(2)
    first, second = (await body(await get(storage, "limit=all"))).splitlines()

    assert await body(await get(storage, "format=json")) == b"[%b\n,%b\n]\n" % (first, second)


async def test_an_array_of_nothing_is_an_array() -> None:
    assert await body(await get(await store_of(0), "format=json&limit=all")) == b"[]\n"


@pytest.mark.parametrize("limit", ["limit=5", "limit=all"])
async def test_an_array_is_json(limit: str) -> None:
    response = await get(await store_of(3), f"format=json&{limit}")

    assert response.headers[0] == (b"content-type", b"application/json")


async def test_the_length_of_a_page_is_that_of_the_array() -> None:
    response = await get(await store_of(700), "format=json")
    headers = dict(response.headers)

    assert headers[b"content-length"] == str(len(await body(response))).encode()


async def test_the_links_lead_to_arrays() -> None:
    response = await get(await store_of(3), "format=json&limit=2")

    assert dict(response.headers)[b"link"].count(b"<?format=json&limit=2&") == 2


@pytest.mark.parametrize("query", ["", "format=ndjson"])
async def test_what_a_client_accepts_does_not_change_the_format(query: str) -> None:
    response = await get(await store_of(1), query, (b"accept", b"application/json"))

    assert response.headers[0] == (b"content-type", b"application/x-ndjson")


class Breaking(MemoryStorage):
    """A store that cannot be read to its end."""

    async def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        async for page in super().read_ndjson(query):
            yield page
        raise RuntimeError("gone")


async def test_an_array_that_is_not_whole_is_not_closed() -> None:
    storage = Breaking()
    await storage.write_logs(ENTRIES[:3])
    received = b""
    stream = (await get(storage, "limit=all&format=json")).body
    with suppress(RuntimeError):
        async for chunk in stream:
            received += chunk

    assert (received[:1], received.strip()[-1:]) == (b"[", b"}")
