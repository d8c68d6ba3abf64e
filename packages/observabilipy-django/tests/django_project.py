"""A Django project for the tests: its settings, its views, and servers that call it without sockets."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from wsgiref.util import setup_testing_defaults

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.test import override_settings
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from observabilipy import LogQuery, Observability, installation
from observabilipy_django.service import service

MIDDLEWARE = "observabilipy_django.middleware.ObservabilityMiddleware"
PROJECT: dict[str, Any] = {
    "ALLOWED_HOSTS": ["*"],
    "INSTALLED_APPS": ["observabilipy_django"],
    "MIDDLEWARE": [
        MIDDLEWARE,
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    "ROOT_URLCONF": "django_project",
    "SECRET_KEY": "only for tests",
}

_found_before = installation._find
if not settings.configured:
    settings.configure(**PROJECT)
django.setup()
installation.provide(_found_before)  # which the app has just taken over, for all tests of this process


@contextmanager
def configured(**changed: Any) -> Iterator[None]:
    """The project with these settings. Nothing of it is found by others afterwards: its app is made ready each time."""
    before = installation._find
    try:
        with override_settings(**{**PROJECT, **changed}):
            yield
    finally:
        installation.provide(before)
        service.reset()


@contextmanager
def running(**setting: Any) -> Iterator[Observability]:
    """The project with these keys in OBSERVABILIPY, as a new process would have it."""
    with configured(OBSERVABILIPY={"HANDLE_SIGTERM": False, "FLUSH_INTERVAL": 3600, **setting}):
        installation.provide(service.observability)
        obs = service.observability()
        assert obs is not None
        yield obs


def entries(obs: Observability) -> list[tuple[str, dict[str, object]]]:
    """Message and attributes of everything in the log, without durations, which are others each time."""

    async def read() -> list[tuple[str, dict[str, object]]]:
        return [(e.message, {k: v for k, v in e.attributes.items() if k != "duration_seconds"}) async for e in stored]

    obs.flush()
    stored = obs.storage.read_logs(LogQuery())
    return asyncio.run(read())


def recorded(obs: Observability) -> list[tuple[object, ...]]:
    """What the access entries say: method, route, status, bytes and outcome."""
    names = ("method", "route", "status", "response_bytes", "outcome")
    return [tuple(about[name] for name in names) for _, about in entries(obs) if "outcome" in about]


@contextmanager
def logging_to(obs: Observability) -> Iterator[None]:
    """The log of the shop goes there, too."""
    handler = obs.logging_handler()
    logging.getLogger("shop").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("shop").removeHandler(handler)


# Servers


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client saw."""

    status: int
    headers: dict[str, str]
    body: bytes


Server = Callable[..., Answer]


def by_wsgi(request: str, headers: Mapping[str, str] | None = None, **environ: Any) -> Answer:
    """Ask the project ``"GET /path?query"`` as a WSGI server does."""
    status, shown, body = begun_by_wsgi(request, headers, **environ)
    try:
        return Answer(status, shown, b"".join(body))
    finally:
        body.close()


def begun_by_wsgi(
    request: str, headers: Mapping[str, str] | None = None, **environ: Any
) -> tuple[int, dict[str, str], Any]:
    """The same with a body that nobody has read or closed yet."""
    method, target = request.split(" ")
    path_info, _, query = target.partition("?")
    sent = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in (headers or {}).items()}
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path_info, "QUERY_STRING": query, **sent, **environ}
    setup_testing_defaults(environ)
    start = StartResponse()
    body = WSGIHandler()(environ, start)
    return start.status, start.headers, body


class StartResponse:
    """The server's side of PEP 3333, as far as Django uses it."""

    def __call__(self, status: str, headers: list[tuple[str, str]], _info: Any = None, /) -> Callable[[bytes], object]:
        self.status = int(status[:3])
        self.headers = {name.lower(): value for name, value in headers}
        return lambda _: None


def by_asgi(request: str, headers: Mapping[str, str] | None = None, **scope: Any) -> Answer:
    """Ask the project ``"GET /path?query"`` as an ASGI server does."""
    sent = asyncio.run(messages_by_asgi(request, headers, **scope))
    shown = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], shown, b"".join(message.get("body", b"") for message in sent[1:]))


async def messages_by_asgi(request: str, headers: Mapping[str, str] | None = None, **scope: Any) -> list[Any]:
    """The messages of the answer."""
    return await served(http_scope(request, headers, **scope))


