"""GET /logs: pages, links between them, gaps, and the whole log in constant memory."""

import json
import re
import tracemalloc
from collections.abc import AsyncIterator, Iterable

import pytest

from observabilipy.http import Endpoints, Request, Response
from observabilipy.models import LogEntry, LogQuery
from observabilipy.storage.memory import MemoryStorage


async def store_of(messages: Iterable[object]) -> MemoryStorage:
    storage = MemoryStorage()
    await storage.write_logs([LogEntry(1_763_826_000, "INFO", str(message)) for message in messages])
    return storage


async def get(storage: MemoryStorage, query: str = "") -> Response:
    return await Endpoints(storage, auth="public").handle(Request("GET", "/logs", query.encode()))


async def body(response: Response) -> bytes:
    return b"".join([chunk async for chunk in response.body])


async def messages(response: Response) -> list[str]:
    return [json.loads(line)["message"] for line in (await body(response)).splitlines()]


def header(response: Response, name: bytes) -> str | None:
    return next((value.decode() for key, value in response.headers if key == name), None)


def links(response: Response) -> dict[str, str]:
    """Query strings by relation."""
    return {
        relation: query for query, relation in re.findall(r'<\?([^>]*)>; rel="(\w+)"', header(response, b"link") or "")
    }


async def cursors(storage: MemoryStorage) -> list[str]:
    return [entry.cursor or "" async for entry in storage.read_logs(LogQuery())]


async def follow(storage: MemoryStorage, query: str, relation: str, pages: int) -> list[list[str]]:
    """The messages of so many pages, each found by the link on the one before."""
    found = []
    for _ in range(pages):
        response = await get(storage, query)
        found.append(await messages(response))
        query = links(response).get(relation, "after=start&limit=wrong")
    return found


async def test_a_line_holds_the_whole_entry() -> None:
    storage = MemoryStorage()
    await storage.write_logs([LogEntry(1_763_826_000.123456, "error", "disk full", {"device": "sda", "free": 0})])
    (cursor,) = await cursors(storage)

    response = await get(storage)

    assert (
        await body(response)
        == (
            f'{{"cursor":"{cursor}","timestamp":1763826000.123456,"level":"ERROR","message":"disk full",'
            '"attributes":{"device":"sda","free":0}}\n'
        ).encode()
    )


async def test_the_answer_is_ndjson_that_is_not_kept() -> None:
    response = await get(await store_of([]))

    assert (response.status, response.headers[:2], response.headers[3:]) == (
        200,
        ((b"content-type", b"application/x-ndjson"), (b"content-length", b"0")),
        (
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ),
    )


async def test_the_length_of_a_page_is_announced() -> None:
    response = await get(await store_of(range(700)))

    assert header(response, b"content-length") == str(len(await body(response)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", "0 1 2 3 4 5 6 7 8 9", id="all-fit"),
        pytest.param("limit=3", "7 8 9", id="newest-printed-oldest-first"),
        pytest.param("limit=3&order=desc", "9 8 7", id="newest-first"),
        pytest.param("limit=3&after=start", "0 1 2", id="from-the-oldest"),
        pytest.param("limit=3&after={2}", "3 4 5", id="after"),
        pytest.param("limit=3&after={2}&order=desc", "5 4 3", id="after-printed-newest-first"),
        pytest.param("limit=3&before={7}", "4 5 6", id="before"),
        pytest.param("limit=3&before={7}&order=desc", "6 5 4", id="before-printed-newest-first"),
        pytest.param("limit=3&after={2}&before={7}", "3 4 5", id="range"),
        pytest.param("limit=9&after={2}&before={7}", "3 4 5 6", id="whole-range"),
        pytest.param("limit=9&after={7}&before={2}", "", id="inverted-range"),
        pytest.param("limit=all", "0 1 2 3 4 5 6 7 8 9", id="everything"),
        pytest.param("limit=all&order=desc", "9 8 7 6 5 4 3 2 1 0", id="everything-newest-first"),
        pytest.param("limit=all&after={2}&before={7}", "3 4 5 6", id="everything-in-a-range"),
        pytest.param("limit=all&after={6}&order=desc", "9 8 7", id="everything-after-newest-first"),
    ],
)
async def test_cursors_choose_the_page_and_order_prints_it(query: str, expected: str) -> None:
    storage = await store_of(range(10))

    response = await get(storage, query.format(*await cursors(storage)))

    assert await messages(response) == expected.split()


