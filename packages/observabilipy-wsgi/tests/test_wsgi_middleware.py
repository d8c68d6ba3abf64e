"""What the middleware records of a request, and that the application never notices."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.validate import validator

import pytest

from observabilipy import LogQuery, Observability
from observabilipy_wsgi import ObservabilityMiddleware
from observabilipy_wsgi.testing import fetch, http_environ, serve

TEXT = [("Content-Type", "text/plain")]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


def logged(obs: Observability) -> list[tuple[str, dict[str, Any]]]:
    """Messages and attributes of every entry, without durations, which are others each time."""

    async def read() -> list[tuple[str, dict[str, Any]]]:
        entries = [entry async for entry in obs.storage.read_logs(LogQuery())]
        return [(e.message, {k: v for k, v in e.attributes.items() if k != "duration_seconds"}) for e in entries]

    obs.flush()
    return asyncio.run(read())


def outcomes(obs: Observability) -> list[tuple[object, ...]]:
    return [(entry["status"], entry["outcome"], entry["response_bytes"]) for _, entry in logged(obs)]


def totals(obs: Observability, name: str) -> list[tuple[dict[str, str], Any]]:
    async def read() -> list[tuple[dict[str, str], Any]]:
        return [(dict(s.labels), s.value) async for family in obs.storage.totals([name]) for s in family.series]

    obs.flush()
    return asyncio.run(read())


def answering(*chunks: bytes, status: str = "200 OK", headers: list[tuple[str, str]] = TEXT) -> WSGIApplication:
    """An application that gives a list of these chunks, whatever is asked."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return list(chunks)

    return app


def checked(app: WSGIApplication, obs: Observability, **options: Any) -> WSGIApplication:
    """The middleware between two referees of PEP 3333."""
    return validator(ObservabilityMiddleware(validator(app), obs, **options))


def test_an_answer_is_recorded_with_its_template_status_and_bytes(obs: Observability) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["observabilipy.route"] = "/orders/{id}"
        start_response("201 Created", list(TEXT))
        return [b"12", b"345"]

    serve(checked(app, obs, request_ids=False), http_environ("/orders/7", method="POST"))

    assert logged(obs) == [
        (
            "POST /orders/7 201",
            {
                "method": "POST",
                "route": "/orders/{id}",
                "path": "/orders/7",
                "status": 201,
                "response_bytes": 5,
                "outcome": "complete",
            },
        )
    ]


def test_the_client_gets_what_it_would_get_without_the_middleware(obs: Observability) -> None:
    app = answering(b"12", b"345", status="404 Not Found", headers=[*TEXT, ("Set-Cookie", "a=1"), ("ETag", '"x"')])

    assert fetch(checked(app, obs, request_ids=False), "GET /") == fetch(app, "GET /")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
def test_answers_without_a_body_have_no_bytes_whatever_the_application_gives(
    obs: Observability, method: str, status: str
) -> None:
    serve(ObservabilityMiddleware(answering(b"12345", status=status), obs), http_environ(method=method))

    assert outcomes(obs) == [(int(status[:3]), "complete", 0)]


def test_a_complete_answer_from_500_on_is_an_error(obs: Observability) -> None:
    fetch(checked(answering(b"no", status="503 Service Unavailable"), obs), "GET /")

    assert outcomes(obs) == [(503, "error", 2)]


def test_an_exception_before_the_answer_is_a_500_with_its_type_and_goes_on_to_the_server(obs: Observability) -> None:
    def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        fetch(ObservabilityMiddleware(broken, obs), "GET /")

    [(_, entry)] = logged(obs)
    assert (entry["status"], entry["outcome"], entry["exception.type"]) == (500, "error", "LookupError")


def test_the_ids_of_a_request_are_in_its_answer_and_in_all_that_it_logs(obs: Observability) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        obs.info("within the call")
        start_response("200 OK", list(TEXT))

        def body() -> Iterator[bytes]:
            obs.info("within the body")
            yield b"ok"

        return body()

    environ = http_environ(HTTP_X_REQUEST_ID="abc", HTTP_TRACEPARENT=TRACEPARENT)
    answer = serve(checked(app, obs), environ)
    obs.info("afterwards")

    ids = [(message, entry.get("request_id"), entry.get("trace_id")) for message, entry in logged(obs)]
    trace = TRACEPARENT[3:35]
    assert ((answer.headers["x-request-id"], answer.headers["traceparent"]), ids) == (
        ("abc", TRACEPARENT),
        [
            ("within the call", "abc", trace),
            ("within the body", "abc", trace),
            ("GET / 200", "abc", trace),
            ("afterwards", None, None),
        ],
    )


def test_ids_that_the_application_sets_itself_stay(obs: Observability) -> None:
    app = answering(b"ok", headers=[*TEXT, ("x-request-ID", "mine"), ("Traceparent", "mine, too")])
    answer = serve(checked(app, obs), http_environ(HTTP_X_REQUEST_ID="abc", HTTP_TRACEPARENT=TRACEPARENT))

    assert (answer.headers["x-request-id"], answer.headers["traceparent"]) == ("mine", "mine, too")


def test_headers_that_an_application_uses_again_do_not_grow(obs: Observability) -> None:
    headers = list(TEXT)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [b"ok"]

    fetch(ObservabilityMiddleware(app, obs), "GET /")

    assert headers == TEXT


def test_bodies_are_measured_on_request(obs: Observability) -> None:
    app = checked(answering(b"12345"), obs, body_sizes=True)
    serve(app, http_environ(method="POST", CONTENT_LENGTH="70"))
    serve(app, http_environ(method="POST", CONTENT_LENGTH=""))

    labels = {"method": "POST", "route": "__unmatched__", "status": "200"}
    sizes = [
        [(labels, value.sum) for labels, value in totals(obs, f"http_server_{side}_body_size_bytes")]
        for side in ("request", "response")
    ]
    assert sizes == [[(labels, 70)], [(labels, 10)]]


def test_a_request_is_active_until_it_ends(obs: Observability) -> None:
    during = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        during.append(totals(obs, "http_server_active_requests")[0])
        start_response("200 OK", list(TEXT))
        return [b"ok"]

    fetch(checked(app, obs), "GET /")

    assert (during, totals(obs, "http_server_active_requests")) == ([({"method": "GET"}, 1)], [({"method": "GET"}, 0)])


def test_excluded_paths_are_not_recorded_wherever_the_application_is(obs: Observability) -> None:
    app = checked(answering(b"ok"), obs, exclude=["/health", "/static/*"])

    for path in ("/health", "/static/a.css", "/healthy"):
        fetch(app, f"GET {path}")
        fetch(app, f"GET {path}", script_name="/api")

    assert [entry["path"] for _, entry in logged(obs)] == ["/healthy", "/healthy"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("/café", "/café"), ("", "/"), ("/a b\n", "/a b\n"), ("/\N{SNOWMAN}", "/☃")],
)
def test_paths_are_text(obs: Observability, raw: str, expected: str) -> None:
    fetch(ObservabilityMiddleware(answering(b"ok"), obs), f"GET {raw}")

    assert [entry["path"] for _, entry in logged(obs)] == [expected]


@pytest.mark.parametrize(("raw", "expected"), [("/\xff\xfe", "/��"), ("/\N{SNOWMAN}", "/?")])
def test_paths_that_are_not_utf_8_are_replaced(obs: Observability, raw: str, expected: str) -> None:
    serve(ObservabilityMiddleware(answering(b"ok"), obs), {**http_environ(), "PATH_INFO": raw})

    assert [entry["path"] for _, entry in logged(obs)] == [expected]


def test_what_pep_3333_lets_a_server_leave_out_is_not_missed(obs: Observability) -> None:
    serve(ObservabilityMiddleware(answering(b"ok"), obs), {"REQUEST_METHOD": "GET"})

    assert [(entry["path"], entry["status"]) for _, entry in logged(obs)] == [("/", 200)]


@pytest.mark.parametrize(
    "hostile",
    [
        {"PATH_INFO": 7},
        {"SCRIPT_NAME": None},
        {"HTTP_X_REQUEST_ID": 7},
        {"HTTP_TRACEPARENT": b"00"},
        {"CONTENT_LENGTH": "9" * 5000},
        {"REQUEST_METHOD": "BREW"},
        {"REQUEST_METHOD": None},
        {"observabilipy.route": 7},
        {"bottle.app": "not Bottle"},
        {"bottle.app": None, "bottle.route": object()},
        {"bottle.exc_info": 7},
        {"werkzeug.request": "not Werkzeug"},
    ],
)
def test_an_environ_full_of_surprises_does_not_fail_the_application(
    obs: Observability, hostile: dict[str, object]
) -> None:
    app = ObservabilityMiddleware(answering(b"ok", status="500 Oh"), obs, body_sizes=True)
    answer = serve(app, {**http_environ(), **hostile})

    assert (answer.status, answer.body) == (500, b"ok")


def test_an_environ_without_a_method_reaches_the_application(obs: Observability) -> None:
    answer = serve(ObservabilityMiddleware(answering(b"ok"), obs), {})

    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("length", ["-1", "5 apples", "", "9" * 5000, "٣"])
def test_a_content_length_that_is_none_does_not_end_an_answer(obs: Observability, length: str) -> None:
    app = answering(b"12", b"345", headers=[*TEXT, ("Content-Length", length)])
    fetch(ObservabilityMiddleware(app, obs), "GET /")

    assert outcomes(obs) == [(200, "complete", 5)]


def test_without_an_access_log_only_the_duration_is_recorded(obs: Observability) -> None:
    fetch(checked(answering(b"ok"), obs, access_log=False), "GET /")

    durations = totals(obs, "http_server_request_duration_seconds")
    assert (logged(obs), [labels for labels, _ in durations]) == (
        [],
        [{"method": "GET", "route": "__unmatched__", "status": "200"}],
    )


def test_a_request_within_two_middlewares_is_recorded_once(obs: Observability) -> None:
    fetch(checked(ObservabilityMiddleware(answering(b"ok"), obs), obs), "GET /")

    assert outcomes(obs) == [(200, "complete", 2)]


def test_what_the_outer_middleware_excludes_the_inner_one_does_not_record(obs: Observability) -> None:
    inner = ObservabilityMiddleware(answering(b"ok"), obs)
    fetch(checked(inner, obs, exclude=["/health"]), "GET /health")

    assert logged(obs) == []


def test_an_environ_that_is_used_again_is_another_request(obs: Observability) -> None:
    app, environ = checked(answering(b"ok"), obs), http_environ()
    serve(app, environ)
    serve(app, environ)

    assert len(outcomes(obs)) == 2


def test_an_application_that_raises_in_start_response_of_the_server_is_an_error(obs: Observability) -> None:
    def refusing(status: str, headers: object, exc_info: object = None, /) -> Callable[[bytes], object]:
        raise AssertionError("headers are set already")

    with pytest.raises(AssertionError, match="already"):
        ObservabilityMiddleware(answering(b"ok"), obs)(http_environ(), refusing)

    assert outcomes(obs) == [(500, "error", 0)]
