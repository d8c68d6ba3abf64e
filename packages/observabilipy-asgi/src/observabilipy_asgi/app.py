"""ObservabilityApp: /metrics, /logs and /health as an ASGI application, to be mounted wherever you like."""

import asyncio

from observabilipy import Observability
from observabilipy.http import Request, Response
from observabilipy_asgi.lifespan import keep_lifespan
from observabilipy_asgi.middleware import REQUEST_KEY
from observabilipy_asgi.protocol import Receive, Scope, Send
from observabilipy_asgi.route import relative_path

__all__ = ["ObservabilityApp"]

_PATIENCE_SECONDS = 10.0
"""A client that takes nothing for so long is given up: it would hold a read of the store, and the server's stop."""


class ObservabilityApp:
    """Answers below wherever it is mounted: ``Mount("/observability", ObservabilityApp(obs))``.

    Its own requests are not recorded by an ``ObservabilityMiddleware`` around it.

    Args:
        obs: what is shown.
        path: answer everything as this endpoint, for a route that leads to a single one: ``"/metrics"``.
    """

    def __init__(self, obs: Observability, *, path: str | None = None) -> None:
        self._obs = obs
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
        response = await self._obs.endpoints.handle(Request(scope["method"], path, scope["query_string"], headers))
        departure = asyncio.create_task(_departure(receive))
        try:
            await _deliver(response, departure, send)
        finally:
            departure.cancel()
            await response.body.aclose()


async def _deliver(response: Response, departure: "asyncio.Task[None]", send: Send) -> None:
    """Send the answer, as long as somebody takes it."""

    async def taken(body: bytes, *, more: bool) -> bool:
        return await _sent({"type": "http.response.body", "body": body, "more_body": more}, send)

    start = {"type": "http.response.start", "status": response.status, "headers": list(response.headers)}
    if not await _sent(start, send):
        return
    async for chunk in response.body:
        if departure.done() or not await taken(chunk, more=True):
            return
    await taken(b"", more=False)


async def _sent(message: dict[str, object], send: Send) -> bool:
    """False when the client is gone or does not read: send() raises OSError, of which TimeoutError is one."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await send(message)
    except OSError:
        return False
    return True


async def _departure(receive: Receive) -> None:
    """Return when the client goes away, which most servers tell in no other way."""
    message = await receive()
    while message["type"] == "http.request" and message.get("more_body", False):
        message = await receive()
    if message["type"] == "http.request":
        message = await receive()
    if message["type"] != "http.disconnect":  # none of what the specification allows: it will not come later either
        await asyncio.Event().wait()
