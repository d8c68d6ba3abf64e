"""The endpoints as an application: where they answer, what they are told, and that they leave no trace."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from wsgiref.validate import validator

import pytest

from observabilipy import (
    ConfigurationError,
    InMemoryLogStorage,
    InMemoryMetricsStorage,
    LogEntry,
    LogQuery,
    Observability,
)
from observabilipy.http import Request
from observabilipy_wsgi import ObservabilityApp, ObservabilityMiddleware
from observabilipy_wsgi.testing import fetch, http_environ, serve


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


def stored(obs: Observability) -> list[str]:
    """The messages of every entry."""

    async def read() -> list[str]:
        return [entry.message async for entry in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def test_the_log_is_served_as_the_endpoints_give_it(obs: Observability) -> None:
    obs.info("order placed", cents=1999)
    answer = fetch(validator(ObservabilityApp(obs)), "GET /logs?level=INFO")
    line = json.loads(answer.body)

    assert (answer.status, answer.headers["content-type"], line["message"], line["attributes"]) == (
        200,
        "application/x-ndjson",
        "order placed",
        {"cents": 1999},
    )


@pytest.mark.parametrize(("path", "script_name"), [("/metrics", ""), ("/metrics", "/obs"), ("/metrics/", "/a/obs")])
def test_paths_are_relative_to_the_mount(obs: Observability, path: str, script_name: str) -> None:
    obs.counter("orders_total", "Orders placed.").inc(3)
    answer = fetch(validator(ObservabilityApp(obs)), f"GET {path}", script_name=script_name)

    assert (answer.status, b"\norders_total 3\n" in answer.body) == (200, True)


def test_an_application_for_one_endpoint_answers_it_wherever_it_is(obs: Observability) -> None:
    answer = fetch(validator(ObservabilityApp(obs, path="/metrics")), "GET /internal/prometheus")

    assert answer.status == 200


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [("POST /metrics", (405, "GET, HEAD")), ("GET /nothing", (404, None)), ("GET /health", (404, None))],
)
def test_what_is_not_served_is_a_problem(
    obs: Observability, request_line: str, expected: tuple[int, str | None]
) -> None:
    answer = fetch(validator(ObservabilityApp(obs)), request_line)

    assert (answer.status, answer.headers.get("allow")) == expected
    assert json.loads(answer.body)["status"] == answer.status


def test_head_has_no_body(obs: Observability) -> None:
    answer = fetch(validator(ObservabilityApp(obs)), "HEAD /logs")

    assert (answer.status, answer.body) == (200, b"")


def test_a_token_is_asked_for_in_both_ways() -> None:
    offered: list[str] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        offered.extend(value for name, value in headers if name == "www-authenticate")
        return lambda chunk: None

    with Observability(auth="letmein", handle_sigterm=False) as obs:
        list(ObservabilityApp(obs)(http_environ("/logs"), start_response))

        assert (offered, fetch(ObservabilityApp(obs), "GET /logs", token="letmein").status) == (
            ["Bearer", 'Basic realm="observabilipy"'],
            200,
        )


def test_what_the_server_was_told_reaches_the_endpoints_byte_by_byte() -> None:
    seen: list[Request] = []

    def auth(request: Request) -> bool:
        seen.append(request)
        return False

    with Observability(auth=auth, handle_sigterm=False) as obs:
        environ = {
            **http_environ("/logs", query="q=\xff%00"),
            "HTTP_HOST": "test",
            "HTTP_X_ODD": "\xfc\N{SNOWMAN}",
            "HTTP_X_NONE": None,
            "CONTENT_TYPE": "text/plain",
            "CONTENT_LENGTH": "0",
        }
        serve(ObservabilityApp(obs), environ)

    assert seen == [
        Request(
            "GET",
            "/logs",
            b"q=\xff%00",
            (
                (b"host", b"test"),
                (b"x-odd", b"\xfc?"),
                (b"content-type", b"text/plain"),
                (b"content-length", b"0"),
            ),
        )
    ]


def test_reading_the_endpoints_leaves_no_trace(obs: Observability) -> None:
    app = validator(ObservabilityMiddleware(ObservabilityApp(obs), obs))
    fetch(app, "GET /metrics")
    fetch(app, "GET /logs")
    fetch(app, "POST /logs")
    active = fetch(app, "GET /metrics").body.count(b'\nhttp_server_active_requests{method="GET"} 0')
    durations = fetch(app, "GET /metrics").body.count(b"\nhttp_server_request_duration_seconds_count")

    assert (stored(obs), active, durations) == ([], 1, 0)


class EndlessLog(InMemoryLogStorage):
    """A log that never comes to its end, and whether somebody still reads it."""

    read_ndjson = None  # type: ignore[assignment] # only what it says itself

    begun = ended = False

    async def read_logs(self, query: LogQuery) -> AsyncGenerator[LogEntry, None]:
        self.begun = True
        try:
            while True:
                yield LogEntry.info("again")
        finally:
            self.ended = True


def test_a_stream_ends_when_the_server_closes_it() -> None:
    log = EndlessLog()
    with Observability((log, InMemoryMetricsStorage()), auth="public", handle_sigterm=False) as obs:
        app = validator(ObservabilityMiddleware(ObservabilityApp(obs), obs))
        body = iter(app(http_environ("/logs", query="limit=all"), lambda *_: lambda chunk: None))
        next(body)
        body.close()  # type: ignore[attr-defined] # the validator's iterator has it

    assert (log.begun, log.ended) == (True, True)


def test_a_server_that_refuses_the_start_of_an_answer_leaves_nothing_open() -> None:
    def refusing(*_: object) -> Callable[[bytes], object]:
        raise OSError("the client is gone")

    with (
        Observability(auth="public", handle_sigterm=False) as obs,
        pytest.raises(OSError, match="gone"),
    ):
        ObservabilityApp(obs)(http_environ("/logs"), refusing)  # an open event loop would warn, which is an error here


def test_an_answer_to_a_follower_begins_before_anything_comes(obs: Observability) -> None:
    begun: list[str] = []

    def start_response(status: str, *_: object) -> Callable[[bytes], object]:
        begun.append(status)
        return lambda chunk: None

    body = iter(validator(ObservabilityApp(obs))(http_environ("/logs", query="follow=1"), start_response))
    at_once = list(begun)
    first = next(body)
    body.close()  # type: ignore[attr-defined] # the validator's iterator has it

    assert (at_once, first) == (["200 OK"], b"\n")


def test_a_token_that_cannot_be_one_is_refused_when_the_application_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVABILIPY_TOKEN", " ")
    with Observability(handle_sigterm=False) as obs, pytest.raises(ConfigurationError, match="OBSERVABILIPY_TOKEN"):
        ObservabilityApp(obs)
