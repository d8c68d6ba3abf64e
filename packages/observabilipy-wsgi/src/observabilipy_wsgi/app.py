"""ObservabilityApp: /metrics, /logs and /health as a WSGI application, to be mounted wherever you like."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import chain, islice
from wsgiref.types import StartResponse, WSGIEnvironment

from observabilipy import Observability
from observabilipy.http import Request, SyncBody, client_of
from observabilipy_wsgi.environ import REQUEST_KEY, decoded_path, request_headers

__all__ = ["ObservabilityApp"]


class ObservabilityApp:
    """Answers below wherever it is mounted: ``DispatcherMiddleware(app, {"/observability": ObservabilityApp(obs)})``.

    Its own requests are not recorded by an ``ObservabilityMiddleware`` around it.

    Args:
        obs: what is shown.
        path: answer everything as this endpoint, for a route that leads to a single one: ``"/metrics"``.

    Raises:
        ConfigurationError: who may read cannot be told from the settings or the environment.
    """

    def __init__(self, obs: Observability, *, path: str | None = None) -> None:
        self._endpoints = obs.endpoints
        self._path = path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        recorded = environ.get(REQUEST_KEY)
        if recorded is not None:
            recorded.ignore()
        path = decoded_path(environ.get("PATH_INFO", "")).rstrip("/") if self._path is None else self._path
        query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
        headers = tuple(request_headers(environ))
        client = client_of(environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT"), environ.get("SERVER_PORT"))
        request = Request(environ["REQUEST_METHOD"], path, query, headers, client)
        response = self._endpoints.handle_sync(request)
        try:
            begun = [] if response.live else list(islice(response.body, 2))
            shown = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
            start_response(f"{response.status} {HTTPStatus(response.status).phrase}", shown)
        except BaseException:
            response.body.close()
            raise
        # A short answer is a list: servers declare its length, and a test that does not close it leaves nothing open.
        return _Stream(begun, response.body) if response.live or len(begun) == 2 else begun


class _Stream:
    """A body of which some chunks were read already."""

    def __init__(self, begun: Iterable[bytes], body: SyncBody) -> None:
        self._chunks = chain(begun, body)
        self.close = body.close

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks
