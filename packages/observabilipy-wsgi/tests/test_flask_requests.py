"""What the Flask extension records of requests, seen through Flask's own test client."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask, Response, abort, current_app
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from observabilipy import LogQuery, Observability
from observabilipy_wsgi import ObservabilityMiddleware
from observabilipy_wsgi.flask import Observabilipy


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


@pytest.fixture
def app(obs: Observability) -> Flask:
    made = Flask(__name__)
    Observabilipy(made, obs)
    return made


def entries(obs: Observability) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        return [{"message": e.message, **e.attributes} async for e in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def outcomes(obs: Observability) -> list[tuple[object, ...]]:
    return [(e["method"], e["status"], e["route"], e["outcome"], e["response_bytes"]) for e in entries(obs)]


def test_routes_of_flask(app: Flask, obs: Observability) -> None:
    app.add_url_rule("/items/<int:item>", view_func=lambda item: "ok", methods=["GET", "PUT"], endpoint="item")
    app.add_url_rule("/files/<path:path>", view_func=lambda path: "ok", endpoint="file")
    app.add_url_rule('/colours/<any("red", "a:b"):colour>', view_func=lambda colour: "ok", endpoint="colour")
    app.add_url_rule("/slash/", view_func=lambda: "ok", endpoint="slash")
    app.add_url_rule("/gone", view_func=lambda: abort(404), endpoint="gone")
    client = app.test_client()
    for method, path in (
        ("GET", "/items/7"),
        ("HEAD", "/items/7"),
        ("OPTIONS", "/items/7"),
        ("DELETE", "/items/7"),
        ("BREW", "/items/7"),
        ("GET", "/items/none"),
        ("GET", "/files/a/b"),
        ("GET", "/colours/a:b"),
        ("GET", "/slash"),
        ("POST", "/slash/"),
        ("GET", "/gone"),
    ):
        client.open(path, method=method)

    assert [outcome[:3] for outcome in outcomes(obs)] == [
        ("GET", 200, "/items/{item}"),
        ("HEAD", 200, "/items/{item}"),
        ("OPTIONS", 200, "/items/{item}"),
        ("DELETE", 405, "/items/{item}"),
        ("_OTHER", 405, "/items/{item}"),
        ("GET", 404, "__unmatched__"),
        ("GET", 200, "/files/{path}"),
        ("GET", 200, "/colours/{colour}"),
        ("GET", 308, "__unmatched__"),
        ("POST", 405, "/slash/"),
        ("GET", 404, "/gone"),
    ]


def test_an_answer_that_a_test_never_reads_is_recorded(app: Flask, obs: Observability) -> None:
    app.add_url_rule("/hello", view_func=lambda: "hello")
    answer = app.test_client().get("/hello")

    assert (answer.status_code, outcomes(obs)) == (200, [("GET", 200, "/hello", "complete", 5)])


@pytest.mark.parametrize("request_ids", [False, True])
def test_an_answer_that_is_there_as_a_whole_ends_when_it_is_handed_over(
    obs: Observability, *, request_ids: bool
) -> None:
    app = Flask(__name__)
    Observabilipy(app, obs, request_ids=request_ids)
    app.add_url_rule("/large", view_func=lambda: "1" * 1_000_000)
    app.test_client().get("/large")

    assert outcomes(obs) == [("GET", 200, "/large", "complete", 1_000_000)]


def test_a_stream_that_declares_its_length_is_followed(app: Flask, obs: Observability) -> None:
    app.add_url_rule("/stream", view_func=lambda: Response(iter(["1", "2"]), headers={"Content-Length": "2"}))
    answer = app.test_client().get("/stream")
    answer.close()

    assert outcomes(obs) == [("GET", 200, "/stream", "aborted", 1)]


def test_what_closes_an_answer_logs_with_its_ids(app: Flask, obs: Observability) -> None:
    def view() -> Response:
        response = Response("ok")
        response.call_on_close(lambda: obs.info("closed"))
        return response

    app.add_url_rule("/", view_func=view)
    app.test_client().get("/", headers={"X-Request-ID": "abc"}).close()

    assert [(e["message"], e["request_id"]) for e in entries(obs)] == [("GET / 200", "abc"), ("closed", "abc")]


def test_redirects_that_the_client_follows_are_recorded_one_by_one(app: Flask, obs: Observability) -> None:
    app.add_url_rule("/old", view_func=lambda: app.redirect("/new"), endpoint="old")
    app.add_url_rule("/new", view_func=lambda: "hello", endpoint="new")
    app.test_client().get("/old", follow_redirects=True)

    assert [outcome[1:3] for outcome in outcomes(obs)] == [(302, "/old"), (200, "/new")]


@pytest.mark.parametrize(("read", "outcome"), [(True, ("complete", 3)), (False, ("aborted", 1))])
def test_a_stream_is_recorded_when_it_ends(
    app: Flask, obs: Observability, read: bool, outcome: tuple[str, int]
) -> None:
    app.add_url_rule("/stream", view_func=lambda: Response(iter(["1", "23"])))
    answer = app.test_client().get("/stream")
    before = outcomes(obs)
    if read:
        answer.get_data()
    answer.close()

    assert (before, outcomes(obs)) == ([], [("GET", 200, "/stream", *outcome)])


def fail() -> str:
    raise LookupError("on purpose")


@pytest.mark.parametrize("path", ["/broken", "/broken/7"])
@pytest.mark.parametrize("testing", [False, True])
def test_an_exception_is_told_whether_flask_answers_it_or_not(
    app: Flask, obs: Observability, testing: bool, path: str
) -> None:
    app.testing = testing
    app.add_url_rule("/broken", view_func=fail, endpoint="a")
    app.add_url_rule("/broken/<int:item>", view_func=lambda item: fail(), endpoint="b")
    with suppress(LookupError):
        app.test_client().get(path)

    [entry] = entries(obs)
    assert (entry["status"], entry["route"], entry["outcome"], entry["exception.type"]) == (
        500,
        path.replace("7", "{item}"),
        "error",
        "LookupError",
    )


def test_an_exception_within_a_stream_keeps_the_status_that_was_sent(app: Flask, obs: Observability) -> None:
    def body() -> Iterator[str]:
        yield "1"
        fail()

    app.add_url_rule("/stream", view_func=lambda: Response(body()))
    answer = app.test_client().get("/stream")
    with pytest.raises(LookupError):
        answer.get_data()

    assert outcomes(obs) == [("GET", 200, "/stream", "error", 1)]


def test_what_refuses_a_request_before_its_view_does_not_keep_its_route(app: Flask, obs: Observability) -> None:
    app.before_request(lambda: abort(401))
    app.add_url_rule("/items/<item>", view_func=lambda item: "ok")
    app.test_client().get("/items/7")

    assert [outcome[1:3] for outcome in outcomes(obs)] == [(401, "/items/{item}")]


@pytest.mark.parametrize("path", ["/metrics", "/logs"])
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
@pytest.mark.parametrize("refused", [False, True])
def test_our_own_endpoints_leave_no_trace(
    app: Flask, obs: Observability, path: str, method: str, refused: bool
) -> None:
    if refused:
        app.before_request(lambda: abort(401))
    answer = app.test_client().open(path, method=method)

    expected = 401 if refused else 200 if method == "GET" else 405
    assert (answer.status_code, entries(obs)) == (expected, [])


def test_what_a_request_logs_has_the_ids_of_its_answer(app: Flask, obs: Observability) -> None:
    def view() -> str:
        current_app.extensions["observabilipy"].info("in the view")
        return "ok"

    app.add_url_rule("/", view_func=view)
    answer = app.test_client().get("/", headers={"X-Request-ID": "abc"})

    assert (answer.headers["X-Request-ID"], [(e["message"], e["request_id"]) for e in entries(obs)]) == (
        "abc",
        [("in the view", "abc"), ("GET / 200", "abc")],
    )


def test_a_client_that_keeps_contexts_changes_nothing(app: Flask, obs: Observability) -> None:
    app.add_url_rule("/items/<item>", view_func=lambda item: "ok")
    with app.test_client() as client:
        client.get("/items/7")
        client.get("/items/8")

    assert outcomes(obs) == [("GET", 200, "/items/{item}", "complete", 2)] * 2


def test_flask_within_another_application_is_recorded_once_with_its_place(app: Flask, obs: Observability) -> None:
    app.add_url_rule("/items/<item>", view_func=lambda item: "ok")
    outer = ObservabilityMiddleware(DispatcherMiddleware(lambda *_: [], {"/api": app}), obs)
    Client(outer).get("/api/items/7")

    assert outcomes(obs) == [("GET", 200, "/api/items/{item}", "complete", 2)]


def test_the_middleware_alone_knows_routes_of_flask(obs: Observability) -> None:
    app = Flask(__name__)
    app.add_url_rule("/items/<item>", view_func=lambda item: "ok")
    Client(ObservabilityMiddleware(app, obs)).get("/items/7")

    assert outcomes(obs) == [("GET", 200, "/items/{item}", "complete", 2)]


def test_a_rule_full_of_surprises_does_not_fail_a_request(app: Flask, obs: Observability) -> None:
    app.add_url_rule("/hello", endpoint="hello", view_func=lambda: "hello")
    for rule in app.url_map.iter_rules("hello"):
        rule.rule = 7  # type: ignore[assignment] # that is the surprise
    answer = app.test_client().get("/hello")

    assert (answer.text, outcomes(obs)) == ("hello", [("GET", 200, "__unmatched__", "complete", 5)])
