"""Drivers: each asks an application as servers of its interface do, without sockets."""

import asyncio
import atexit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

from tests.storm.hostile import Hostile

from observabilipy_asgi.protocol import ASGIApp
from observabilipy_asgi.testing import http_scope, serve

__all__ = ["Answer", "Ask", "ask_asgi", "ask_wsgi"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client saw; names of headers in lower case."""

    status: int
    headers: list[tuple[str, str]]
    has_body: bool


Ask: TypeAlias = Callable[[Hostile], Answer]


def ask_asgi(app: ASGIApp) -> Ask:
    """Ask as uvicorn does, in one event loop: what is not UTF-8 in a path is replaced."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)  # the storm is all that its process does

    def ask(request: Hostile) -> Answer:
        start, *parts = loop.run_until_complete(serve(app, _scope(request)))
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(start["status"], headers, any(part.get("body") for part in parts))

    return ask


def ask_wsgi(app: WSGIApplication) -> Ask:
    """Ask as gunicorn does: text holds a byte in each character, and headers that came twice are joined."""

    def ask(request: Hostile) -> Answer:
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        # Any: exc_info, which servers raise when it comes too late, and nothing here is sent before its end.
        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None, /) -> Callable[[bytes], object]:
            begun.append((status, headers))
            return written.append

        result = app(_environ(request), start_response)
        try:
            written.extend(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        status, headers = begun[-1]
        return Answer(int(status[:3]), [(name.lower(), value) for name, value in headers], any(written))

    return ask


def _scope(request: Hostile) -> dict[str, Any]:  # Any: see Scope
    return {
        **http_scope(request.path.decode("utf-8", "replace"), method=request.method, query=request.query),
        "raw_path": quote(request.path).encode(),
        "headers": [(b"host", b"test"), *request.headers],
    }


def _environ(request: Hostile) -> WSGIEnvironment:
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path.decode("latin-1"),
        "QUERY_STRING": request.query.decode("latin-1"),
    }
    for name, value in request.headers:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    setup_testing_defaults(environ)
    return environ
