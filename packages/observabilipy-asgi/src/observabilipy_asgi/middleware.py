"""ObservabilityMiddleware: a duration and an access entry for each request of any ASGI application."""

from asyncio import CancelledError
from collections.abc import Iterable

from observabilipy import Observability
from observabilipy.requests import RecordedRequest, RequestRecorder
from observabilipy_asgi.lifespan import with_rest
from observabilipy_asgi.protocol import ASGIApp, Message, Receive, Scope, Send
from observabilipy_asgi.recording import Recording
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
        exclude: paths that are not recorded; one that ends in ``*`` stands for all that begin like it.
    """

    def __init__(
        self, app: ASGIApp, obs: Observability, *, access_log: bool = True, exclude: Iterable[str] = ()
    ) -> None:
        self._app = app
        self._obs = obs
        self._recorder = RequestRecorder(obs, access_log=access_log, exclude=exclude)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        if scope["type"] == "http" and REQUEST_KEY not in scope:
            await self._record(scope, receive, send)
        elif scope["type"] == "lifespan":
            await with_rest(self._app, self._obs, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _record(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = scope[REQUEST_KEY] = self._begin(scope)
        if request is None:
            return await self._app(scope, receive, send)
        recording = Recording(request, scope, self._obs.runtime.troubles)

        async def watched_receive() -> Message:
            message = await receive()
            recording.received(message)
            return message

        async def watched_send(message: Message) -> None:
            try:
                await send(message)
            except OSError:  # ASGI 2.4, "Disconnected Client - send exception"
                recording.client_left()
                raise
            recording.sent(message)

        try:
            await self._app(scope, watched_receive, watched_send)
        except CancelledError:  # by the server, which gives the connection up
            recording.client_left()
            raise
        finally:
            recording.returned()
        return None

    def _begin(self, scope: Scope) -> RecordedRequest | None:
        try:
            return self._recorder.begin(scope["method"], relative_path(scope))
        except Exception as error:  # noqa: BLE001 - the application must be served, recorded or not
            self._obs.runtime.troubles.failed("recording a request", error)
            return None
