"""ObservabilityMiddleware: a duration and an access entry for each request that Django answers."""

import sys
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.handlers.asgi import ASGIRequest
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from observabilipy.requests import CLIENT_CLOSED_REQUEST, RecordedRequest
from observabilipy_django.route import template
from observabilipy_django.service import service
from observabilipy_django.stream import record_stream

__all__ = ["REQUEST_KEY", "ROUTE_KEY", "ObservabilityMiddleware", "recorded_request"]

REQUEST_KEY = "observabilipy.request"
"""Where in the scope or environ the request's record is, or None for a request that is not recorded."""

ROUTE_KEY = "observabilipy.route"
"""Where in the scope or environ a middleware around Django finds the template that matched."""

_Next: TypeAlias = Callable[[HttpRequest], HttpResponseBase]
_AsyncNext: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class ObservabilityMiddleware:
    """Records the requests that Django answers. Put it first in ``MIDDLEWARE``.

    It runs as the server does, in a thread or in the event loop, and changes between them nothing. A request that a
    middleware around Django records already gets its route, and no second record.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: _Next | _AsyncNext) -> None:
        self._next = cast("_Next", get_response)
        self._async_next = cast("_AsyncNext", get_response)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        # Now and not at the first request: servers load Django in the main thread, where alone SIGTERM can be handled.
        service.find_recorder()

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request."""
        if self._is_async:
            return self._answer(request)
        recorded = _begin(request)
        if recorded is None:
            try:
                return self._next(request)
            finally:
                _tell_route(request)
        recorded.enter()
        try:
            response = self._next(request)
            _answered(request, recorded, response)
        except BaseException as error:
            _unanswered(request, recorded, error)
            raise
        finally:
            recorded.leave()
        return response

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        recorded = _begin(request)
        if recorded is None:
            try:
                return await self._async_next(request)
            finally:
                _tell_route(request)
        recorded.enter()
        try:
            response = await self._async_next(request)
            _answered(request, recorded, response)
        except BaseException as error:
            _unanswered(request, recorded, error)
            raise
        finally:
            recorded.leave()
        return response


def recorded_request(request: HttpRequest) -> RecordedRequest | None:
    """The record of a request that is being answered, whoever keeps it."""
    return cast("RecordedRequest | None", _surroundings(request).get(REQUEST_KEY))


def _surroundings(request: HttpRequest) -> MutableMapping[str, Any]:
    """The ASGI scope or the WSGI environ. Any: see their specifications."""
    return cast("MutableMapping[str, Any]", request.scope if isinstance(request, ASGIRequest) else request.META)


def _begin(request: HttpRequest) -> RecordedRequest | None:
    recorder = service.recorder or service.find_recorder()
    if recorder is None:
        return None
    try:
        meta = request.META
        if isinstance(request, ASGIRequest):
            surroundings = cast("MutableMapping[str, Any]", request.scope)
            method = surroundings["method"]  # as it came: Django's own is in upper case
        else:
            surroundings = meta
            method = meta.get("REQUEST_METHOD", "")
        if REQUEST_KEY in surroundings:
            return None
        if recorder.reads_headers:
            recorded = recorder.begin(
                method,
                request.path_info,
                request_id=meta.get("HTTP_X_REQUEST_ID"),
                traceparent=meta.get("HTTP_TRACEPARENT"),
                content_length=meta.get("CONTENT_LENGTH"),
            )
        else:
            recorded = recorder.begin(method, request.path_info)
        surroundings[REQUEST_KEY] = recorded
    except Exception as error:  # noqa: BLE001 - the application comes first
        recorder.failed(error)
        return None
    return recorded


def _answered(request: HttpRequest, recorded: RecordedRequest, response: HttpResponseBase) -> None:
    try:
        if recorded.ids is not None:
            response.headers.setdefault("X-Request-ID", recorded.ids.request_id)
            if recorded.ids.traceparent is not None:
                response.headers.setdefault("traceparent", recorded.ids.traceparent)
        if recorded.ended:  # one of our own endpoints
            return
        recorded.status = response.status_code
        route = _route(request)
        if isinstance(response, StreamingHttpResponse):
            record_stream(response, recorded, route, files="wsgi.file_wrapper" in request.META)
            return
        if isinstance(response, HttpResponse):
            recorded.response_bytes = len(response.content)
        recorded.end(route)
    except Exception as error:  # noqa: BLE001 - a response may be of anybody's making
        recorded.recorder.failed(error)
        recorded.end(None)


def _unanswered(request: HttpRequest, recorded: RecordedRequest, error: BaseException) -> None:
    """Django answers every exception itself. What comes out is the end of a connection, of a process or of a test."""
    gone = isinstance(error, CancelledError)
    if gone:
        recorded.status = CLIENT_CLOSED_REQUEST
    else:
        recorded.failed(error)
    try:
        route = _route(request)
    except Exception as trouble:  # noqa: BLE001 - the application comes first
        recorded.recorder.failed(trouble)
        route = None
    recorded.end(route, "aborted" if gone else "error")


def _route(request: HttpRequest) -> str | None:
    match = request.resolver_match
    return None if match is None else template(match.route)


def _tell_route(request: HttpRequest) -> None:
    """Whoever records this request gets to know its route."""
    recorded = None
    try:
        surroundings = _surroundings(request)
        recorded = surroundings.get(REQUEST_KEY)
        if recorded is not None:
            surroundings[ROUTE_KEY] = _route(request)
    except Exception as error:  # noqa: BLE001 - the application comes first
        if recorded is not None:
            recorded.recorder.failed(error)


def _raised(*, request: HttpRequest | None = None, **_about: object) -> None:
    """Exceptions end before any middleware; Django tells of them in this signal, while they are being handled."""
    error = sys.exception()
    recorded = None if request is None or error is None else recorded_request(request)
    if recorded is not None and error is not None:
        recorded.failed(error)


got_request_exception.connect(_raised, dispatch_uid="observabilipy_django")
