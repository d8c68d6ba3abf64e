"""Applications: a small one in each framework, with the endpoints below /inner, and how to ask it."""

import string
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, cast
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIEnvironment

from tests.storm.drivers import Ask, ask_asgi, ask_wsgi
from tests.storm.hostile import TOKEN

from observabilipy import Observability
from observabilipy_asgi.protocol import ASGIApp, Receive, Scope, Send

__all__ = ["APPLICATIONS", "PREFIX", "SETTINGS", "Application"]

PREFIX = "/inner"
SETTINGS: Mapping[str, Any] = {  # Any: arguments of Observability
    "storage": "ring://?entries=100&samples=1000",
    "auth": TOKEN,
    "health": True,
    "handle_sigterm": False,
}

Application: TypeAlias = Callable[[], tuple[Ask, Observability]]


def bare_asgi() -> tuple[Ask, Observability]:
    from observabilipy_asgi import ObservabilityApp, ObservabilityMiddleware

    obs = _observability()
    endpoints = ObservabilityApp(obs)

    async def shop(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(f"{PREFIX}/"):
            await endpoints({**scope, "root_path": PREFIX}, receive, send)
            return
        status, route = _routed(scope["method"], scope["path"])
        scope["observabilipy.route"] = route
        await send({"type": "http.response.start", "status": status, "headers": []})
        for chunk in (b"some", b"body"):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    return ask_asgi(ObservabilityMiddleware(shop, obs, body_sizes=True)), obs


def fastapi() -> tuple[Ask, Observability]:
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse

    from observabilipy_fastapi import instrument

    # Its redirect to a path with or without a slash cannot spell a query that is not UTF-8, and fails.
    app = FastAPI(redirect_slashes=False)

    @app.get("/items/{item}")
    async def item(item: str) -> dict[str, str]:
        return {"item": item}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"some"
            yield b"body"

        return StreamingResponse(chunks())

    return ask_asgi(app), instrument(app, _observability(), prefix=PREFIX, body_sizes=True)


def bare_wsgi() -> tuple[Ask, Observability]:
    from observabilipy_wsgi import ObservabilityApp, ObservabilityMiddleware

    obs = _observability()
    endpoints = ObservabilityApp(obs)

    def shop(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(f"{PREFIX}/"):
            environ |= {"SCRIPT_NAME": PREFIX, "PATH_INFO": path.removeprefix(PREFIX)}
            return endpoints(environ, start_response)
        status, environ["observabilipy.route"] = _routed(environ["REQUEST_METHOD"], path)
        start_response(f"{status} so it is", [])
        return iter([b"some", b"body"])

    return ask_wsgi(ObservabilityMiddleware(shop, obs, body_sizes=True)), obs


def flask() -> tuple[Ask, Observability]:
    from flask import Flask, Response

    from observabilipy_wsgi.flask import Observabilipy

    app = Flask(__name__)
    # Its redirect to a path without double slashes cannot spell a query that holds a line break, and fails.
    app.url_map.merge_slashes = False

    @app.get("/items/<item>")
    def item(item: str) -> str:
        return item

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[bytes]:
            yield b"some"
            yield b"body"

        return Response(chunks())

    extension = Observabilipy(app, _observability(), prefix=PREFIX, body_sizes=True)
    return ask_wsgi(app), extension.obs


def django_wsgi() -> tuple[Ask, Observability]:
    from tests.storm.django_application import observability, wsgi_handler

    return ask_wsgi(wsgi_handler()), observability()


def django_asgi() -> tuple[Ask, Observability]:
    from tests.storm.django_application import asgi_handler, observability

    obs = observability()
    ask = ask_asgi(cast("ASGIApp", asgi_handler()))
    # Bytes that are not ASCII, which no server lets through, Django refuses itself before any middleware.
    return lambda request: ask(replace(request, query=quote(request.query, safe=string.printable).encode())), obs


APPLICATIONS: Mapping[str, Application] = {
    "asgi": bare_asgi,
    "fastapi": fastapi,
    "wsgi": bare_wsgi,
    "flask": flask,
    "django-wsgi": django_wsgi,
    "django-asgi": django_asgi,
}


def _observability() -> Observability:
    return Observability(**SETTINGS)


def _routed(method: str, path: str) -> tuple[int, str | None]:
    """What an application without a framework answers, and the route it says."""
    item = path.removeprefix("/items/")
    route = "/stream" if path == "/stream" else "/items/{item}" if item != path and item and "/" not in item else None
    if route is None:
        return 404, None
    return (200 if method in {"GET", "HEAD"} else 405), route
