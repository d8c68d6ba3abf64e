"""The endpoints as an application: where they answer, and what happens when a client goes away."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import pytest

from observabilipy import (
    ConfigurationError,
    InMemoryLogStorage,
    InMemoryMetricsStorage,
    LogEntry,
    LogQuery,
    Observability,
)
from observabilipy_asgi import ObservabilityApp, ObservabilityMiddleware, mounted
from observabilipy_asgi import app as app_module
from observabilipy_asgi.protocol import Message, Receive, Scope, Send
from observabilipy_asgi.testing import fetch, http_scope, serve


@pytest.fixture
async def obs() -> AsyncIterator[Observability]:
    async with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


async def recorded(obs: Observability) -> list[dict[str, object]]:
    """The attributes of every access entry, without the duration, which is another one each time."""
    await obs.aflush()
    entries = [entry async for entry in obs.storage.read_logs(LogQuery())]
    return [{k: v for k, v in entry.attributes.items() if k != "duration_seconds"} for entry in entries]


class EndlessLog(InMemoryLogStorage):
    """A log that never comes to its end, and whether somebody still reads it."""

    read_ndjson = None  # type: ignore[assignment] # only what it says itself

    begun = ended = False

    async def read_logs(self, query: LogQuery) -> AsyncGenerator[LogEntry, None]:
        self.begun = True
        try:
            while True:
                yield LogEntry.info("again")
        finally:
            self.ended = True


@pytest.fixture
def log() -> EndlessLog:
    return EndlessLog()


@pytest.fixture
def streaming(log: EndlessLog) -> Iterator[ObservabilityApp]:
    with Observability((log, InMemoryMetricsStorage()), auth="public", handle_sigterm=False) as obs:
        yield ObservabilityApp(obs)


@pytest.fixture
def everything() -> Scope:
    return http_scope("/logs", query=b"limit=all")


async def test_the_log_is_served_as_the_endpoints_give_it(obs: Observability) -> None:
    obs.info("order placed", cents=1999)
    answer = await fetch(ObservabilityApp(obs), "GET /logs?level=INFO")
    line = json.loads(answer.body)

    assert (answer.status, answer.headers["content-type"], line["message"], line["attributes"]) == (
        200,
        "application/x-ndjson",
        "order placed",
        {"cents": 1999},
    )


@pytest.mark.parametrize(
    ("path", "root_path"),
    [("/metrics", ""), ("/obs/metrics", "/obs"), ("/metrics/", "/obs"), ("/a/obs/metrics", "/a/obs")],
)
async def test_paths_are_relative_to_the_mount(obs: Observability, path: str, root_path: str) -> None:
    obs.counter("orders_total", "Orders placed.").inc(3)
    answer = await fetch(ObservabilityApp(obs), f"GET {path}", root_path=root_path)

    assert (answer.status, b"\norders_total 3\n" in answer.body) == (200, True)


async def test_an_application_for_one_endpoint_answers_it_wherever_it_is(obs: Observability) -> None:
    answer = await fetch(ObservabilityApp(obs, path="/metrics"), "GET /internal/prometheus")

    assert answer.status == 200


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [("POST /metrics", (405, "GET, HEAD")), ("GET /nothing", (404, None)), ("GET /health", (404, None))],
)
async def test_what_is_not_served_is_a_problem(
    obs: Observability, request_line: str, expected: tuple[int, str | None]
) -> None:
    answer = await fetch(ObservabilityApp(obs), request_line)

    assert (answer.status, answer.headers.get("allow")) == expected
    assert json.loads(answer.body)["status"] == answer.status


async def test_head_has_no_body(obs: Observability) -> None:
    answer = await fetch(ObservabilityApp(obs), "HEAD /logs")

    assert (answer.status, answer.body) == (200, b"")


async def test_reading_the_endpoints_leaves_no_trace(obs: Observability) -> None:
    app = ObservabilityMiddleware(ObservabilityApp(obs), obs)

    await fetch(app, "GET /metrics")
    await fetch(app, "GET /logs")

    assert await recorded(obs) == []


async def test_a_websocket_is_closed(obs: Observability) -> None:
    sent = await serve(ObservabilityApp(obs), {"type": "websocket", "path": "/"})

    assert sent == [{"type": "websocket.close"}]


async def test_a_stream_ends_when_the_client_goes_away(
    streaming: ObservabilityApp, everything: Scope, log: EndlessLog
) -> None:
    leaving: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]
    sent = await serve(streaming, everything, heard=leaving)

    assert (log.begun, log.ended, sent[-1].get("more_body", True)) == (True, True, True)


async def test_a_stream_ends_when_the_server_refuses_to_send(
    streaming: ObservabilityApp, everything: Scope, log: EndlessLog
) -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client is gone")

    await streaming(everything, silent, send)

    assert (log.begun, log.ended) == (True, True)


async def test_a_stream_ends_when_the_client_stops_reading(
    streaming: ObservabilityApp, everything: Scope, log: EndlessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    monkeypatch.setattr(app_module, "_PATIENCE_SECONDS", 0)
    await streaming(everything, silent, send)

    assert (log.begun, log.ended) == (True, True)


async def test_a_stream_ends_when_it_is_cancelled(
    streaming: ObservabilityApp, everything: Scope, log: EndlessLog
) -> None:
    flowing = asyncio.Event()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            flowing.set()

    task = asyncio.ensure_future(streaming(everything, silent, send))
    await flowing.wait()
    task.cancel()
    [result] = await asyncio.gather(task, return_exceptions=True)

    assert (log.begun, log.ended, type(result)) == (True, True, asyncio.CancelledError)


async def test_a_server_that_repeats_itself_does_not_keep_an_answer_from_its_end(obs: Observability) -> None:
    again: Iterator[Message] = iter(lambda: {"type": "http.request", "body": b"", "more_body": False}, None)
    [start, *_] = await serve(ObservabilityApp(obs), http_scope("/metrics"), heard=again)

    assert start["status"] == 200


async def silent() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("never")


@pytest.mark.parametrize(
    ("request_line", "root_path", "status"),
    [
        ("GET /observability/metrics", "", 200),
        ("GET /proxy/observability/metrics", "/proxy", 200),
        ("GET /observability", "", 418),
        ("GET /observability-not/metrics", "", 418),
        ("GET /metrics", "", 418),
    ],
)
async def test_endpoints_are_mounted_beside_an_application_that_mounts_nothing(
    request_line: str, root_path: str, status: int
) -> None:
    async def teapot(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with Observability(auth="public", handle_sigterm=False) as obs:
        answer = await fetch(mounted(teapot, obs), request_line, root_path=root_path)

    assert answer.status == status


@pytest.mark.parametrize("prefix", ["", "/", "observability", "/observability/"])
async def test_a_prefix_begins_with_a_slash_and_does_not_end_with_one(prefix: str) -> None:
    async with Observability(auth="public", handle_sigterm=False) as obs:
        with pytest.raises(ConfigurationError, match="prefix must begin with a slash and not end with one, got"):
            mounted(ObservabilityApp(obs), obs, prefix=prefix)


async def test_a_follower_that_leaves_makes_room_for_others(obs: Observability) -> None:
    app = ObservabilityApp(obs)
    statuses = []
    bodies = []

    async def follow() -> None:
        left = asyncio.Event()

        async def receive() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            else:
                bodies.append(message["body"])
                left.set()

        await app(http_scope("/logs", query=b"follow=1"), receive, send)

    await asyncio.gather(*[follow() for _ in range(8)])  # as many as there may be at once
    await follow()

    assert (statuses, bodies) == ([200] * 9, [b"\n"] * 9)


async def test_a_token_that_cannot_be_one_is_refused_when_the_application_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OBSERVABILIPY_TOKEN", " ")
    async with Observability(handle_sigterm=False) as obs:
        with pytest.raises(ConfigurationError, match="OBSERVABILIPY_TOKEN"):
            ObservabilityApp(obs)
