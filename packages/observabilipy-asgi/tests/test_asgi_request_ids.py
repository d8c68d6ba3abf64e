"""Ids of requests: in everything that a request logs, and in its answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from observabilipy import LogQuery, Observability
from observabilipy_asgi import ObservabilityMiddleware
from observabilipy_asgi.protocol import ASGIApp, Message, Receive, Scope, Send
from observabilipy_asgi.testing import http_scope, serve

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
IDS = {
    "request_id": "abc-1",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "parent_id": "b7ad6b7169203331",
}
SENT = [(b"x-request-id", b"abc-1"), (b"traceparent", TRACEPARENT.encode())]


@pytest.fixture
async def obs() -> AsyncIterator[Observability]:
    async with Observability(handle_sigterm=False, flush_interval=3600) as made:
        yield made


def logging_app(obs: Observability, *headers: tuple[bytes, bytes]) -> ASGIApp:
    """An application that logs by itself, in a task and in a thread, and answers with these headers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        obs.info("itself")
        await asyncio.create_task(asyncio.to_thread(obs.info, "thread"))
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})

    return app


async def ids_by_message(obs: Observability) -> dict[str, dict[str, object]]:
    await obs.aflush()
    return {
        entry.message: {name: value for name, value in entry.attributes.items() if name in IDS}
        async for entry in obs.storage.read_logs(LogQuery())
    }


async def answered_headers(app: ASGIApp, *headers: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    [start, _] = await serve(app, http_scope(headers=list(headers)))
    answered: list[tuple[bytes, bytes]] = start["headers"]
    return answered


async def test_all_that_a_request_logs_carries_the_ids_that_came_with_it(obs: Observability) -> None:
    await answered_headers(ObservabilityMiddleware(logging_app(obs), obs), *SENT)

    assert await ids_by_message(obs) == {"itself": IDS, "thread": IDS, "GET / 200": IDS}


async def test_the_ids_come_back_with_the_answer(obs: Observability) -> None:
    app = ObservabilityMiddleware(logging_app(obs, (b"etag", b"1")), obs)

    assert await answered_headers(app, *SENT) == [(b"etag", b"1"), *SENT]


async def test_ids_that_the_application_answers_with_stay_its_own(obs: Observability) -> None:
    own = (b"x-request-id", b"mine")

    assert await answered_headers(ObservabilityMiddleware(logging_app(obs, own), obs), *SENT) == [own, SENT[1]]


async def test_a_request_without_an_id_gets_a_new_one_for_log_and_answer(obs: Observability) -> None:
    [(name, value)] = await answered_headers(ObservabilityMiddleware(logging_app(obs), obs))
    given = {"request_id": value.decode()}

    assert (name, len(value), await ids_by_message(obs)) == (
        b"x-request-id",
        32,
        {"itself": given, "thread": given, "GET / 200": given},
    )


async def test_an_id_that_comes_twice_is_none(obs: Observability) -> None:
    [(_, value)] = await answered_headers(ObservabilityMiddleware(logging_app(obs), obs), SENT[0], SENT[0])

    assert len(value) == 32


async def test_after_the_request_its_ids_are_gone(obs: Observability) -> None:
    await answered_headers(ObservabilityMiddleware(logging_app(obs), obs), *SENT)
    obs.info("afterwards")

    assert (await ids_by_message(obs))["afterwards"] == {}


async def test_ids_can_be_left_out(obs: Observability) -> None:
    app = ObservabilityMiddleware(logging_app(obs), obs, request_ids=False)

    assert (await answered_headers(app, *SENT), await ids_by_message(obs)) == (
        [],
        {"itself": {}, "thread": {}, "GET / 200": {}},
    )


async def test_a_start_that_an_application_sends_again_and_again_is_not_changed(obs: Observability) -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": []}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    await answered_headers(ObservabilityMiddleware(app, obs), *SENT)

    assert start == {"type": "http.response.start", "status": 200, "headers": []}
