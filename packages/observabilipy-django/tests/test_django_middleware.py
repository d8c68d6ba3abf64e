"""What the middleware records of a request, the same in a thread and in an event loop."""

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings

from observabilipy import Observability
from observabilipy.requests import RequestRecorder
from observabilipy_django.middleware import REQUEST_KEY, ROUTE_KEY, ObservabilityMiddleware

sys.path.insert(0, str(Path(__file__).parent))
import django_project as project

servers = pytest.mark.parametrize("server", [project.by_wsgi, project.by_asgi], ids=["wsgi", "asgi"])


@pytest.fixture
def obs() -> Iterator[Observability]:
    with project.running() as made:
        yield made


@servers
@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /items/7", ("GET", "/items/{number}", 200, 6, "complete")),
        ("GET /async/7", ("GET", "/async/{number}", 200, 6, "complete")),
        ("HEAD /items/7", ("HEAD", "/items/{number}", 200, 0, "complete")),
        ("GET /re/12", ("GET", "/re/{x}", 200, 2, "complete")),
        ("GET /shop/orders/12/", ("GET", "/shop/orders/{order}/", 200, 2, "complete")),
        ("GET /missing", ("GET", "/missing", 404, 179, "complete")),
        ("GET /unchanged", ("GET", "/unchanged", 304, 0, "complete")),
        ("GET /empty", ("GET", "/empty", 204, 0, "complete")),
        ("POST /get-only", ("POST", "/get-only", 405, 0, "complete")),
        ("POST /items/7", ("POST", "/items/{number}", 403, 0, "complete")),
        ("BREW /get-only", ("_OTHER", "/get-only", 405, 0, "complete")),
        ("get /get-only", ("_OTHER", "/get-only", 200, 2, "complete")),
        ("GET /slashed", ("GET", "__unmatched__", 301, 0, "complete")),
        ("GET /nowhere", ("GET", "__unmatched__", 404, 179, "complete")),
        ("GET /broken", ("GET", "/broken", 500, 145, "error")),
        ("GET /async-broken", ("GET", "/async-broken", 500, 145, "error")),
    ],
)
def test_each_request_is_recorded_once(
    obs: Observability, server: project.Server, request_line: str, expected: tuple[object, ...]
) -> None:
    answer = server(request_line)
    if expected[2] == 403:  # Django's own page of a missing CSRF cookie, which each version words anew
        expected = (*expected[:3], len(answer.body), expected[4])

    assert project.recorded(obs) == [expected]


@servers
@pytest.mark.parametrize("path", ["/broken", "/async-broken"])
def test_the_access_entry_of_an_exception_tells_it(obs: Observability, server: project.Server, path: str) -> None:
    server(f"GET {path}")
    told = [(about["exception.type"], about["exception.message"]) for _, about in project.entries(obs)]

    assert told == [("LookupError", "on purpose")]


@servers
def test_without_an_access_log_only_the_duration_is_recorded(server: project.Server) -> None:
    with project.running(ACCESS_LOG=False, AUTH="public") as obs:
        server("GET /items/7")
        metrics = server("GET /observability/metrics").body

        assert (project.entries(obs), _durations(metrics)) == (
            [],
            [b'http_server_request_duration_seconds_count{method="GET",route="/items/{number}",status="200"} 1'],
        )


def _durations(metrics: bytes) -> list[bytes]:
    return [line for line in metrics.splitlines() if line.startswith(b"http_server_request_duration_seconds_count")]


@servers
def test_excluded_paths_are_left_alone(server: project.Server) -> None:
    with project.running(EXCLUDE=["/items/*"]) as obs:
        server("GET /items/7")
        server("GET /async/7")

        assert [about[1] for about in project.recorded(obs)] == ["/async/{number}"]


@servers
def test_body_sizes_are_measured_when_wanted(server: project.Server) -> None:
    with project.running(BODY_SIZES=True, AUTH="public"):
        server("GET /items/7")
        metrics = server("GET /observability/metrics").body

        assert b'response_body_size_bytes_sum{method="GET",route="/items/{number}",status="200"} 6\n' in metrics


@servers
def test_our_own_endpoints_are_not_recorded(server: project.Server) -> None:
    with project.running(AUTH="public") as obs:
        server("GET /observability/metrics")
        server("GET /observability/logs")
        metrics = server("GET /observability/metrics").body

        assert (project.recorded(obs), _durations(metrics)) == ([], [])


@servers
def test_the_ids_of_a_request_come_back_and_are_in_what_it_logs(obs: Observability, server: project.Server) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = server("GET /items/7", {"X-Request-ID": "abc", "traceparent": traceparent})
    ids = [(about["request_id"], about["trace_id"]) for _, about in project.entries(obs)]

    assert (answer.headers["x-request-id"], answer.headers["traceparent"], ids) == (
        "abc",
        traceparent,
        [("abc", "0af7651916cd43dd8448eb211c80319c")],
    )


@servers
def test_ids_that_the_application_sets_itself_stay(obs: Observability, server: project.Server) -> None:
    assert server("GET /marked").headers["x-request-id"] == "its-own"


