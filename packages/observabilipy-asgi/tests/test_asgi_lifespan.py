"""What a server hears at start and stop, and that everything is committed in between."""

from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from observabilipy import LogQuery, Observability
from observabilipy_asgi import ObservabilityApp, ObservabilityMiddleware
from observabilipy_asgi.protocol import ASGIApp, Message, Receive, Scope, Send
from observabilipy_asgi.testing import serve


@pytest.fixture
async def obs() -> AsyncIterator[Observability]:
    async with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


START_AND_STOP: Sequence[Message] = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
STARTED: Message = {"type": "lifespan.startup.complete"}
STOPPED: Message = {"type": "lifespan.shutdown.complete"}
STOPPED_BADLY: Message = {"type": "lifespan.shutdown.failed", "message": "on purpose"}
NOT_STARTED: Message = {"type": "lifespan.startup.failed", "message": "on purpose"}


def scope() -> Scope:
    return {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}


async def committed(obs: Observability) -> list[str]:
    """What a reader sees who asks nobody to flush."""
    return [entry.message async for entry in obs.storage.read_logs(LogQuery())]


@pytest.fixture
def ending_with(obs: Observability) -> Callable[[Message], ASGIApp]:
    def make(last: Message) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            scope["state"]["pool"] = "of the application"
            await send(STARTED)
            await receive()
            obs.info("a record of the application's shutdown")
            await send(last)

        return app

    return make


@pytest.mark.parametrize("last", [STOPPED, STOPPED_BADLY])
async def test_the_application_keeps_its_lifespan_and_all_it_recorded_is_committed(
    obs: Observability, ending_with: Callable[[Message], ASGIApp], last: Message
) -> None:
    given = scope()
    sent = await serve(ObservabilityMiddleware(ending_with(last), obs), given, heard=START_AND_STOP)

    assert (sent, given["state"], await committed(obs)) == (
        [STARTED, last],
        {"pool": "of the application"},
        ["a record of the application's shutdown"],
    )


async def test_everything_is_committed_before_the_server_hears_of_the_end(
    obs: Observability, ending_with: Callable[[Message], ASGIApp]
) -> None:
    messages = iter(START_AND_STOP)
    committed_then = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        committed_then.append(len(await committed(obs)))

    await ObservabilityMiddleware(ending_with(STOPPED), obs)(scope(), receive, send)

    assert committed_then == [0, 1]


async def test_a_record_after_the_end_begins_anew(
    obs: Observability, ending_with: Callable[[Message], ASGIApp]
) -> None:
    await serve(ObservabilityMiddleware(ending_with(STOPPED), obs), scope(), heard=START_AND_STOP)
    obs.info("later")
    await obs.aflush()

    assert await committed(obs) == ["a record of the application's shutdown", "later"]


async def raising(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("can only handle http connections, not lifespan")


async def returning(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def answering_http(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize("app", [raising, returning])
async def test_an_application_without_a_lifespan_gets_one(obs: Observability, app: ASGIApp) -> None:
    obs.info("before the stop")
    sent = await serve(ObservabilityMiddleware(app, obs), scope(), heard=START_AND_STOP)

    assert (sent, await committed(obs)) == ([STARTED, STOPPED], ["before the stop"])


async def test_an_application_that_takes_the_lifespan_for_a_request_gets_one(obs: Observability) -> None:
    messages = iter(START_AND_STOP)
    sent = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        assert message["type"].startswith("lifespan.")  # as servers do
        sent.append(message)

    await ObservabilityMiddleware(answering_http, obs)(scope(), receive, send)

    assert sent == [STARTED, STOPPED]


async def test_a_startup_that_failed_stays_failed(obs: Observability) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(NOT_STARTED)

    assert await serve(ObservabilityMiddleware(failing, obs), scope(), heard=START_AND_STOP) == [NOT_STARTED]


async def test_an_exception_of_a_startup_goes_on_to_the_server(obs: Observability) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        obs.info("why it failed")
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError, match="no database"):
        await serve(ObservabilityMiddleware(failing, obs), scope(), heard=START_AND_STOP)

    assert await committed(obs) == ["why it failed"]


async def test_the_endpoints_alone_commit_at_the_end_too(obs: Observability) -> None:
    obs.info("before the stop")
    sent = await serve(ObservabilityApp(obs), scope(), heard=START_AND_STOP)

    assert (sent, await committed(obs)) == ([STARTED, STOPPED], ["before the stop"])
