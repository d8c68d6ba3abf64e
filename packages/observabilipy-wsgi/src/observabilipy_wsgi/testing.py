"""A server for tests: it calls a WSGI application in the test's own thread, without sockets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults

__all__ = ["Answer", "fetch", "http_environ", "serve"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client saw."""

    status: int
    headers: dict[str, str]
    body: bytes


def http_environ(path: str = "/", *, method: str = "GET", query: str = "", **more: Any) -> WSGIEnvironment:
    """The environ of a request, with further keys, or others for those that it has anyway.

    Args:
        path: as text.
        method: as it is sent.
        query: still percent-encoded, without the ``?``.
        more: for example ``HTTP_X_REQUEST_ID="abc"``. Any: what stands under a key is decided by PEP 3333 and servers.
    """
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query,
        **more,
    }
    setup_testing_defaults(environ)
    return environ


def serve(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """The whole answer to a request; names of headers in lower case. What the application raises goes through."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    body: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        if exc_info and body:
            raise exc_info[1]
        begun.append((status, headers))
        return body.append

    result = app(environ, start_response)
    try:
        body.extend(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    status, headers = begun[-1]
    return Answer(int(status[:3]), {name.lower(): value for name, value in headers}, b"".join(body))


def fetch(app: WSGIApplication, request: str, *, token: str = "", script_name: str = "") -> Answer:
    """Ask an application ``"GET /path?query"``.

    Args:
        app: the application.
        request: method and target.
        token: sent as Bearer, when there is one.
        script_name: where the server says that the application is.
    """
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    credentials = {"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}
    return serve(app, http_environ(path, method=method, query=query, SCRIPT_NAME=script_name, **credentials))
