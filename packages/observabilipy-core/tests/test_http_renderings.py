"""Scrapes at the same time: who shares a rendering, and that nobody is shown less than somebody was before."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from observabilipy.errors import StorageUnavailable
from observabilipy.http import Endpoints, Request
from observabilipy.models import Family, counter
from observabilipy.storage import MemoryStorage


class Gate:
    """A storage whose totals wait behind a gate, and that counts how often they were read."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self.opened = asyncio.Event()
        self.reads = 0
        self.failure: Exception | None = None
        self._passes = 0

    def let_pass(self, reads: int) -> None:
        self._passes = reads

    def __getattr__(self, name: str) -> object:
        return getattr(self._storage, name)

    async def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        self.reads += 1
        families = [family async for family in self._storage.totals(names)]  # the snapshot comes before the gate
        while not self.opened.is_set() and not self._passes:
            await asyncio.sleep(0)
        self._passes = max(0, self._passes - 1)
        if self.failure is not None:
            raise self.failure
        for family in families:
            yield family


async def scrape(endpoints: Endpoints, query: bytes = b"", *headers: tuple[bytes, bytes]) -> bytes:
    response = await endpoints.handle(Request("GET", "/metrics", query, headers))
    return b"".join([chunk async for chunk in response.body])


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def gate() -> Gate:
    storage = MemoryStorage()
    await storage.write_samples([counter("a_total", 1)])
    return Gate(storage)


@pytest.fixture
def endpoints(gate: Gate) -> Endpoints:
    return Endpoints(gate, auth="public")  # type: ignore[arg-type] # what it lacks comes by __getattr__


async def test_those_who_come_meanwhile_share_the_next_rendering(gate: Gate, endpoints: Endpoints) -> None:
    first = asyncio.create_task(scrape(endpoints))
    await settled()
    await gate._storage.write_samples([counter("a_total", 1)])
    others = [asyncio.create_task(scrape(endpoints)) for _ in range(5)]
    await settled()
    gate.opened.set()
    bodies = await asyncio.gather(first, *others)

    assert (gate.reads, [body.splitlines()[-1] for body in bodies]) == (2, [b"a_total 1"] + [b"a_total 2"] * 5)


async def test_other_names_formats_and_codings_are_other_renderings(gate: Gate, endpoints: Endpoints) -> None:
    gate.opened.set()
    first = asyncio.create_task(scrape(endpoints))
    other = [scrape(endpoints, b"name[]=a"), scrape(endpoints, b"", (b"accept-encoding", b"gzip"))]
    bodies = await asyncio.gather(first, *other, scrape(endpoints, b"", (b"accept", b"application/openmetrics-text")))

    assert (gate.reads, len(set(bodies))) == (4, 3)  # the names that are asked for are all there are


async def test_a_client_that_does_not_read_holds_nobody_up_for_long(gate: Gate, endpoints: Endpoints) -> None:
    gate.opened.set()
    stalled = await endpoints.handle(Request("GET", "/metrics", b"", ()))
    await anext(stalled.body)

    assert b"a_total 1" in await scrape(endpoints)
    await stalled.body.aclose()


async def test_a_reader_that_goes_away_takes_nothing_from_the_others(gate: Gate, endpoints: Endpoints) -> None:
    first = asyncio.create_task(scrape(endpoints))
    await settled()
    others = [asyncio.create_task(scrape(endpoints)) for _ in range(3)]
    await settled()
    others[0].cancel()  # who would have begun the next rendering
    await settled()
    gate.opened.set()
    bodies = await asyncio.gather(first, *others, return_exceptions=True)

    assert isinstance(bodies[1], asyncio.CancelledError)
    assert [body for body in bodies if body != bodies[1]] == [bodies[0]] * 3


async def test_a_reader_that_goes_away_while_a_chunk_is_made_takes_nothing_either(
    gate: Gate, endpoints: Endpoints
) -> None:
    first = asyncio.create_task(scrape(endpoints))
    await settled()
    others = [asyncio.create_task(scrape(endpoints)) for _ in range(3)]
    await settled()
    gate.let_pass(1)
    expected = await first
    await settled()
    others[0].cancel()  # who waits at the gate
    await settled()
    gate.opened.set()
    bodies = await asyncio.gather(*others, return_exceptions=True)

    assert (gate.reads, [body for body in bodies if isinstance(body, bytes)]) == (2, [expected] * 2)


async def test_a_failure_is_everybodys_answer_and_then_over(gate: Gate, endpoints: Endpoints) -> None:
    gate.failure = StorageUnavailable("gone")
    tasks = [endpoints.handle(Request("GET", "/metrics", b"", ())) for _ in range(3)]
    answers = asyncio.gather(*tasks)
    await settled()
    gate.opened.set()
    statuses = [answer.status for answer in await answers]
    gate.failure = None

    assert (statuses, (await endpoints.handle(Request("GET", "/metrics", b"", ()))).status) == ([503] * 3, 200)


async def test_nothing_is_kept_when_all_are_answered(gate: Gate, endpoints: Endpoints) -> None:
    gate.opened.set()
    await asyncio.gather(*[scrape(endpoints) for _ in range(5)])

    assert (endpoints._renderings._next, endpoints._renderings._last) == ({}, {})
