"""Requests: the one meaning that a served HTTP request has, whichever framework served it.

Sources of the names: OpenTelemetry semantic conventions, "HTTP metrics", in the spelling of Prometheus.
"""

from collections.abc import Iterable
from time import perf_counter
from typing import Literal, TypeAlias

from observabilipy.errors import ConfigurationError
from observabilipy.instruments import Gauge, Histogram
from observabilipy.logs.context import Earlier, add_context, restore_context
from observabilipy.logs.exceptions import exception_attributes
from observabilipy.models import DEFAULT_SERIES_LIMIT
from observabilipy.observability import Observability
from observabilipy.request_ids import RequestIds

__all__ = ["CLIENT_CLOSED_REQUEST", "UNMATCHED", "Outcome", "RecordedRequest", "RequestIds", "RequestRecorder"]

Outcome: TypeAlias = Literal["complete", "aborted", "error"]
"""How a request ended: answered whole, the client went away, or the application failed (raised, stopped, said 5xx)."""

UNMATCHED = "__unmatched__"
"""The route of every request that no route of the application took."""

CLIENT_CLOSED_REQUEST = 499
"""The status when the client was gone before an answer had begun. nginx's word."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
_OTHER_METHOD = "_OTHER"
_WITHOUT_BODY = frozenset({204, 304})
_SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
_LONGEST_PATH = 2_048  # characters in an entry; what is longer was not meant for us
_MOST_DIGITS = 18  # of a Content-Length that is believed


class RequestRecorder:
    """Records requests: a duration and an access entry for each, and how many are being served.

    Nothing that an adapter calls here raises: the application comes first.

    Args:
        obs: where to.
        access_log: record an entry for each request, too.
        request_ids: give each request its ids, in all that it logs and in its answer.
        body_sizes: measure the bodies of requests and answers, too.
        exclude: paths that are left alone; one that ends in ``*`` stands for all that begin like it.

    Raises:
        ConfigurationError: an excluded path that does not begin with a slash.
    """

    def __init__(
        self,
        obs: Observability,
        *,
        access_log: bool = True,
        request_ids: bool = True,
        body_sizes: bool = False,
        exclude: Iterable[str] = (),
    ) -> None:
        excluded = _checked_paths(exclude)
        self._paths = frozenset(path for path in excluded if not path.endswith("*"))
        self._prefixes = tuple(path.removesuffix("*") for path in excluded if path.endswith("*"))
        self._excludes = bool(excluded)
        self.access_log = access_log
        self.request_ids = request_ids
        self.obs = obs
        active = obs.gauge("http_server_active_requests", "Requests being served.", labels=("method",), aggregate="sum")
        self._active = {method: active.labels(method) for method in (*_METHODS, _OTHER_METHOD)}
        self._duration = obs.histogram(
            "http_server_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its answer.",
            labels=("method", "route", "status"),
            unit="seconds",
        )
        self._durations: dict[tuple[str, str, int], Histogram] = {}
        self.body_sizes = _BodySizes(obs) if body_sizes else None
        self.reads_headers = request_ids or body_sizes

    def begin(
        self,
        method: str,
        path: str,
        *,
        request_id: str | None = None,
        traceparent: str | None = None,
        content_length: str | None = None,
    ) -> "RecordedRequest | None":
        """A request came in; None for a path that is excluded.

        Args:
            method: as it came.
            path: as the application sees it, without the query.
            request_id: the header ``X-Request-ID``; several of them joined by a comma.
            traceparent: the header ``traceparent``, likewise.
            content_length: the header ``Content-Length``, likewise.
        """
        try:
            if self._excludes and (path in self._paths or path.startswith(self._prefixes)):
                return None
            gauge = self._active.get(method)
            if gauge is None:
                method = _OTHER_METHOD
                gauge = self._active[method]
            request = RecordedRequest(self, gauge, method, path)
            if self.request_ids:
                request.ids = RequestIds(request_id, traceparent)
            if self.body_sizes is not None:
                request.request_bytes = _declared(content_length)
        except Exception as error:  # noqa: BLE001 - see the class
            self.failed(error)
            return None
        return request

    def duration(self, method: str, route: str, status: int) -> Histogram:
        """The series of requests that end so."""
        key = (method, route, status)
        series = self._durations.get(key)
        if series is None:
            series = self._duration.labels(method, route, str(status))
            if len(self._durations) < DEFAULT_SERIES_LIMIT:  # what is beyond shares a series anyway
                self._durations[key] = series
        return series

    def failed(self, error: Exception) -> None:
        """Recording failed: counted and said once."""
        self.obs.runtime.troubles.failed("recording a request", error)


class _BodySizes:
    """How large the bodies are: of requests as clients declare it, where they do; of answers as it was sent."""

    def __init__(self, obs: Observability) -> None:
        labels = ("method", "route", "status")
        self._request, self._response = (
            obs.histogram(f"http_server_{side}_body_size_bytes", help, labels=labels, unit="bytes", buckets=_SIZES)
            for side, help in (
                ("request", "Size of request bodies, as clients declared it in Content-Length."),
                ("response", "Size of the bodies that were sent."),
            )
        )

    def observe(self, method: str, route: str, status: int, request: int | None, response: int) -> None:
        if request is not None:
            self._request.labels(method, route, str(status)).observe(request)
        self._response.labels(method, route, str(status)).observe(response)


def _declared(content_length: str | None) -> int | None:
    if content_length and len(content_length) <= _MOST_DIGITS and content_length.isascii() and content_length.isdigit():
        return int(content_length)
    return None


def _checked_paths(exclude: Iterable[str]) -> tuple[str, ...]:
    paths = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    for path in paths:
        if isinstance(exclude, str) or not isinstance(path, str) or not path.startswith("/"):
            raise ConfigurationError(
                f"exclude takes a list of paths that begin with a slash, got {exclude!r}: write ['/health']"
            )
    return paths


class RecordedRequest:
    """One request under way.

    The adapter sets ``status``, adds to ``response_bytes``, and ends it once: then it is ``ended``. Unless ``ids`` is
    None, because none are wanted, it puts them into the headers of the answer. It calls ``enter`` before and ``leave``
    after each piece of the application that runs, in the same thread and task, and ``end`` in between, so that all that
    is logged carries the ids.
    """

    # Defaults in the class, not set one by one for each request: that alone took 0.3 microseconds.
    ended = False
    ids: RequestIds | None = None
    request_bytes: int | None = None
    response_bytes = 0
    status = 500
    """What an application that never answers amounts to."""
    _error: BaseException | None = None
    _earlier: Earlier | None = None
    _seconds: float | None = None

    def __init__(self, recorder: RequestRecorder, active: Gauge, method: str, path: str) -> None:
        self.recorder = recorder
        self._active = active
        self._method = method
        self._path = path
        active.inc()
        self._started = perf_counter()

    @property
    def has_no_body(self) -> bool:
        """Whether the answer has none to send, whatever the application gives (RFC 9110, section 6.4.1)."""
        return self._method == "HEAD" or self.status in _WITHOUT_BODY

    def enter(self) -> None:
        """The application runs: what it logs from here on carries the ids."""
        if self.ids is not None:
            self._earlier = add_context(self.ids.attributes)

    def leave(self) -> None:
        """The application does not run any more, or not now."""
        earlier, self._earlier = self._earlier, None
        if earlier is not None:
            try:  # noqa: SIM105 - suppress() would take 0.4 microseconds of each request
                restore_context(earlier)
            except ValueError:  # entered in another context, which took its ids along
                pass

    def failed(self, error: BaseException) -> None:
        """The application raised this: the access entry tells it."""
        if not self.ended:
            self._error = error

    def last_byte_sent(self) -> None:
        """The answer is out, but more may become known before the end: the time until here is what it took."""
        self._seconds = perf_counter() - self._started

    def ignore(self) -> None:
        """Leave no trace of this request, not even while it runs: it is one of our own endpoints."""
        if not self.ended:
            self.ended = True
            self._active.dec()

    def end(self, route: str | None, outcome: Outcome = "complete") -> None:
        """The last byte is out, or never will be. Further calls do nothing.

        Args:
            route: the template that matched, such as ``/orders/{id}``; None when none did.
            outcome: how it ended. A whole answer with a status from 500 on is an error all the same.
        """
        if self.ended:
            return
        self.ended = True
        seconds = self._seconds if self._seconds is not None else perf_counter() - self._started
        recorder = self.recorder
        try:
            self._active.dec()
            route = route or UNMATCHED
            status = self.status
            if self.response_bytes and self.has_no_body:
                self.response_bytes = 0  # whatever the application sends then, the server keeps it back
            recorder.duration(self._method, route, status).observe(seconds)
            if recorder.body_sizes is not None:
                recorder.body_sizes.observe(self._method, route, status, self.request_bytes, self.response_bytes)
            if recorder.access_log:
                self._log(route, "error" if outcome == "complete" and status >= 500 else outcome, seconds)
        except Exception as error:  # noqa: BLE001 - see RequestRecorder
            recorder.failed(error)
        self._error = None  # its frames may hold this request, and much else

    def _log(self, route: str, outcome: Outcome, seconds: float) -> None:
        path = self._path if len(self._path) <= _LONGEST_PATH else f"{self._path[:_LONGEST_PATH]}…"
        attributes: dict[str, object] = {
            "method": self._method,
            "route": route,
            "path": path,
            "status": self.status,
            "duration_seconds": int(seconds * 1e6 + 0.5) / 1e6,  # to the microsecond, in half the time of round()
            "response_bytes": self.response_bytes,
            "outcome": outcome,
        }
        if self._error is not None:
            attributes |= exception_attributes((type(self._error), self._error, self._error.__traceback__))
        level = "ERROR" if self.status >= 500 else "INFO"
        self.recorder.obs.record(level, f"{self._method} {path} {self.status}", attributes)
