"""ObservabilityMiddleware: a duration and an access entry for each request of any ASGI application."""

from asyncio import CancelledError
from collections.abc import Collection, Iterable

from observabilipy import Observability
from observabilipy.requests import RecordedRequest, RequestRecorder
from observabilipy_asgi.exchange import Exchange
from observabilipy_asgi.lifespan import with_rest
from observabilipy_asgi.protocol import ASGIApp, Receive, Scope, Send
from observabilipy_asgi.route import relative_path

__all__ = ["REQUEST_KEY", "ObservabilityMiddleware"]

REQUEST_KEY = "observabilipy.request"
"""Where in the scope the request's record is, or None for a request that is not recorded."""


class ObservabilityMiddleware:
    """Records the HTTP requests that an application answers, and commits everything when the server stops it.

    Put it outermost. Other kinds of connection pass through; so do requests that another one around it records.

    Args:
        app: the application.
        obs: where requests are recorded.
        access_log: record a log entry for each request, too.
        request_ids: give each request its ids, in all that it logs and in its answer.
        body_sizes: measure the bodies of requests and answers, too.
        exclude: paths that are left alone; one that ends in ``*`` stands for all that begin like it.
    """

    def __init__(
        self,
        app: ASGIApp,
        obs: Observability,
        *,
        access_log: bool = True,
        request_ids: bool = True,
        body_sizes: bool = False,
        exclude: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._obs = obs
        self._recorder = RequestRecorder(
            obs, access_log=access_log, request_ids=request_ids, body_sizes=body_sizes, exclude=exclude
        )

    # Keyword names as the specification spells them: daphne calls by name.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await with_rest(self._app, self._obs, scope, receive, send)
            return
        request = self._begin(scope) if kind == "http" and REQUEST_KEY not in scope else None
        if request is None:
            await self._app(scope, receive, send)
            return
        exchange = Exchange(request, scope, receive, send)
        if request.ids is not None:
            request.enter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except CancelledError:  # by the server, which gives the connection up
            exchange.left()
            raise
        except BaseException as error:
            request.failed(error)
            raise
        finally:
            if not request.ended:
                exchange.unfinished()
            if request.ids is not None:
                request.leave()

    def _begin(self, scope: Scope) -> RecordedRequest | None:
        recorder = self._recorder
        path = relative_path(scope)
        if recorder.reads_headers:
            sent = _by_name(scope["headers"])
            request = recorder.begin(
                scope["method"],
                path,
                request_id=_text(sent.get(b"x-request-id")),
                traceparent=_text(sent.get(b"traceparent")),
                content_length=_text(sent.get(b"content-length")),
            )
        else:
            request = recorder.begin(scope["method"], path)
        scope[REQUEST_KEY] = request
        return request


def _by_name(headers: Collection[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; one that came several times is joined by commas, which none of ours may hold."""
    by_name = dict(headers)
    if len(by_name) != len(headers):  # of twenty requests one or two, so that the others can be quick
        by_name = {}
        for name, value in headers:
            by_name[name] = by_name[name] + b"," + value if name in by_name else value
    return by_name


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
