"""Lifespan: everything is committed when a server stops an application, and the application keeps its own."""

from observabilipy import Observability
from observabilipy_asgi.protocol import ASGIApp, Message, Receive, Scope, Send

__all__ = ["keep_lifespan", "with_rest"]


async def with_rest(app: ASGIApp, obs: Observability, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application's lifespan, and commit before its end is told to the server.

    An application that knows no lifespan, such as Django's, gets one: servers that then ask for none would never tell
    that they stop.
    """
    heard = told = False

    async def watched_receive() -> Message:
        nonlocal heard
        heard = True
        return await receive()

    async def watched_send(message: Message) -> None:
        nonlocal told
        if message["type"] in {"lifespan.shutdown.complete", "lifespan.shutdown.failed"}:
            await _rest(obs)
        await send(message)
        told = told or message["type"].startswith("lifespan.")

    try:
        await app(scope, watched_receive, watched_send)
    except BaseException as error:
        if heard or told or not isinstance(error, Exception):
            await _rest(obs)
            raise
    if not (heard or told):
        await keep_lifespan(obs, receive, send)


async def keep_lifespan(obs: Observability, receive: Receive, send: Send) -> None:
    """The lifespan of an application that has none of its own: nothing to start, everything to commit."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await _rest(obs)
    await send({"type": "lifespan.shutdown.complete"})


async def _rest(obs: Observability) -> None:
    """Commit and let the thread end; records that still come wake it again."""
    try:
        await obs.runtime.arest()
    except Exception as error:  # noqa: BLE001 - the server must hear the end of the lifespan
        obs.runtime.troubles.failed("committing at the end of the lifespan", error)
