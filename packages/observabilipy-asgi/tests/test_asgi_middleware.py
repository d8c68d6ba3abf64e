"""What the middleware records of a request, and that the application never notices."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace

import pytest

from observabilipy import LogQuery, Observability
from observabilipy_asgi import ObservabilityMiddleware
from observabilipy_asgi.protocol import ASGIApp, Message, Receive, Scope, Send
from observabilipy_asgi.testing import http_scope, serve

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
GONE: Sequence[Message] = ({"type": "http.disconnect"},)


@pytest.fixture
async def obs() -> AsyncIterator[Observability]:
    async with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


async def recorded(obs: Observability) -> list[dict[str, object]]:
    """The attributes of every access entry, without those that are others each time."""
    await obs.aflush()
    entries = [entry async for entry in obs.storage.read_logs(LogQuery())]
    others = {"duration_seconds", "request_id"}
    return [{k: v for k, v in entry.attributes.items() if k not in others} for entry in entries]


async def active(obs: Observability) -> float:
    """How many requests are being served, all methods together."""
    await obs.aflush()
    families = [family async for family in obs.storage.totals(["http_server_active_requests"])]
    return sum(s.value for family in families for s in family.series if isinstance(s.value, int | float))


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def answering(*messages: Message, route: str | None = None) -> ASGIApp:
    """An application that sends these messages, whatever is asked."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if route is not None:
            scope["route"] = SimpleNamespace(path=route, path_format=route)
        for message in messages:
            await send(message)

    return app


def outcome(request: dict[str, object]) -> tuple[object, ...]:
    return request["status"], request["outcome"], request["response_bytes"]


async def test_an_answer_is_recorded_with_its_template_status_and_bytes(obs: Observability) -> None:
    app = ObservabilityMiddleware(answering(START, part(b"12345"), route="/orders/{id}"), obs)

    await serve(app, http_scope("/orders/7", method="POST"))

    assert await recorded(obs) == [
        {
            "method": "POST",
            "route": "/orders/{id}",
            "path": "/orders/7",
            "status": 200,
            "response_bytes": 5,
            "outcome": "complete",
        }
    ]


async def test_the_application_sends_and_hears_what_it_would_without_the_middleware(obs: Observability) -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        heard = await receive()
        await send(START)
        await send(part(heard["body"]))

    sent = await serve(
        ObservabilityMiddleware(echo, obs, request_ids=False),
        http_scope(),
        heard=[{"type": "http.request", "body": b"hello", "more_body": False}],
    )

    assert sent == [START, part(b"hello")]


async def test_a_stream_ends_with_its_last_part_and_counts_all_of_them(obs: Observability) -> None:
    stream = answering(START, part(b"12", more=True), part(b"345", more=True), part(b""))

    await serve(ObservabilityMiddleware(stream, obs), http_scope())

    assert [outcome(request) for request in await recorded(obs)] == [(200, "complete", 5)]


async def test_an_answer_to_head_has_no_bytes_whatever_the_application_sends(obs: Observability) -> None:
    await serve(ObservabilityMiddleware(answering(START, part(b"12345")), obs), http_scope(method="HEAD"))

    assert [outcome(request) for request in await recorded(obs)] == [(200, "complete", 0)]


async def test_a_file_that_the_server_sends_by_itself_ends_the_answer(obs: Observability) -> None:
    path_send: Message = {"type": "http.response.pathsend", "path": "a.css"}

    await serve(ObservabilityMiddleware(answering(START, path_send), obs), http_scope())

    assert [outcome(request) for request in await recorded(obs)] == [(200, "complete", 0)]


