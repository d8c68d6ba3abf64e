"""Endpoints: one Request in, one Response out, for any framework."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from observabilipy.awaiting import off_loop
from observabilipy.errors import StorageUnavailable, UnsupportedQuery
from observabilipy.http.access import Auth, Guard, access_guard, public
from observabilipy.http.added import AddedCollector, collected
from observabilipy.http.blocking import Naps, SyncResponse, answer_blocking
from observabilipy.http.flush import Flush
from observabilipy.http.limits import Limits
from observabilipy.http.logs import Logs
from observabilipy.http.message import Headers, Request, Response, single_chunk
from observabilipy.http.metrics import metrics_response
from observabilipy.http.problems import Problem, Refused
from observabilipy.http.shared import Renderings
from observabilipy.http.stream import Pause, asleep
from observabilipy.models import Clock, Family
from observabilipy.ports import LogStoragePort, MetricsStoragePort

__all__ = ["EVERY_ANSWER", "EndpointStorage", "Endpoints"]

EVERY_ANSWER: Headers = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Headers of each answer, whatever it is."""

_HEALTHY = b'{"status":"ok"}'
_UNAVAILABLE = Problem(
    503, "the store cannot be read now", hint="ask again in a few seconds", headers=((b"retry-after", b"5"),)
)
_FAILED = Problem(500, "the answer could not be made", hint="the service counts this; its operator can find out why")


_MOST_CALLS = 16
"""Of collectors under way at once. One that never returns holds a thread for each scrape."""


class EndpointStorage(LogStoragePort, MetricsStoragePort, Protocol):
    """What the endpoints read."""


