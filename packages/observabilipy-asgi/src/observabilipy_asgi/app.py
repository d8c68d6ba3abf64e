"""ObservabilityApp: /metrics, /logs and /health as an ASGI application, to be mounted wherever you like."""

import asyncio

from observabilipy import Observability, sigterm
from observabilipy.http import Client, Request, Response, Stopped, client_of, hang_up
from observabilipy_asgi.lifespan import keep_lifespan
from observabilipy_asgi.middleware import REQUEST_KEY
from observabilipy_asgi.protocol import Message, Receive, Scope, Send
from observabilipy_asgi.route import relative_path

__all__ = ["ObservabilityApp"]

_PATIENCE_SECONDS = 10.0
"""A client that takes nothing for so long is given up: it would hold a read of the store, and the server's stop."""

_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 1.0
"""For answers under way when the process is told to end."""


class ObservabilityApp:
    """Answers below wherever it is mounted: ``Mount("/observability", ObservabilityApp(obs))``.

    Its own requests are not recorded by an ``ObservabilityMiddleware`` around it.

    Args:
        obs: what is shown.
        path: answer everything as this endpoint, for a route that leads to a single one: ``"/metrics"``.

    Raises:
        ConfigurationError: who may read cannot be told from the settings or the environment.
    """

    def __init__(self, obs: Observability, *, path: str | None = None) -> None:
        self._obs = obs
        self._endpoints = obs.endpoints
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await keep_lifespan(self._obs, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        recorded = scope.get(REQUEST_KEY)
        if recorded is not None:
            recorded.ignore()
        path = (
            relative_path(scope).rstrip("/") if self._path is None else self._path
        )  # Litestar's mounts append a slash
        headers = tuple(scope["headers"])
        request = Request(scope["method"], path, scope["query_string"], headers, _client(scope))
        response = await self._endpoints.handle(request)
        try:
            await _deliver(response, receive, send)
        except (TimeoutError, Stopped, asyncio.CancelledError) as ended:
            if request.peer is not None:  # the server would still wait until it has taken what it was sent
                hang_up([request.peer])
            if isinstance(ended, asyncio.CancelledError):
                raise
        finally:
            await response.body.aclose()


def _client(scope: Scope) -> Client | None:
    """None with HTTP/2 and later, where others may share the connection, and the server ends a single stream."""
    client, server = scope.get("client"), scope.get("server")
    if client is None or server is None or not scope["http_version"].startswith("1"):
        return None
    return client_of(client[0], client[1], server[1])


async def _deliver(response: Response, receive: Receive, send: Send) -> None:
    """Send the answer, as long as somebody takes it.

    Raises:
        TimeoutError: the client takes nothing, or the process ends.
        Stopped: the process ends.
    """
    start = {"type": "http.response.start", "status": response.status, "headers": list(response.headers)}
    departure = asyncio.create_task(_departure(receive))
    async with asyncio.timeout(None) as patience:
        ending = asyncio.create_task(_end_with_process(patience))
        try:
            taken = await _taken(start, send, patience)
            async for chunk in response.body:
                if not taken or departure.done():
                    return
                if chunk:  # else there is nothing to send yet
                    taken = await _taken(_part(chunk, more=True), send, patience)
            if taken:
                await _taken(_part(b"", more=False), send, patience)
        finally:
            departure.cancel()
            ending.cancel()


def _part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _taken(message: Message, send: Send, patience: asyncio.Timeout) -> bool:
    """False when the client is gone; one that only does not read runs into the timeout."""
    if not sigterm.stopping():
        patience.reschedule(asyncio.get_running_loop().time() + _PATIENCE_SECONDS)
    try:
        await send(message)
    except OSError:
        return False
    if not sigterm.stopping():
        patience.reschedule(None)
    return True


async def _end_with_process(patience: asyncio.Timeout) -> None:
    """Some servers wait for every answer when they stop, however long it takes, and tell nobody."""
    while not sigterm.stopping():  # noqa: ASYNC110 - a signal handler has no loop to set an Event in
        await asyncio.sleep(_LOOK_SECONDS)
    patience.reschedule(asyncio.get_running_loop().time() + _GRACE_SECONDS)


async def _departure(receive: Receive) -> None:
    """Return when the client goes away, which most servers tell in no other way."""
    message = await receive()
    while message["type"] == "http.request" and message.get("more_body", False):
        message = await receive()
    if message["type"] == "http.request":
        message = await receive()
    if message["type"] != "http.disconnect":  # none of what the specification allows: it will not come later either
        await asyncio.Event().wait()