async def test_work_after_the_last_byte_changes_nothing(obs: Observability) -> None:
    async def with_background_task(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(START, part(b"ok"))(scope, receive, send)
        raise RuntimeError("in the background")

    with pytest.raises(RuntimeError):
        await serve(ObservabilityMiddleware(with_background_task, obs), http_scope())

    assert [outcome(request) for request in await recorded(obs)] == [(200, "complete", 2)]


async def test_an_exception_before_the_answer_is_a_500_and_goes_on_to_the_server(obs: Observability) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await serve(ObservabilityMiddleware(broken, obs), http_scope())

    assert [outcome(request) for request in await recorded(obs)] == [(500, "error", 0)]


async def test_an_exception_within_the_answer_keeps_the_status_that_was_sent(obs: Observability) -> None:
    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(START, part(b"123", more=True))(scope, receive, send)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        await serve(ObservabilityMiddleware(breaking, obs), http_scope())

    assert [outcome(request) for request in await recorded(obs)] == [(200, "error", 3)]


async def test_an_application_that_never_answers_is_an_error(obs: Observability) -> None:
    await serve(ObservabilityMiddleware(answering(), obs), http_scope())

    assert [outcome(request) for request in await recorded(obs)] == [(500, "error", 0)]


async def test_a_client_that_leaves_within_the_answer_aborts_it_and_the_status_stays(obs: Observability) -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(START, part(b"123", more=True))(scope, receive, send)
        await receive()

    await serve(ObservabilityMiddleware(stream, obs), http_scope(), heard=GONE)

    assert [outcome(request) for request in await recorded(obs)] == [(200, "aborted", 3)]


async def test_a_client_that_leaves_before_the_answer_is_a_499(obs: Observability) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    await serve(ObservabilityMiddleware(slow, obs), http_scope(), heard=GONE)

    assert [outcome(request) for request in await recorded(obs)] == [(499, "aborted", 0)]


async def test_a_server_that_refuses_to_send_aborts_the_answer(obs: Observability) -> None:
    async def receive() -> Message:
        raise AssertionError("the application does not listen")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client is gone")

    with pytest.raises(OSError, match="gone"):
        await ObservabilityMiddleware(answering(START, part(b"123")), obs)(http_scope(), receive, send)

    assert [outcome(request) for request in await recorded(obs)] == [(200, "aborted", 0)]


async def test_a_request_that_the_server_cancels_is_aborted(obs: Observability) -> None:
    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await serve(ObservabilityMiddleware(cancelled, obs), http_scope())

    assert [outcome(request) for request in await recorded(obs)] == [(200, "aborted", 0)]


async def test_a_request_is_active_until_it_ends(obs: Observability) -> None:
    during = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        during.append(await active(obs))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await serve(ObservabilityMiddleware(app, obs), http_scope())

    assert (during, await active(obs)) == ([1], 0)


async def test_excluded_paths_are_not_recorded_with_or_without_a_mount_before_them(obs: Observability) -> None:
    app = ObservabilityMiddleware(answering(START, part(b"")), obs, exclude=["/health", "/static/*"])

    for path in ("/health", "/static/a.css", "/healthy"):
        await serve(app, http_scope(path))
        await serve(app, http_scope(f"/api{path}", root_path="/api"))

    assert [request["path"] for request in await recorded(obs)] == ["/healthy", "/healthy"]


async def test_without_an_access_log_only_the_duration_is_recorded(obs: Observability) -> None:
    await serve(ObservabilityMiddleware(answering(START, part(b"")), obs, access_log=False), http_scope())
    await obs.aflush()
    durations = [family async for family in obs.storage.totals(["http_server_request_duration_seconds"])]

    assert (await recorded(obs), [len(family.series) for family in durations]) == ([], [1])


async def test_a_request_within_two_middlewares_is_recorded_once(obs: Observability) -> None:
    app = answering(START, part(b"ok"))

    await serve(ObservabilityMiddleware(ObservabilityMiddleware(app, obs), obs), http_scope())

    assert len(await recorded(obs)) == 1


async def test_what_the_outer_middleware_excludes_the_inner_one_does_not_record(obs: Observability) -> None:
    inner = ObservabilityMiddleware(answering(START, part(b"ok")), obs)

    await serve(ObservabilityMiddleware(inner, obs, exclude=["/health"]), http_scope("/health"))

    assert await recorded(obs) == []


async def test_a_method_nobody_knows_and_a_path_no_route_took_have_one_label_each(obs: Observability) -> None:
    await serve(ObservabilityMiddleware(answering(START, part(b"")), obs), http_scope("/x", method="BREW"))

    assert [(request["method"], request["route"]) for request in await recorded(obs)] == [("_OTHER", "__unmatched__")]


@pytest.mark.parametrize("kind", ["websocket", "unheard-of"])
async def test_other_connections_pass_through(obs: Observability, kind: str) -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((dict(scope), await receive()))

    heard: Message = {"type": f"{kind}.connect"}
    await serve(ObservabilityMiddleware(app, obs), {"type": kind, "path": "/"}, heard=[heard])

    assert (seen, await recorded(obs)) == ([({"type": kind, "path": "/"}, heard)], [])


async def test_a_scope_full_of_surprises_does_not_fail_the_application(obs: Observability) -> None:
    class Hostile:
        @property
        def path(self) -> str:
            raise RuntimeError("on purpose")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Hostile()
        await answering(START, part(b"ok"))(scope, receive, send)

    sent = await serve(ObservabilityMiddleware(app, obs, request_ids=False), http_scope())

    assert sent == [START, part(b"ok")]


async def test_a_server_may_call_with_keywords(obs: Observability) -> None:
    async def receive() -> Message:
        raise AssertionError("the application does not listen")

    async def send(message: Message) -> None:
        pass

    app = ObservabilityMiddleware(answering(START, part(b"")), obs)
    await app(scope=http_scope(), receive=receive, send=send)

    assert len(await recorded(obs)) == 1


async def test_an_exception_after_the_answer_that_it_caused_is_told_in_its_entry(obs: Observability) -> None:
    async def like_starlette(scope: Scope, receive: Receive, send: Send) -> None:
        await answering({"type": "http.response.start", "status": 500, "headers": []}, part(b"oh"))(
            scope, receive, send
        )
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await serve(ObservabilityMiddleware(like_starlette, obs), http_scope())
    [request] = await recorded(obs)

    assert (outcome(request), request["exception.message"]) == ((500, "error", 2), "on purpose")


async def test_a_client_that_leaves_with_all_that_was_declared_has_aborted_nothing(obs: Observability) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send(part(b"123", more=True))
        await receive()
        await send(part(b""))

    await serve(ObservabilityMiddleware(app, obs), http_scope(), heard=GONE)

    assert [outcome(request) for request in await recorded(obs)] == [(200, "complete", 3)]
