"""A server for tests: it calls an ASGI application in the test's own event loop, without sockets and threads."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from observabilipy_asgi.protocol import ASGIApp, Message, Scope

__all__ = ["Answer", "fetch", "http_scope", "serve"]

_NO_BODY: Sequence[Message] = ({"type": "http.request", "body": b"", "more_body": False},)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client saw."""

    status: int
    headers: dict[str, str]
    body: bytes


def http_scope(path: str = "/", *, method: str = "GET", query: bytes = b"", **more: Any) -> Scope:  # Any: see Scope
    """The scope of a request, with further keys, or others for those that it has anyway."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        **more,
    }


async def serve(app: ASGIApp, scope: Scope, *, heard: Iterable[Message] = _NO_BODY) -> list[Message]:
    """Everything that the application sends.

    It hears these messages, one at a time, and when its answer is whole that the client disconnects.
    """
    sent: list[Message] = []
    to_hear = iter(heard)
    whole = asyncio.Event()

    async def receive() -> Message:
        for message in to_hear:
            return message
        await whole.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            whole.set()

    await app(scope, receive, send)
    return sent


async def fetch(app: ASGIApp, request: str, *, token: str = "", root_path: str = "") -> Answer:
    """Ask an application ``"GET /path?query"``.

    Args:
        app: the application.
        request: method and target.
        token: sent as Bearer, when there is one.
        root_path: where the server says that the application is.
    """
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    headers = [(b"host", b"test"), *([(b"authorization", f"Bearer {token}".encode())] if token else [])]
    scope = http_scope(path, method=method, query=query.encode(), root_path=root_path, headers=headers)
    start, *parts = await serve(app, scope)
    shown = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], shown, b"".join(part.get("body", b"") for part in parts))
