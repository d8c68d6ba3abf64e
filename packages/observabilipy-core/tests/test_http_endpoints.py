"""What holds for every endpoint: methods, headers, failures of the store, flushing, health."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable

import pytest

from observabilipy.errors import StorageUnavailable, UnsupportedQuery
from observabilipy.http import Endpoints, Request, Response
from observabilipy.models import Family, LogEntry, LogFacts, LogQuery, counter
from observabilipy.storage.memory import MemoryStorage

EVERY_ANSWER = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


async def body(response: Response) -> bytes:
    return b"".join([chunk async for chunk in response.body])


async def document(response: Response) -> object:
    return json.loads(await body(response))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(Request("GET", "/metrics"), 200, id="metrics"),
        pytest.param(Request("GET", "/logs"), 200, id="logs"),
        pytest.param(Request("GET", "/logs", b"limit=all"), 200, id="all-logs"),
        pytest.param(Request("GET", "/health"), 200, id="health"),
        pytest.param(Request("GET", "/logs", b"limit=0"), 400, id="problem"),
        pytest.param(Request("GET", "/else"), 404, id="unknown"),
        pytest.param(Request("POST", "/logs"), 405, id="method"),
        pytest.param(Request("HEAD", "/logs"), 200, id="head"),
    ],
)
async def test_every_answer_has_the_same_safe_headers_and_no_cors(request_: Request, status: int) -> None:
    response = await Endpoints(MemoryStorage(), auth="public", health=True).handle(request_)

    assert (response.status, response.headers[-4:], [n for n, _ in response.headers if b"access-control" in n]) == (
        status,
        EVERY_ANSWER,
        [],
    )


@pytest.mark.parametrize("path", ["/", "", "/logs/", "//logs", "/Logs", "/logs/x", "/health", "logs", "/l\u00f6gs"])
async def test_any_other_path_is_a_404(path: str) -> None:
    response = await Endpoints(MemoryStorage(), auth="public").handle(Request("GET", path))

    assert (response.status, await document(response)) == (
        404,
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "nothing is served at this path",
            "hint": "served are /logs, /metrics",
        },
    )


@pytest.mark.parametrize("path", ["/metrics", "/logs", "/health"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", ""])
async def test_any_other_method_is_a_405_that_names_those_allowed(path: str, method: str) -> None:
    response = await Endpoints(MemoryStorage(), auth="public", health=True).handle(Request(method, path))

    assert (response.status, (b"allow", b"GET, HEAD") in response.headers, await document(response)) == (
        405,
        True,
        {
            "type": "about:blank",
            "title": "Method Not Allowed",
            "status": 405,
            "detail": "this can only be read",
            "hint": "use GET or HEAD",
        },
    )


@pytest.mark.parametrize(
    ("path", "query"), [("/metrics", b""), ("/logs", b""), ("/logs", b"limit=all"), ("/logs", b"x=1"), ("/health", b"")]
)
async def test_head_has_the_headers_of_get_and_no_body(path: str, query: bytes) -> None:
    storage = MemoryStorage()
    await storage.write_logs([LogEntry.info("hello")])
    await storage.write_samples([counter("orders_total")])
    endpoints = Endpoints(storage, auth="public", health=True)

    get = await endpoints.handle(Request("GET", path, query, [(b"accept-encoding", b"gzip")]))
    head = await endpoints.handle(Request("HEAD", path, query, [(b"accept-encoding", b"gzip")]))

    assert (head.status, head.headers, await body(head), bool(await body(get))) == (get.status, get.headers, b"", True)


async def test_health_needs_no_token_and_shows_no_data() -> None:
    response = await Endpoints(MemoryStorage(), auth="s3cret", health=True).handle(Request("GET", "/health"))

    assert (response.status, response.headers[0], await body(response)) == (
        200,
        (b"content-type", b"application/json"),
        b'{"status":"ok"}',
    )


class Failing(MemoryStorage):
    """A store whose reads fail after so many items."""

    read_ndjson = None  # type: ignore[assignment] # only what it says itself

    def __init__(self, error: Exception, after: int = 0, facts_fail: bool = False) -> None:
        super().__init__()
        self.error = error
        self.after = after
        self.facts_fail = facts_fail
        self.closed = 0

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        try:
            for number in range(self.after):
                yield LogEntry(0, "INFO", "x" * 40_000, cursor=f"failing-{number}")
            raise self.error
        finally:
            self.closed += 1

    async def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        try:
            storage = MemoryStorage()
            await storage.write_samples([counter(f"c{n}_total", labels={"n": "x" * 40_000}) for n in range(self.after)])
            async for family in storage.totals():
                yield family
            raise self.error
        finally:
            self.closed += 1

    async def log_facts(self) -> LogFacts:
        if self.facts_fail:
            raise self.error
        return await super().log_facts()


@pytest.mark.parametrize(("path", "query"), [("/metrics", b""), ("/logs", b""), ("/logs", b"limit=all")])
async def test_a_store_that_cannot_be_reached_is_a_503_that_says_when_to_ask_again(path: str, query: bytes) -> None:
    failure = StorageUnavailable("disk on fire in /secret/place")
    reported: list[Exception] = []

    response = await Endpoints(Failing(failure), auth="public", on_error=reported.append).handle(
        Request("GET", path, query)
    )

    assert (response.status, (b"retry-after", b"5") in response.headers, reported, await document(response)) == (
        503,
        True,
        [failure],
        {
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "the store cannot be read now",
            "hint": "ask again in a few seconds",
        },
    )


@pytest.mark.parametrize(("path", "query"), [("/metrics", b""), ("/logs", b""), ("/logs", b"limit=all")])
async def test_an_unexpected_failure_is_a_500_without_internals(path: str, query: bytes) -> None:
    failure = RuntimeError("password=hunter2")
    reported: list[Exception] = []

    response = await Endpoints(Failing(failure), auth="public", on_error=reported.append).handle(
        Request("GET", path, query)
    )

    assert (response.status, reported, await document(response)) == (
        500,
        [failure],
        {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "the answer could not be made",
            "hint": "the service counts this; its operator can find out why",
        },
    )


async def test_a_filter_that_the_store_cannot_honour_is_a_400_in_its_words() -> None:
    endpoints = Endpoints(Failing(UnsupportedQuery("this store has no text search")), auth="public")

    response = await endpoints.handle(Request("GET", "/logs", b"q=x"))

    assert (response.status, await document(response)) == (
        400,
        {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": "this store has no text search",
            "hint": "this store cannot do it: leave that parameter out",
        },
    )


@pytest.mark.parametrize(("path", "query"), [("/metrics", b""), ("/logs", b"limit=all")])
@pytest.mark.parametrize("headers", [(), ((b"accept-encoding", b"gzip"),)])
async def test_a_failure_after_the_beginning_breaks_the_body_off(
    path: str, query: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    endpoints = Endpoints(Failing(RuntimeError("too late"), after=3), auth="public")
    response = await endpoints.handle(Request("GET", path, query, headers))

    with pytest.raises(RuntimeError, match="too late"):
        await body(response)


async def test_a_failure_within_a_page_is_still_a_problem() -> None:
    endpoints = Endpoints(Failing(StorageUnavailable("gone"), after=3), auth="public")

    assert (await endpoints.handle(Request("GET", "/logs"))).status == 503


@pytest.mark.parametrize(("path", "query"), [("/metrics", b""), ("/logs", b"limit=all")])
@pytest.mark.parametrize("headers", [(), ((b"accept-encoding", b"gzip"),)])
@pytest.mark.parametrize("chunks", [0, 1])
async def test_closing_a_body_closes_the_read_of_the_store(
    path: str, query: bytes, headers: tuple[tuple[bytes, bytes], ...], chunks: int
) -> None:
    storage = Failing(RuntimeError("never reached"), after=9)
    response = await Endpoints(storage, auth="public").handle(Request("GET", path, query, headers))
    for _ in range(chunks):
        await anext(response.body)

    before = storage.closed
    await response.body.aclose()

    assert (before, storage.closed) == (0, 1)


@pytest.mark.parametrize(("path", "query"), [("/metrics", b""), ("/logs", b"limit=all")])
async def test_head_leaves_no_read_of_the_store_open(path: str, query: bytes) -> None:
    storage = Failing(RuntimeError("never reached"), after=9)

    await Endpoints(storage, auth="public").handle(Request("HEAD", path, query))

    assert storage.closed == 1


async def test_facts_that_fail_close_the_read_of_the_store() -> None:
    storage = Failing(StorageUnavailable("gone"), after=9, facts_fail=True)

    response = await Endpoints(storage, auth="public").handle(Request("GET", "/logs", b"limit=all&after=failing-1"))

    assert (response.status, storage.closed) == (503, 1)


@pytest.mark.parametrize("path", ["/metrics", "/logs"])
async def test_what_is_not_stored_yet_is_flushed_before_it_is_read(path: str) -> None:
    storage = MemoryStorage()

    async def flush() -> None:
        await asyncio.sleep(0)
        await storage.write_logs([LogEntry.info("flushed")])
        await storage.write_samples([counter("flushed_total")])

    response = await Endpoints(storage, auth="public", flush=flush).handle(Request("GET", path))

    assert b"flushed" in await body(response)


@pytest.mark.parametrize(
    ("path", "query", "auth"),
    [
        ("/logs", b"", "s3cret"),
        ("/logs", b"limit=x", "public"),
        ("/metrics", b"name[]=%FF", "public"),
        ("/health", b"", "public"),
        ("/else", b"", "public"),
    ],
)
async def test_nothing_is_flushed_for_who_reads_nothing(path: str, query: bytes, auth: str) -> None:
    flushes = []

    async def flush() -> None:
        flushes.append(path)

    await Endpoints(MemoryStorage(), auth=auth, health=True, flush=flush).handle(Request("GET", path, query))

    assert flushes == []


async def test_a_slow_flush_goes_on_behind_the_answer() -> None:
    release = asyncio.Event()
    done = asyncio.Event()

    async def flush() -> None:
        await release.wait()
        done.set()

    response = await Endpoints(MemoryStorage(), auth="public", flush=flush).handle(Request("GET", "/metrics"))
    before = done.is_set()
    release.set()
    await done.wait()

    assert (response.status, before) == (200, False)


@pytest.mark.parametrize("path", ["/metrics", "/logs"])
async def test_a_flush_that_fails_is_reported_and_the_answer_is_given(path: str) -> None:
    failure = StorageUnavailable("locked")
    reported: list[Exception] = []

    async def flush() -> None:
        raise failure

    endpoints = Endpoints(MemoryStorage(), auth="public", flush=flush, on_error=reported.append)
    response = await endpoints.handle(Request("GET", path))

    assert (response.status, reported) == (200, [failure])


def test_making_endpoints_does_not_load_asyncio() -> None:
    program = (
        "import observabilipy.http as h, sys; h.Endpoints(None, auth='x', flush=print);print('asyncio' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"False\n"