async def served(
    scope: dict[str, Any],
    *,
    leave: "asyncio.Event | None" = None,
    on_sent: Callable[[Any], None] = lambda _: None,
) -> list[Any]:
    """The messages of the answer. The client leaves when ``leave`` is set."""
    sent: list[Any] = []
    to_hear = iter([{"type": "http.request", "body": b"", "more_body": False}])
    gone = leave or asyncio.Event()

    async def receive() -> Any:
        for message in to_hear:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        on_sent(message)
        await asyncio.sleep(0)

    await ASGIHandler()(scope, receive, send)
    return sent


def http_scope(request: str, headers: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    method, target = request.split(" ")
    path_info, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path_info,
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"test"), *((n.lower().encode(), v.encode()) for n, v in (headers or {}).items())],
        **more,
    }


# Views


def item(request: HttpRequest, number: int) -> HttpResponse:
    logging.getLogger("shop").warning("in a thread")
    return HttpResponse(f"item {number}")


async def async_item(request: HttpRequest, number: int) -> HttpResponse:
    logging.getLogger("shop").warning("in the loop")
    return HttpResponse(f"item {number}")


def regular(request: HttpRequest, **_named: str) -> HttpResponse:
    return HttpResponse("ok")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404("no such order")


def broken(request: HttpRequest) -> HttpResponse:
    raise LookupError("on purpose")


async def async_broken(request: HttpRequest) -> HttpResponse:
    raise LookupError("on purpose")


def unchanged(request: HttpRequest) -> HttpResponse:
    return HttpResponseNotModified()


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def marked(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", headers={"X-Request-ID": "its-own"})


def chunks() -> Iterator[bytes]:
    for chunk in (b"12", b"345"):
        logging.getLogger("shop").warning("chunk")
        yield chunk


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks())


async def async_chunks() -> AsyncIterator[bytes]:
    for chunk in chunks():
        yield chunk


def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(async_chunks())


def breaking_chunks() -> Iterator[bytes]:
    yield b"12"
    raise LookupError("on purpose")


def breaking_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(breaking_chunks())


async def breaking_async_chunks() -> AsyncIterator[bytes]:
    yield b"12"
    raise LookupError("on purpose")


def breaking_async_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(breaking_async_chunks())


def file(request: HttpRequest) -> FileResponse:
    content = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    content.write(b"12345")
    content.seek(0)
    return FileResponse(content)


LEFT = SimpleNamespace(reached=None, ended=[])
"""What ``slow`` and ``endless`` wait for, and tell."""


async def slow(request: HttpRequest) -> HttpResponse:
    LEFT.reached.set()
    await asyncio.Event().wait()
    raise AssertionError("nothing sets it")


async def endless_chunks() -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"12345"
    finally:
        LEFT.ended.append("closed")


async def endless(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(endless_chunks())


def as_staff(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware in the place of Django's: a header says who the user is."""

    def middleware(request: HttpRequest) -> HttpResponse:
        traits = request.headers.get("X-Traits", "").split(",")
        request.user = SimpleNamespace(  # type: ignore[assignment] # as much of a user as is looked at
            is_active="active" in traits, is_staff="staff" in traits
        )
        return get_response(request)

    return middleware


def only_bob(request: HttpRequest) -> bool:
    return request.headers.get("X-Name") == "bob"


def truthy(request: HttpRequest) -> str:
    return "yes"


def failing(request: HttpRequest) -> bool:
    raise LookupError("on purpose")


async def asynchronous(request: HttpRequest) -> bool:
    return True


NO_FUNCTION = 7

urlpatterns = [
    path("items/<int:number>", item),
    path("async/<int:number>", async_item),
    re_path(r"^re/(?P<x>\d+)$", regular),
    path("shop/", include([re_path(r"^orders/(?P<order>[^/.]+)/?$", regular)])),
    path("missing", missing),
    path("broken", broken),
    path("async-broken", async_broken),
    path("unchanged", unchanged),
    path("empty", empty),
    path("marked", marked),
    path("stream", stream),
    path("async-stream", async_stream),
    path("breaking-stream", breaking_stream),
    path("breaking-async-stream", breaking_async_stream),
    path("file", file),
    path("slow", slow),
    path("endless", endless),
    path("get-only", csrf_exempt(require_GET(regular))),
    path("slashed/", regular),
    path("observability/", include("observabilipy_django.urls")),
]
