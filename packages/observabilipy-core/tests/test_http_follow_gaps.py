"""GET /logs?follow=1 of a log that loses entries, or is replaced: what a client was not told it learns of."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import pytest

from observabilipy.http import Endpoints, Request, Response
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


async def followed(storage: MemoryStorage, query: str, *events: Event) -> Response:
    time = Time(events)
    endpoints = Endpoints(storage, auth="public", monotonic=time, sleep=time.sleep)
    return await endpoints.handle(Request("GET", "/logs", f"follow=1&{query}".encode()))


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


def both(*events: Event) -> Event:
    async def happen() -> None:
        for event in events:
            await event()

    return happen


@pytest.mark.parametrize("query", ["", "q=e", "after={0}", "after={0}&q=e"])
async def test_a_gap_ends_the_stream_before_anything_behind_it_and_the_next_answer_tells_it(query: str) -> None:
    storage = await store_of("one", "here")
    query = query.format(*await cursors(storage))
    cut: list[str] = []
    time = Time(
        [writes(storage, "there"), both(writes(storage, "gone", "kept"), lambda: storage.delete_oldest_logs(4))]
    )
    endpoints = Endpoints(storage, auth="public", monotonic=time, sleep=time.sleep, on_cut=cut.append)
    found = await lines(await endpoints.handle(Request("GET", "/logs", f"follow=1&{query}".encode())))
    last = json.loads([line for line in found if line][-1])["cursor"]

    again = await followed(storage, f"after={last}", writes(storage, "more"))

    assert (said(found)[-2:], cut, header(again, b"x-observabilipy-gap"), said(await lines(again))) == (
        ["here", "there"],
        ["gap"],
        "expired",
        ["kept", "more"],
    )


async def test_entries_that_came_and_went_end_the_stream() -> None:
    storage = await store_of("old")
    comes_and_goes = both(writes(storage, "gone"), lambda: storage.delete_oldest_logs(2))

    assert await messages(storage, "", comes_and_goes, writes(storage, "new")) == ["old"]


async def test_deleting_what_was_told_already_ends_nothing() -> None:
    storage = await store_of("old")
    deleted: list[Event] = [lambda: storage.delete_oldest_logs(1)]

    assert await messages(storage, "", *deleted, writes(storage, "new"), *deleted, writes(storage, "newer")) == [
        "old",
        "new",
        "newer",
    ]


class DeletingAtFirst(MemoryStorage):
    """Retention that strikes when a follower has just found its place."""

    deleted = False

    async def log_facts(self) -> LogFacts:
        facts = await super().log_facts()
        if not self.deleted:
            self.deleted = True
            await self.delete_oldest_logs(1)
        return facts


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("after=start", "1 2 new", id="nothing-was-promised"),
        pytest.param("after=another-7", "1 2 new", id="a-gap-was-told"),
        pytest.param("after={}-0", "", id="the-next-answer-tells-it"),
    ],
)
async def test_what_goes_before_the_first_look_is_missed_only_by_who_has_a_cursor(query: str, expected: str) -> None:
    storage = DeletingAtFirst()
    await writes(storage, *range(3))()
    generation = (await cursors(storage))[0].partition("-")[0]

    assert await messages(storage, query.format(generation), writes(storage, "new")) == expected.split()


@pytest.mark.parametrize(
    ("query", "gap"), [("after={0}", "expired"), ("after=another-7", "reset"), ("after={3}", None)]
)
async def test_a_cursor_that_fell_out_is_told_and_the_stream_begins_at_the_oldest(query: str, gap: str | None) -> None:
    storage = await store_of(*range(5))
    query = query.format(*await cursors(storage))
    await storage.delete_oldest_logs(3)

    response = await followed(storage, query, writes(storage, "new"))

    expected = ["4", "new"] if gap is None else ["3", "4", "new"]
    assert (header(response, b"x-observabilipy-gap"), said(await lines(response))) == (gap, expected)


async def test_a_store_that_begins_anew_ends_the_stream_and_the_next_answer_tells_it() -> None:
    stores = Successors(await store_of("old", "older"), await store_of("new", "newer", "newest"))
    found = await lines(await followed(stores, "", stores.succeed))
    last = json.loads(found[-1])["cursor"]

    again = await followed(stores, f"after={last}")

    assert (said(found), header(again, b"x-observabilipy-gap"), said(await lines(again))) == (
        ["old", "older"],
        "reset",
        ["new", "newer", "newest"],
    )


async def test_a_store_that_was_put_back_ends_the_stream_and_the_next_answer_tells_it() -> None:
    now, backup = await store_of("old", "older"), await store_of("old")
    backup._logs._table.generation = now._logs._table.generation
    stores = Successors(now, backup)
    found = await lines(await followed(stores, "", stores.succeed))
    last = json.loads(found[-1])["cursor"]

    again = await followed(stores, f"after={last}")

    assert (said(found), header(again, b"x-observabilipy-gap")) == (["old", "older"], "reset")


class Successors(MemoryStorage):
    """A store that is replaced by another one, as when somebody deletes the file."""

    def __init__(self, *stores: MemoryStorage) -> None:
        super().__init__()
        self.stores = list(stores)

    async def succeed(self) -> None:
        del self.stores[0]

    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        return self.stores[0].read_ndjson(query)

    async def log_facts(self) -> LogFacts:
        return await self.stores[0].log_facts()


class SucceedingBetweenReads(Successors):
    """One that is replaced just when a follower has seen that there is something new."""

    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        newest = super().read_ndjson(query)
        if query.order == "desc" and len(self.stores[0]._logs._table.rows()) == 3:
            del self.stores[0]
        return newest


@pytest.mark.parametrize("query", ["", "q=e"])
async def test_nothing_of_another_store_is_sent_as_if_it_came_next(query: str) -> None:
    first = await store_of("one", "here")
    stores = SucceedingBetweenReads(first, await store_of("another", "here", "there", "everywhere"))

    assert (await messages(stores, query, writes(first, "new")))[-1] == "here"
