"""Requests: the one meaning that a served HTTP request has, whichever framework served it.

Sources of the names: OpenTelemetry semantic conventions, "HTTP metrics", in the spelling of Prometheus.
"""

from collections.abc import Iterable
from time import perf_counter
from typing import Literal, TypeAlias

from observabilipy.errors import ConfigurationError
from observabilipy.observability import Observability

__all__ = ["UNMATCHED", "Outcome", "RecordedRequest", "RequestRecorder"]

Outcome: TypeAlias = Literal["complete", "aborted", "error"]
"""How a request ended: answered whole, the client went away, or the application raised."""

UNMATCHED = "__unmatched__"
"""The route of every request that no route of the application took."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
_OTHER_METHOD = "_OTHER"


class RequestRecorder:
    """Records requests: a duration and an access entry for each, and how many are being served.

    Args:
        obs: where to.
        access_log: record an entry for each request, too.
        exclude: paths that are not recorded; one that ends in ``*`` stands for all that begin like it.

    Raises:
        ConfigurationError: an excluded path that does not begin with a slash.
    """

    def __init__(self, obs: Observability, *, access_log: bool = True, exclude: Iterable[str] = ()) -> None:
        excluded = _checked_paths(exclude)
        self._paths = frozenset(path for path in excluded if not path.endswith("*"))
        self._prefixes = tuple(path.removesuffix("*") for path in excluded if path.endswith("*"))
        self.access_log = access_log
        self.obs = obs
        self.active = obs.gauge(
            "http_server_active_requests", "Requests being served.", labels=("method",), aggregate="sum"
        )
        self.duration = obs.histogram(
            "http_server_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its answer.",
            labels=("method", "route", "status"),
            unit="seconds",
        )

    def begin(self, method: str, path: str) -> "RecordedRequest | None":
        """A request came in; None for a path that is excluded."""
        if path in self._paths or path.startswith(self._prefixes):
            return None
        return RecordedRequest(self, method if method in _METHODS else _OTHER_METHOD, path)


def _checked_paths(exclude: Iterable[str]) -> tuple[str, ...]:
    paths = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    for path in paths:
        if isinstance(exclude, str) or not isinstance(path, str) or not path.startswith("/"):
            raise ConfigurationError(f"exclude takes paths that begin with a slash, got {exclude!r}: write ['/health']")
    return paths


class RecordedRequest:
    """One request under way. The adapter sets ``status`` and adds to ``response_bytes``, and ends it once."""

    __slots__ = ("_ended", "_method", "_path", "_recorder", "_started", "response_bytes", "status")

    def __init__(self, recorder: RequestRecorder, method: str, path: str) -> None:
        self._recorder = recorder
        self._method = method
        self._path = path
        self._ended = False
        self.status = 500  # what an application that never answers amounts to
        self.response_bytes = 0
        recorder.active.labels(method).inc()
        self._started = perf_counter()

    def ignore(self) -> None:
        """Leave no trace of this request, not even while it runs: it is one of our own endpoints."""
        if not self._ended:
            self._ended = True
            self._recorder.active.labels(self._method).dec()

    def end(self, route: str | None, outcome: Outcome = "complete") -> None:
        """The last byte is out, or never will be. Further calls do nothing.

        Args:
            route: the template that matched, such as ``/orders/{id}``; None when none did.
            outcome: how it ended.
        """
        if self._ended:
            return
        self._ended = True
        seconds = perf_counter() - self._started
        recorder = self._recorder
        recorder.active.labels(self._method).dec()
        route = route or UNMATCHED
        recorder.duration.labels(self._method, route, str(self.status)).observe(seconds)
        if recorder.access_log:
            log = recorder.obs.error if self.status >= 500 else recorder.obs.info
            log(
                f"{self._method} {self._path} {self.status}",
                method=self._method,
                route=route,
                path=self._path,
                status=self.status,
                duration_seconds=round(seconds, 6),
                response_bytes=self.response_bytes,
                outcome=outcome,
            )
