"""Answer: how an application's answer begins and ends, and what that means for the request's record."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TypeAlias
from wsgiref.types import StartResponse, WSGIEnvironment

from observabilipy.requests import CLIENT_CLOSED_REQUEST, Outcome, RecordedRequest, RequestIds
from observabilipy_wsgi.environ import ROUTE_KEY
from observabilipy_wsgi.route import RouteOf, caught_exception, found_route, mount, note_flask

__all__ = ["Answer"]

_Headers: TypeAlias = list[tuple[str, str]]
_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Answer:
    """The beginning and the end of an answer; its ``start_response`` stands before the server's.

    Args:
        request: what is recorded.
        environ: of the request.
        start_response: the server's.
        route_of: asked for the template that matched, where the environ does not tell it.
    """

    # Within a framework, whose code has taken the processor's caches, a call takes about 0.4 microseconds, and so does
    # each object that is made: hence one object with slots, and things in line that would be functions elsewhere.
    __slots__ = ("_environ", "_mount", "_path", "_route_of", "_script_name", "_start", "_write", "headers", "request")

    def __init__(
        self,
        request: RecordedRequest,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        route_of: RouteOf | None,
    ) -> None:
        self.request = request
        self.headers: _Headers | None = None
        self._environ = environ
        self._start = start_response
        self._route_of = route_of
        self._mount = ""
        # As they came: what is mounted within moves them.
        self._script_name = environ.get("SCRIPT_NAME", "")
        self._path = environ.get("PATH_INFO", "")

    def start_response(
        self, status: str, headers: _Headers, exc_info: _ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """Begin the answer, or begin it anew after an error, as long as nothing was sent."""
        request = self.request
        if request.ids is not None:
            try:
                headers = _with_ids(headers, request.ids)
            except Exception as error:  # noqa: BLE001 - the server decides what it takes
                request.recorder.failed(error)
        if exc_info:
            if exc_info[1] is not None:
                request.failed(exc_info[1])
            self._write = self._start(status, headers, exc_info)
        else:
            self._write = self._start(status, headers)
        self.headers = headers
        try:
            request.status = int(status[:3])
            environ = self._environ
            # Now, while frameworks are where they are: later Flask has taken its request away, and Bottle has moved
            # SCRIPT_NAME back.
            if environ.get("SCRIPT_NAME", "") != self._script_name:
                self._mount = mount(environ, self._script_name, self._path)
            if environ.get("werkzeug.request") is not None:
                note_flask(environ, request)
        except Exception as error:  # noqa: BLE001 - others than PEP 3333 knows may call us, or keep what is read here
            request.recorder.failed(error)
        return self.write

    def write(self, chunk: bytes) -> None:
        """Send a chunk before the application has returned."""
        try:
            self._write(chunk)
        except OSError as error:  # nobody is there to read it
            self.request.failed(error)
            self.end("aborted")
            raise
        self.request.response_bytes += len(chunk)

    def fail(self, error: BaseException) -> None:
        """The application raised this: no more will come."""
        self.request.failed(error)
        self.end("error")

    def end(self, outcome: Outcome, chunks: Iterable[bytes] = ()) -> None:
        """No more will come than these chunks. What never began is an error, or has lost its client."""
        request = self.request
        if request.ended:
            return
        route = None
        environ = self._environ
        try:
            if self.headers is None:
                outcome = self._end_without_beginning(outcome)
            elif outcome == "aborted" and request.has_no_body:
                outcome = "complete"
            told = environ.get(ROUTE_KEY)
            if told.__class__ is not str:
                told = found_route(environ, self._route_of, request.status, self.headers or ())
            if told is not None:
                route = self._mount + told
            for chunk in chunks:
                request.response_bytes += len(chunk)
            if request.status >= 500:
                caught = caught_exception(environ)
                if caught is not None:
                    request.failed(caught)
        except Exception as error:  # noqa: BLE001 - a framework may keep anything under the keys that are read
            request.recorder.failed(error)
        request.end(route, outcome)

    def _end_without_beginning(self, outcome: Outcome) -> Outcome:
        environ = self._environ
        if environ.get("SCRIPT_NAME", "") != self._script_name:
            self._mount = mount(environ, self._script_name, self._path)
        if environ.get("werkzeug.request") is not None:
            note_flask(environ, self.request)
        if outcome == "aborted":
            self.request.status = CLIENT_CLOSED_REQUEST
            return outcome
        return "error"


def _with_ids(headers: _Headers, ids: RequestIds) -> _Headers:
    """The headers with the ids that the application did not set itself. Its own list stays: it may use that again."""
    given = {name.lower() for name, _ in headers}
    headers = list(headers)
    if "x-request-id" not in given:
        headers.append(("X-Request-ID", ids.request_id))
    if ids.traceparent is not None and "traceparent" not in given:
        headers.append(("traceparent", ids.traceparent))
    return headers
