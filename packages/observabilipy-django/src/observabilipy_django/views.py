"""Views: the endpoints behind Django's requests and responses."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from asgiref.sync import async_to_sync
from django.contrib.auth.decorators import login_not_required
from django.core.handlers.asgi import ASGIRequest
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from observabilipy.encoding.json_text import json_text
from observabilipy.errors import ConfigurationError
from observabilipy.http import EVERY_ANSWER, Endpoints, Headers, Request, Response, client_of
from observabilipy.http.problems import PROBLEM_CONTENT_TYPE, Problem
from observabilipy_django.middleware import recorded_request
from observabilipy_django.permission import may_read
from observabilipy_django.service import service

__all__ = ["endpoint"]

_MISCONFIGURED = Problem(
    500,
    "the settings of this endpoint cannot work",
    hint="'manage.py check' tells whoever runs this service what is wrong",
    headers=EVERY_ANSWER,
)


@csrf_exempt  # what is not a GET is refused by the endpoint, as a 405
@login_not_required  # it asks for its own credentials: a scraper cannot fill in a form
@non_atomic_requests  # it uses no database of Django's, and streams beyond the end of a transaction
def endpoint(request: HttpRequest, path: str) -> HttpResponseBase:
    """Answer as ``/metrics``, ``/logs`` or ``/health``, streaming as the server of this request can.

    A synchronous view, so that ``request.user`` may ask the database. Under ASGI it is called in a thread, and the
    endpoint runs in the request's own event loop all the same.
    """
    recorded = recorded_request(request)
    if recorded is not None:
        recorded.ignore()
    try:
        obs = service.observability()
        if obs is None:
            raise ConfigurationError("it is only being made")
        endpoints = obs.endpoints
    except ConfigurationError as error:
        service.say(f"the endpoints cannot answer: {error}")
        return _misconfigured()
    granted = may_read(
        request,
        service.permission,
        lambda error: obs.runtime.troubles.failed("asking the permission", error),
    )
    return _answer(request, endpoints, path, granted=granted)


def _answer(request: HttpRequest, endpoints: Endpoints, path: str, *, granted: bool) -> StreamingHttpResponse:
    method = request.method or ""
    client = client_of(*(request.META.get(name) for name in ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_PORT")))
    # The wrong kind of body is collected whole before its first byte goes out.
    if isinstance(request, ASGIRequest):
        query = request.scope.get("query_string", b"")
        query = query if isinstance(query, bytes) else query.encode()  # Django's own test client sends a string
        asked = Request(method, path, query, tuple(request.scope["headers"]), client)
        response, loop = async_to_sync(_handled)(endpoints, asked, granted)
        body = _AsyncBody(response.body, loop)
        return StreamingHttpResponse(body, status=response.status, headers=_shown(response.headers))
    query = request.META.get("QUERY_STRING", "").encode("latin-1")
    answer = endpoints.handle_sync(Request(method, path, query, _headers(request), client), granted=granted)
    return StreamingHttpResponse(answer.body, status=answer.status, headers=_shown(answer.headers))


async def _handled(
    endpoints: Endpoints,
    asked: Request,
    granted: bool,
) -> tuple[Response, asyncio.AbstractEventLoop]:
    return await endpoints.handle(asked, granted=granted), asyncio.get_running_loop()


def _headers(request: HttpRequest) -> Headers:
    """The headers of a WSGI request, under their own names again."""
    return tuple(
        (
            name.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1"),
            str(value).encode("latin-1", "replace"),
        )
        for name, value in request.META.items()
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    )


def _shown(headers: Headers) -> dict[str, str]:
    """The headers of an answer; Django keeps one of each name, and a list is as good (RFC 9110, section 5.3)."""
    shown: dict[str, str] = {}
    for name, value in headers:
        text = value.decode("latin-1")
        key = name.decode("latin-1").title()
        shown[key] = f"{shown[key]}, {text}" if key in shown else text
    return shown


def _misconfigured() -> HttpResponse:
    return HttpResponse(
        json_text(_MISCONFIGURED.document()) + "\n",
        status=_MISCONFIGURED.status,
        headers={"Content-Type": PROBLEM_CONTENT_TYPE, **_shown(_MISCONFIGURED.headers)},
    )


class _AsyncBody:
    """A body that is closed in the event loop that it came from. Django calls ``close`` in a thread, at the end."""

    def __init__(self, body: AsyncGenerator[bytes, None], loop: asyncio.AbstractEventLoop) -> None:
        self._body = body
        self._loop = loop

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._body

    def close(self) -> None:
        closing = self._closed()
        try:
            asyncio.run_coroutine_threadsafe(closing, self._loop)
        except RuntimeError:  # the loop is closed, and has closed the body
            closing.close()

    async def _closed(self) -> None:
        await self._body.aclose()