class Endpoints:
    """``/metrics``, ``/logs`` and, if wanted, ``/health``.

    Args:
        storage: what is read.
        auth: who may read: a token, several, a callable ``(Request) -> bool | Awaitable[bool]``, or ``"public"``. Left
            out, ``OBSERVABILIPY_TOKEN`` or ``OBSERVABILIPY_TOKEN_FILE`` says it; with neither, every answer is a 403.
        metrics_auth: who may read ``/metrics``, when it is not the same.
        health: serve ``/health``, which shows no data and asks for no token.
        created: tell in OpenMetrics when each series began.
        flush: awaited for at most 250 ms before metrics or logs are read.
        on_error: told about exceptions that a client sees as a problem, or that an answer went on without.
        on_clash: told about a family that the exposition had to leave out, in a sentence.
        on_cut: told why an answer of ``/logs`` ended before it had everything: "bytes", "time", "gap" or "stopped".
        collectors: called for each answer of ``/metrics``, off the event loop, for families of other libraries; those
            that are appended later count, too.
        on_collector_failure: told which of them failed, and how.
        on_refused: told for want of what a reader of ``/logs`` was sent away: "heavy" or "followers".
        limits: how much of this process the readers of ``/logs`` may take.
        environ: where the variables are; ``os.environ`` if left out.
        monotonic: seconds that never jump, for the limits in time.
        sleep: waits for so many seconds; ``asyncio.sleep`` if left out.

    Raises:
        ConfigurationError: an empty token, or a token file that cannot be read.
    """

    def __init__(
        self,
        storage: EndpointStorage,
        *,
        auth: Auth = None,
        metrics_auth: Auth = None,
        health: bool = False,
        created: bool = False,
        flush: Callable[[], Awaitable[object]] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        on_clash: Callable[[str], None] | None = None,
        on_cut: Callable[[str], None] | None = None,
        on_refused: Callable[[str], None] | None = None,
        collectors: Sequence[AddedCollector] = (),
        on_collector_failure: Callable[[str, Exception], None] | None = None,
        limits: Limits | None = None,
        environ: Mapping[str, str] | None = None,
        monotonic: Clock = time.monotonic,
        sleep: Pause | None = None,
    ) -> None:
        self._storage = storage
        self._on_error = on_error or _ignore
        self._on_clash = on_clash
        self._created = created
        self._collectors = collectors
        self._on_collector_failure = on_collector_failure or (lambda _, error: self._on_error(error))
        environ = os.environ if environ is None else environ  # no default argument: help() would print it
        logs_guard = access_guard(auth, environ, self._on_error)
        metrics_guard = logs_guard if metrics_auth is None else access_guard(metrics_auth, environ, self._on_error)
        self._flush = None if flush is None else Flush(flush, self._on_error)
        self._sleep = sleep or asleep
        self._renderings = Renderings()
        self._calls: dict[object, int] = {}  # of the collectors, off the loop: in which process
        self._logs = Logs(
            storage,
            limits or Limits(),
            flushed=self._flushed,
            on_error=self._on_error,
            on_cut=on_cut or _ignore,
            on_refused=on_refused or _ignore,
            clock=monotonic,
        )
        self._answers: dict[str, tuple[Guard, Callable[[Request, Pause], Awaitable[Response]]]] = {
            "/metrics": (metrics_guard, self._metrics),
            "/logs": (logs_guard, self._logs.response),
        }
        if health:
            self._answers["/health"] = (public, _health)

    @property
    def paths(self) -> tuple[str, ...]:
        """What is served, for an adapter that makes a route of each."""
        return tuple(sorted(self._answers))

    async def handle(self, request: Request, *, granted: bool = False) -> Response:
        """Answer a request. Never raises for anything that a client sent or a store did before the body began.

        Args:
            request: what a client asked for.
            granted: a framework's own rules, such as its sessions, have let this client in: do not ask for a token.
        """
        return await self._handled(request, granted, self._sleep)

    def handle_sync(self, request: Request, *, granted: bool = False) -> SyncResponse:
        """Answer a request from code without an event loop, such as a WSGI application. The body must be closed."""
        naps = Naps()
        return answer_blocking(self._handled(request, granted, naps.ask_for), naps)

    async def _handled(self, request: Request, granted: bool, pause: Pause) -> Response:
        try:
            response = await self._answer(request, granted, pause)
            if request.method == "HEAD":
                await response.body.aclose()
        except Refused as refused:
            response = refused.problem.response()
        except UnsupportedQuery as error:
            response = Problem(400, str(error), hint="this store cannot do it: leave that parameter out").response()
        except StorageUnavailable as error:
            self._on_error(error)
            response = _UNAVAILABLE.response()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, a client gets an answer without internals
            self._on_error(error)
            response = _FAILED.response()
        body = single_chunk(b"") if request.method == "HEAD" else response.body
        return replace(response, headers=(*response.headers, *EVERY_ANSWER), body=body)

    async def _answer(self, request: Request, granted: bool, pause: Pause) -> Response:
        guard, answer = self._answers.get(request.path, (public, None))
        if answer is None:
            raise Refused(Problem(404, "nothing is served at this path", hint=f"served are {', '.join(self.paths)}"))
        if request.method not in {"GET", "HEAD"}:
            raise Refused(
                Problem(405, "this can only be read", hint="use GET or HEAD", headers=((b"allow", b"GET, HEAD"),))
            )
        if not granted:
            await guard(request)
        return await answer(request, pause)

    async def _metrics(self, request: Request, pause: Pause) -> Response:
        # Without an event loop of the application there is none to hold up, and maybe no other thread to be had.
        collect = self._collected_off_loop if self._collectors and pause is self._sleep else self._collected_here
        return await metrics_response(
            self._storage,
            request,
            self._flushed,
            self._renderings,
            added=collect,
            created=self._created,
            on_clash=self._on_clash,
        )

    async def _collected_here(self) -> list[Family]:
        return collected(self._collectors, self._on_collector_failure)

    async def _collected_off_loop(self) -> list[Family]:
        found: list[Family] = []
        calls, call = self._calls, object()
        if list(calls.values()).count(os.getpid()) >= _MOST_CALLS:
            error = RuntimeError(f"{_MOST_CALLS} calls have not returned: the answer goes on without them")
            self._on_collector_failure("calling the collectors", error)
            return found

        def collect() -> None:
            try:
                found.extend(collected(self._collectors, self._on_collector_failure, apart=True))
            finally:
                calls.pop(call, None)

        calls[call] = os.getpid()
        try:
            await off_loop(collect)
        except RuntimeError as error:  # no thread can be had now
            calls.pop(call, None)
            self._on_collector_failure("calling the collectors", error)
        return found

    async def _flushed(self) -> None:
        if self._flush is not None:
            await self._flush.wait()


async def _health(_request: Request, _pause: Pause) -> Response:
    headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(_HEALTHY)))
    return Response(200, headers, single_chunk(_HEALTHY))


def _ignore(_told: object) -> None:
    pass