async def test_a_page_has_a_thousand_entries_unless_said_otherwise() -> None:
    response = await get(await store_of(range(1001)))

    assert await messages(response) == [str(number) for number in range(1, 1001)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("since=100", "second third"),
        ("until=100", "first"),
        ("since=1970-01-01T00:01:40Z&until=200", "second"),
        ("level=error", "second"),
        ("level=debug,audit", "first third"),
        ("level=debug&level=ERROR", "first second"),
        ("level=never", ""),
        ("min_level=info", "second third"),
        ("q=IR", "first third"),
        ("q=", "first second third"),
        ("attr.n=2", "second"),
        ("attr.ok=true", "first"),
        ("attr.missing=", ""),
        ("since=100&q=i", "third"),
        ("until=100&limit=all", "first"),
    ],
)
async def test_filters_choose_the_entries(query: str, expected: str) -> None:
    storage = MemoryStorage()
    await storage.write_logs(
        [
            LogEntry(0, "DEBUG", "first", {"n": 1, "ok": True}),
            LogEntry(100, "ERROR", "second", {"n": 2}),
            LogEntry(200, "audit", "third", {"n": "3"}),
        ]
    )

    assert await messages(await get(storage, query)) == expected.split()


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_next_links_from_the_start_give_every_entry_once(order: str) -> None:
    storage = await store_of(range(10))

    pages = await follow(storage, f"after=start&limit=4&order={order}", "next", 4)

    assert [sorted(page) for page in pages] == [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9"], []]


async def test_prev_links_from_the_newest_page_give_every_entry_once() -> None:
    pages = await follow(await store_of(range(10)), "limit=4", "prev", 3)

    assert pages == [["6", "7", "8", "9"], ["2", "3", "4", "5"], ["0", "1"]]


async def test_prev_and_next_lead_back_to_the_same_page() -> None:
    storage = await store_of(range(10))
    newest = await get(storage, "limit=4")
    earlier = await get(storage, links(newest)["prev"])

    assert await messages(await get(storage, links(earlier)["next"])) == await messages(newest)


async def test_links_keep_the_other_parameters_in_percent_encoding() -> None:
    storage = await store_of(["a > b & \u00e9"])
    (cursor,) = await cursors(storage)

    response = await get(storage, "q=%3E+b%20%26%20%C3%A9&limit=5&level=info,error")

    kept = "q=%3E%20b%20%26%20%C3%A9&limit=5&level=info%2Cerror"
    assert header(response, b"link") == (f'<?{kept}&after={cursor}>; rel="next", <?{kept}&before={cursor}>; rel="prev"')


async def test_a_reader_that_follows_next_gets_what_is_written_later() -> None:
    storage = await store_of(["old"])
    first = await get(storage)
    empty = await get(storage, links(first)["next"])
    await storage.write_logs([LogEntry.info("new")])

    assert await messages(await get(storage, links(empty)["next"])) == ["new"]


async def test_next_of_an_empty_page_is_the_readers_own_cursor() -> None:
    storage = await store_of(["old"])
    (cursor,) = await cursors(storage)

    assert links(await get(storage, f"after={cursor}")) == {"next": f"after={cursor}"}


async def test_next_of_a_page_on_which_nothing_matched_goes_on_from_the_end_of_the_log() -> None:
    storage = await store_of(range(3))
    last = (await cursors(storage))[-1]

    found = [links(await get(storage, query)) for query in ("q=nothing", "q=nothing&after=start")]

    assert found == [{"next": f"q=nothing&after={last}"}] * 2


async def test_next_of_an_empty_log_begins_at_the_start() -> None:
    assert links(await get(MemoryStorage())) == {"next": "after=start"}


async def test_next_of_an_empty_page_before_a_cursor_begins_at_the_start() -> None:
    storage = await store_of(range(3))
    first = (await cursors(storage))[0]

    assert links(await get(storage, f"before={first}")) == {"next": "after=start"}


async def test_links_within_a_range_end_with_it() -> None:
    storage = await store_of(range(6))
    at = await cursors(storage)

    first = await get(storage, f"limit=2&after={at[0]}&before={at[4]}")
    second = await get(storage, links(first)["next"])

    assert [(await messages(page), set(links(page))) for page in (first, second)] == [
        (["1", "2"], {"next"}),
        (["3"], set()),
    ]


async def test_the_whole_log_has_no_links() -> None:
    assert header(await get(await store_of(range(3)), "limit=all"), b"link") is None


async def test_a_page_ends_early_at_eight_mebibytes_and_the_links_go_on() -> None:
    storage = await store_of(f"{number}{'x' * 2**20}" for number in range(12))

    pages = await follow(storage, "after=start", "next", 3)

    assert [[message.rstrip("x") for message in page] for page in pages] == [
        ["0", "1", "2", "3", "4", "5", "6", "7"],
        ["8", "9", "10", "11"],
        [],
    ]


@pytest.mark.parametrize("limit", ["limit=5", "limit=all"])
@pytest.mark.parametrize("query", ["after={1}", "after={2}", "after=start", "before={3}", ""])
async def test_a_cursor_that_is_still_there_has_no_gap(query: str, limit: str) -> None:
    storage = await store_of(range(4))
    at = await cursors(storage)
    await storage.delete_oldest_logs(2)

    response = await get(storage, f"{query.format(*at)}&{limit}")

    assert header(response, b"x-observabilipy-gap") is None


@pytest.mark.parametrize("limit", ["limit=5", "limit=all"])
async def test_a_cursor_older_than_the_log_begins_at_the_oldest_and_says_expired(limit: str) -> None:
    storage = await store_of(range(4))
    at = await cursors(storage)
    await storage.delete_oldest_logs(2)

    response = await get(storage, f"after={at[0]}&{limit}")

    assert (header(response, b"x-observabilipy-gap"), await messages(response)) == ("expired", ["2", "3"])


@pytest.mark.parametrize("limit", ["limit=5", "limit=all"])
async def test_a_cursor_of_another_store_begins_at_the_oldest_and_says_reset(limit: str) -> None:
    storage = await store_of(range(2))

    response = await get(storage, f"after=another-7&{limit}")

    assert (header(response, b"x-observabilipy-gap"), await messages(response)) == ("reset", ["0", "1"])


async def test_before_a_cursor_of_another_store_there_is_nothing_and_it_says_reset() -> None:
    response = await get(await store_of(range(2)), "before=another-7")

    assert (header(response, b"x-observabilipy-gap"), await messages(response)) == ("reset", [])


async def test_before_a_cursor_older_than_the_log_there_is_nothing_and_it_says_expired() -> None:
    storage = await store_of(range(4))
    at = await cursors(storage)
    await storage.delete_oldest_logs(2)

    response = await get(storage, f"before={at[0]}")

    assert (header(response, b"x-observabilipy-gap"), await messages(response)) == ("expired", [])


async def test_a_reset_is_told_once_even_when_nothing_is_there() -> None:
    storage = MemoryStorage()
    first = await get(storage, "after=another-7")
    second = await get(storage, links(first)["next"])

    assert [header(page, b"x-observabilipy-gap") for page in (first, second)] == ["reset", None]


class WritingAfterAPage(MemoryStorage):
    """Somebody who writes just when a page with a filter was read."""

    read_ndjson = None  # type: ignore[assignment] # only what it says itself

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        async for entry in super().read_logs(query):
            yield entry
        if query.text:
            await self.write_logs([LogEntry.info("late match"), LogEntry.info("something else")])


async def test_what_is_written_just_after_an_empty_page_is_on_the_next_one() -> None:
    storage = WritingAfterAPage()
    await storage.write_logs([LogEntry.info("something else")])

    pages = await follow(storage, "q=match", "next", 2)

    assert pages == [[], ["late match"]]


class DeletingWhileRead(MemoryStorage):
    """Retention that strikes just when a read begins."""

    read_ndjson = None  # type: ignore[assignment] # only what it says itself

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        await self.delete_oldest_logs(2)
        async for entry in super().read_logs(query):
            yield entry


async def test_a_gap_that_opens_while_one_reads_is_told() -> None:
    storage = DeletingWhileRead()
    await storage.write_logs([LogEntry.info(str(number)) for number in range(9)])
    generation = (await storage.log_facts()).generation

    response = await get(storage, f"after={generation}-1&limit=all")

    assert (header(response, b"x-observabilipy-gap"), await messages(response)) == (
        "expired",
        ["2", "3", "4", "5", "6", "7", "8"],
    )


class ManyEntries(MemoryStorage):
    """A log far larger than memory should be: 40 MiB, made up while it is read."""

    read_ndjson = None  # type: ignore[assignment] # only what it says itself

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        for number in range(20_000):
            yield LogEntry(number, "INFO", f"{number} {'x' * 2_048}", cursor=f"many-{number}")


async def test_the_whole_log_streams_in_constant_memory() -> None:
    response = await get(ManyEntries(), "limit=all")
    size = 0
    tracemalloc.start()
    async for chunk in response.body:
        size += len(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (size > 40 * 2**20, peak < 2**20) == (True, True)
