"""Drivers: how a request reaches an application without a server, over ASGI and over WSGI."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

from observabilipy_asgi.protocol import ASGIApp, Message
from observabilipy_asgi.testing import http_scope

__all__ = ["Answer", "Ask", "asgi_driver", "wsgi_driver"]


@dataclass(frozen=True)
class Answer:
    """What a client saw. Names of headers are in lower case."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Ask(Protocol):
    """Sends ``"GET /path"``; with ``leave`` the client goes away after the first part of the body."""

    def __call__(self, request: str, /, *, leave: bool = False, **headers: str) -> Answer | None: ...


def asgi_driver(app: ASGIApp) -> Ask:
    """Over ASGI. An exception that the application lets out is the server's affair, as it would be on a real one."""

    async def serve(request: str, headers: dict[str, str], *, leave: bool) -> Answer | None:
        method, _, path = request.partition(" ")
        sent: list[Message] = []
        left = asyncio.Event()
        to_hear = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Message:
            for message in to_hear:
                return message
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and (leave or not message.get("more_body")):
                left.set()  # servers say so after the last part of an answer, too
            await asyncio.sleep(0)

        lines = [(b"host", b"test"), *((name.encode(), value.encode()) for name, value in headers.items())]
        try:
            await app(http_scope(path, method=method, headers=lines), receive, send)
        except Exception:  # noqa: BLE001 - whatever it is, a server would end the request
            if not sent:
                return None
        start, *parts = sent
        shown = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], b"".join(part.get("body", b"") for part in parts), shown)

    def ask(request: str, /, *, leave: bool = False, **headers: str) -> Answer | None:
        return asyncio.run(serve(request, _named(headers), leave=leave))

    return ask


def wsgi_driver(app: WSGIApplication) -> Ask:
    """Over WSGI."""

    def ask(request: str, /, *, leave: bool = False, **headers: str) -> Answer | None:
        method, _, path = request.partition(" ")
        environ: dict[str, Any] = {
            f"HTTP_{name.upper().replace('-', '_')}": value for name, value in _named(headers).items()
        }
        environ |= {"REQUEST_METHOD": method, "PATH_INFO": path}
        setup_testing_defaults(environ)
        started: list[Any] = []

        def start_response(*start: Any) -> Callable[[bytes], object]:
            started[:] = start
            return lambda _: None

        try:
            result = app(environ, start_response)
            try:
                chunks = iter(result)
                body = next(chunks, b"") if leave else b"".join(chunks)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except Exception:  # noqa: BLE001 - whatever it is, a server would end the request
            return None
        shown = {name.lower(): value for name, value in started[1]}
        return Answer(int(started[0][:3]), body, shown)

    return ask


def _named(headers: dict[str, str]) -> dict[str, str]:
    """``x_request_id=...`` is the header ``x-request-id``."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
