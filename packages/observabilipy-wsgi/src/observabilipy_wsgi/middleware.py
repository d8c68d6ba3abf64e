"""ObservabilityMiddleware: a duration and an access entry for each request of any WSGI application."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from observabilipy import Observability
from observabilipy.requests import RecordedRequest, RequestRecorder
from observabilipy_wsgi.answer import Answer
from observabilipy_wsgi.environ import REQUEST_KEY, decoded_path
from observabilipy_wsgi.route import RouteOf, flask_chunks
from observabilipy_wsgi.stream import Stream

__all__ = ["ObservabilityMiddleware"]

_WHOLE = (list, tuple)


class ObservabilityMiddleware:
    """Records the requests that an application answers. Put it outermost.

    It never reads ahead, keeps nothing back and closes what it is given once. Requests that another one around it
    records pass through.

    Args:
        app: the application.
        obs: where requests are recorded.
        access_log: record a log entry for each request, too.
        request_ids: give each request its ids, in all that it logs and in its answer.
        body_sizes: measure the bodies of requests and answers, too.
        exclude: paths that are left alone; one that ends in ``*`` stands for all that begin like it.
        route: gives the template that matched, ``"/orders/{id}"``, or None, from the environ as the application left
            it; for applications that do not put it into ``environ["observabilipy.route"]``. Few values, whatever
            clients send: each is a series.

    Raises:
        ConfigurationError: an excluded path that does not begin with a slash.
    """

    def __init__(
        self,
        app: WSGIApplication,
        obs: Observability,
        *,
        access_log: bool = True,
        request_ids: bool = True,
        body_sizes: bool = False,
        exclude: Iterable[str] = (),
        route: RouteOf | None = None,
    ) -> None:
        self._app = app
        self._route_of = route
        self._recorder = RequestRecorder(
            obs, access_log=access_log, request_ids=request_ids, body_sizes=body_sizes, exclude=exclude
        )

    def __call__(  # noqa: PLR0912 - each function that took a part of it would take 0.4 microseconds
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve a request."""
        if REQUEST_KEY in environ and _is_under_way(environ[REQUEST_KEY]):
            return self._app(environ, start_response)
        recorder = self._recorder
        request = None
        try:
            path = environ.get("PATH_INFO") or "/"
            if not path.isascii():
                path = decoded_path(path)
            if recorder.reads_headers:
                request = recorder.begin(
                    environ["REQUEST_METHOD"],
                    path,
                    request_id=environ.get("HTTP_X_REQUEST_ID"),
                    traceparent=environ.get("HTTP_TRACEPARENT"),
                    content_length=environ.get("CONTENT_LENGTH"),
                )
            else:
                request = recorder.begin(environ["REQUEST_METHOD"], path)
        except Exception as error:  # noqa: BLE001 - an environ that no server may make is the application's affair
            recorder.failed(error)
        environ[REQUEST_KEY] = request
        if request is None:
            return self._app(environ, start_response)
        answer = Answer(request, environ, start_response, self._route_of)
        if request.ids is not None:
            request.enter()
        try:
            result = self._app(environ, answer.start_response)
            if request.ended:
                return result
            if isinstance(result, _WHOLE):
                answer.end("complete", result)
                return result
            chunks = flask_chunks(result)
            if chunks is None:
                return Stream(answer, result)
            answer.end("complete", chunks)
            # What closes an answer of Flask may log, too.
            return result if request.ids is None else Stream(answer, result)
        except BaseException as error:
            answer.fail(error)
            raise
        finally:
            if request.ids is not None:
                request.leave()


def _is_under_way(request: RecordedRequest | None) -> bool:
    """False for the record of an earlier request, where somebody uses an environ again."""
    return request is None or not request.ended