@servers
def test_without_request_ids_no_header_is_added(server: project.Server) -> None:
    with project.running(REQUEST_IDS=False) as obs:
        answer = server("GET /items/7", {"X-Request-ID": "abc"})

        assert ("x-request-id" in answer.headers, "request_id" in project.entries(obs)[0][1]) == (False, False)


def test_a_client_that_leaves_before_the_answer_is_a_499(obs: Observability) -> None:
    async def leaving() -> None:
        project.LEFT.reached = leave = asyncio.Event()
        await project.served(project.http_scope("GET /slow"), leave=leave)

    asyncio.run(leaving())

    assert project.recorded(obs) == [("GET", "/slow", 499, 0, "aborted")]


@servers
def test_an_exception_is_told_to_whoever_records_the_request_around_django(
    obs: Observability, server: project.Server
) -> None:
    outer = RequestRecorder(obs).begin("GET", "/broken")
    assert outer is not None
    server("GET /broken", **{REQUEST_KEY: outer})
    outer.end("/outer", "complete")
    told = [(about["route"], about["exception.type"]) for _, about in project.entries(obs)]

    assert told == [("/outer", "LookupError")]


def test_the_route_is_told_in_the_environ(obs: Observability) -> None:
    environ = {REQUEST_KEY: RequestRecorder(obs).begin("GET", "/"), "PATH_INFO": "/items/7"}
    setup_testing_defaults(environ)
    WSGIHandler()(environ, project.StartResponse()).close()

    assert (environ[ROUTE_KEY], project.recorded(obs)) == ("/items/{number}", [])


def test_the_route_is_told_in_the_scope(obs: Observability) -> None:
    scope = project.http_scope("GET /items/7") | {REQUEST_KEY: RequestRecorder(obs).begin("GET", "/")}
    asyncio.run(project.served(scope))

    assert (scope[ROUTE_KEY], project.recorded(obs)) == ("/items/{number}", [])


@servers
def test_listed_twice_it_records_once(obs: Observability, server: project.Server) -> None:
    with override_settings(MIDDLEWARE=[project.MIDDLEWARE, *project.PROJECT["MIDDLEWARE"]]):
        server("GET /items/7")

    assert project.recorded(obs) == [("GET", "/items/{number}", 200, 6, "complete")]


@servers
@pytest.mark.parametrize("place", [0, 1])
def test_it_works_beside_middleware_of_another_kind(obs: Observability, server: project.Server, place: int) -> None:
    with override_settings(
        MIDDLEWARE=[*["django_project.as_staff"] * place, project.MIDDLEWARE, "django_project.as_staff"]
    ):
        server("GET /stream" if server is project.by_wsgi else "GET /async-stream")

    assert [about[2:] for about in project.recorded(obs)] == [(200, 5, "complete")]


def test_exceptions_reach_the_test_client_as_ever(obs: Observability) -> None:
    with pytest.raises(LookupError, match="on purpose"):
        Client().get("/broken")

    assert project.recorded(obs) == [("GET", "/broken", 500, 145, "error")]


async def test_it_works_with_the_asynchronous_test_client() -> None:
    with project.running(AUTH="public"):
        client = AsyncClient()
        response = await client.get("/async/7")
        metrics = await client.get("/observability/metrics")
        body = b"".join([chunk async for chunk in metrics])  # type: ignore[attr-defined] # a streaming one

        assert (response.content, _durations(body)) == (
            b"item 7",
            [b'http_server_request_duration_seconds_count{method="GET",route="/async/{number}",status="200"} 1'],
        )


@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # see test_django_streams
@servers
def test_exceptions_that_settings_let_through_are_recorded(obs: Observability, server: project.Server) -> None:
    with override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True), suppress(LookupError):
        server("GET /broken")
    gc.collect()

    assert project.recorded(obs) == [("GET", "/broken", 500, 0, "error")]


@servers
def test_a_setting_that_cannot_work_leaves_requests_unrecorded_and_is_said_once(
    server: project.Server, caplog: pytest.LogCaptureFixture
) -> None:
    with project.running(), override_settings(OBSERVABILIPY={"STORAGE": "nonsense"}):
        answers = [server("GET /items/7").body for _ in range(2)]

    said = [record.getMessage() for record in caplog.records if record.name == "observabilipy"]
    assert (answers, said) == (
        [b"item 7", b"item 7"],
        [
            "nothing is recorded, the setting cannot work: OBSERVABILIPY['STORAGE'] cannot work: a storage URL looks"
            " like 'sqlite:///observability.db' or 'memory://', got 'nonsense': for a file write three slashes before"
            " its path: write 'sqlite:///observability.db' or 'memory://'"
        ],
    )


@servers
def test_an_application_that_took_one_of_the_names_is_served_all_the_same(server: project.Server) -> None:
    with project.running() as obs:
        obs.histogram("http_server_request_duration_seconds", "Not ours.", unit="seconds")

        assert (server("GET /items/7").body, project.recorded(obs)) == (b"item 7", [])


def test_a_request_without_surroundings_is_answered(obs: Observability) -> None:
    response = ObservabilityMiddleware(lambda _: HttpResponse("ok"))(HttpRequest())

    assert getattr(response, "content", None) == b"ok"
