"""The route of a request, in the words of each framework that has no package of its own."""

import asyncio
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import shift_path_info
from wsgiref.validate import validator

import pytest

from observabilipy import LogQuery, Observability
from observabilipy_wsgi import ObservabilityApp, ObservabilityMiddleware
from observabilipy_wsgi.falcon import RouteMiddleware
from observabilipy_wsgi.testing import fetch, http_environ, serve


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


def entries(obs: Observability) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        return [dict(entry.attributes) async for entry in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def routes(app: WSGIApplication, obs: Observability, *requests: str) -> list[tuple[object, ...]]:
    """What is recorded of these requests."""
    recorded = validator(ObservabilityMiddleware(app, obs))
    for request in requests:
        fetch(recorded, request)
    return [(entry["method"], entry["status"], entry["route"]) for entry in entries(obs)]


def naming(template: object) -> WSGIApplication:
    """An application that says which template matched."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["observabilipy.route"] = template
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode()]

    return app


def plain(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


def test_an_application_names_the_template_itself(obs: Observability) -> None:
    assert routes(naming("/orders/{id}"), obs, "GET /orders/7") == [("GET", 200, "/orders/{id}")]


def test_nobody_names_a_template(obs: Observability) -> None:
    assert routes(plain, obs, "GET /orders/7") == [("GET", 200, "__unmatched__")]


@pytest.mark.parametrize(("app", "expected"), [(plain, "/asked"), (naming("/told"), "/told"), (naming(None), "/asked")])
def test_a_callable_is_asked_where_the_environ_says_nothing(
    obs: Observability, app: WSGIApplication, expected: str
) -> None:
    fetch(ObservabilityMiddleware(app, obs, route=lambda environ: "/asked"), "GET /")

    assert [entry["route"] for entry in entries(obs)] == [expected]


@pytest.mark.parametrize("answer", [None, 7])
def test_a_callable_that_gives_no_template_leaves_the_request_unmatched(obs: Observability, answer: Any) -> None:
    fetch(ObservabilityMiddleware(plain, obs, route=lambda environ: answer), "GET /")

    assert [entry["route"] for entry in entries(obs)] == ["__unmatched__"]


def test_a_callable_that_raises_does_not_fail_the_request(obs: Observability) -> None:
    def broken(environ: WSGIEnvironment) -> str:
        raise LookupError("on purpose")

    answer = fetch(ObservabilityMiddleware(plain, obs, route=broken), "GET /")

    assert (answer.status, [entry["route"] for entry in entries(obs)]) == (200, ["__unmatched__"])


def mounted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An application at /api/v1 that names its own part of the template."""
    shift_path_info(environ)
    shift_path_info(environ)
    return naming("/orders/{id}")(environ, start_response)


@pytest.mark.parametrize("script_name", ["", "/shop"])
def test_the_place_of_a_mounted_application_stands_before_its_template(obs: Observability, script_name: str) -> None:
    answer = fetch(ObservabilityMiddleware(mounted, obs), "GET /api/v1/orders/7", script_name=script_name)

    assert (answer.body, [(entry["path"], entry["route"]) for entry in entries(obs)]) == (
        b"/orders/7",
        [("/api/v1/orders/7", "/api/v1/orders/{id}")],
    )


def test_a_prefix_that_a_proxy_tells_is_no_mount(obs: Observability) -> None:
    def behind_proxy(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = environ["HTTP_X_FORWARDED_PREFIX"]
        return naming("/orders/{id}")(environ, start_response)

    serve(ObservabilityMiddleware(behind_proxy, obs), http_environ("/orders/7", HTTP_X_FORWARDED_PREFIX="/any"))

    assert [entry["route"] for entry in entries(obs)] == ["/orders/{id}"]


def test_bottle(obs: Observability) -> None:
    bottle = pytest.importorskip("bottle", reason="Bottle is tried where it is installed")
    app = bottle.Bottle()
    app.route("/items/<item:int>", ["GET", "PUT"], lambda item: "ok")
    app.route("/files/<path:path>", "GET", lambda path: "ok")
    app.route("/stream", "GET", lambda: (part for part in (b"1", b"2")))
    child = bottle.Bottle()
    child.route("/orders/<name:re:[a-z]+>", "GET", lambda name: "ok")
    app.mount("/shop/", child)
    app.mount("/silent/", plain)

    assert routes(
        app,
        obs,
        "GET /items/7",
        "HEAD /items/7",
        "DELETE /items/7",
        "GET /items/none",
        "GET /files/a/b",
        "GET /stream",
        "GET /shop/orders/seven",
        "POST /shop/orders/seven",
        "GET /silent/7",
    ) == [
        ("GET", 200, "/items/{item}"),
        ("HEAD", 200, "/items/{item}"),
        ("DELETE", 405, "/items/{item}"),
        ("GET", 404, "__unmatched__"),
        ("GET", 200, "/files/{path}"),
        ("GET", 200, "/stream"),
        ("GET", 200, "/shop/orders/{name}"),
        ("POST", 405, "/shop/orders/{name}"),
        ("GET", 200, "/silent/{path}"),
    ]


def test_an_exception_that_bottle_catches_is_told(obs: Observability) -> None:
    bottle = pytest.importorskip("bottle", reason="Bottle is tried where it is installed")
    app = bottle.Bottle()

    @app.get("/broken")  # type: ignore[untyped-decorator] # Bottle has no types
    def broken() -> str:
        raise LookupError("on purpose")

    serve(ObservabilityMiddleware(app, obs), http_environ("/broken"))

    [entry] = entries(obs)
    assert (entry["route"], entry["status"], entry["outcome"], entry["exception.type"]) == (
        "/broken",
        500,
        "error",
        "LookupError",
    )


def test_bottle_serves_the_endpoints_below_a_mount(obs: Observability) -> None:
    bottle = pytest.importorskip("bottle", reason="Bottle is tried where it is installed")
    app = bottle.Bottle()
    app.mount("/observability/", ObservabilityApp(obs))
    answer = fetch(validator(ObservabilityMiddleware(app, obs)), "GET /observability/metrics")

    assert (answer.status, answer.headers["content-type"].partition(";")[0], entries(obs)) == (200, "text/plain", [])


class Item:
    """A resource of Falcon's."""

    def on_get(self, req: Any, resp: Any, item: int) -> None:
        resp.text = "ok"


def test_falcon(obs: Observability) -> None:
    falcon = pytest.importorskip("falcon", reason="Falcon is tried where it is installed")

    class Refusing:
        def process_resource(self, req: Any, resp: Any, resource: object, params: object) -> None:
            if req.get_param("refused"):
                raise falcon.HTTPForbidden

    app = falcon.App(middleware=[Refusing(), RouteMiddleware()])
    app.add_route("/items/{item:int}", Item())
    app.add_sink(lambda req, resp, **_: None, "/sink")

    assert routes(
        app,
        obs,
        "GET /items/7",
        "DELETE /items/7",
        "GET /items/none",
        "GET /items/7?refused=1",
        "OPTIONS /items/7",
        "GET /sink/7",
    ) == [
        ("GET", 200, "/items/{item}"),
        ("DELETE", 405, "/items/{item}"),
        ("GET", 404, "__unmatched__"),
        ("GET", 403, "/items/{item}"),
        ("OPTIONS", 200, "/items/{item}"),
        ("GET", 200, "__unmatched__"),
    ]


def test_pyramid(obs: Observability) -> None:
    pyramid = pytest.importorskip("pyramid.config", reason="Pyramid is tried where it is installed")
    response = pytest.importorskip("pyramid.response", reason="Pyramid is tried where it is installed").Response

    def below(prefixed: Any) -> None:
        prefixed.add_route("order", r"/orders/{id:\d{1,3}}")

    config = pyramid.Configurator()
    config.include("observabilipy_wsgi.pyramid")
    config.add_route("item", r"items/{item:[^/{}]+}")
    config.add_route("old", "/old/:item")
    config.add_route("files", "/files/*path")
    config.add_route("home", "/")
    config.include(below, route_prefix="/shop")
    for name in ("item", "old", "files", "home", "order"):
        config.add_view(lambda request: response("ok"), route_name=name, request_method="GET")

    assert routes(
        config.make_wsgi_app(),
        obs,
        "GET /items/7",
        "DELETE /items/7",
        "GET /old/7",
        "GET /files/a/b",
        "GET /",
        "GET /shop/orders/7",
        "GET /shop/orders/7777",
    ) == [
        ("GET", 200, "/items/{item}"),
        ("DELETE", 404, "/items/{item}"),  # what Pyramid answers when a predicate does not fit
        ("GET", 200, "/old/{item}"),
        ("GET", 200, "/files/{path}"),
        ("GET", 200, "/"),
        ("GET", 200, "/shop/orders/{id}"),
        ("GET", 404, "__unmatched__"),
    ]


def test_pyramid_without_routes_is_unmatched(obs: Observability) -> None:
    pyramid = pytest.importorskip("pyramid.config", reason="Pyramid is tried where it is installed")
    config = pyramid.Configurator(root_factory=lambda request: SimpleNamespace())
    config.include("observabilipy_wsgi.pyramid")

    assert routes(config.make_wsgi_app(), obs, "GET /anywhere") == [("GET", 404, "__unmatched__")]


def test_pyramid_serves_the_endpoints_below_a_route(obs: Observability) -> None:
    pyramid = pytest.importorskip("pyramid.config", reason="Pyramid is tried where it is installed")
    wsgi = pytest.importorskip("pyramid.wsgi", reason="Pyramid is tried where it is installed")

    config = pyramid.Configurator()
    config.add_route("observability", "/observability/*subpath")
    config.add_view(wsgi.wsgiapp2(ObservabilityApp(obs)), route_name="observability")
    answer = fetch(ObservabilityMiddleware(config.make_wsgi_app(), obs), "GET /observability/metrics")

    assert (answer.status, entries(obs)) == (200, [])


def test_werkzeug_mounts(obs: Observability) -> None:
    dispatcher = pytest.importorskip("werkzeug.middleware.dispatcher", reason="Werkzeug is tried where it is installed")
    app = dispatcher.DispatcherMiddleware(plain, {"/api": naming("/items/{item}"), "/obs": ObservabilityApp(obs)})

    assert routes(app, obs, "GET /api/items/7", "GET /obs/metrics", "GET /other") == [
        ("GET", 200, "/api/items/{item}"),
        ("GET", 200, "__unmatched__"),
    ]
