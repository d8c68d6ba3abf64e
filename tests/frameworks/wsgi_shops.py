"""The same shop in each WSGI framework, as its documentation would have it written."""

import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from observabilipy import Observability
from observabilipy_wsgi import ObservabilityApp, ObservabilityMiddleware

__all__ = ["WSGI_SHOPS"]

EXCLUDED = ["/health"]
PARTS = (b"one ", b"two ", b"three")


def parts() -> Iterator[bytes]:
    yield from PARTS


def endless() -> Iterator[bytes]:
    return itertools.repeat(b"on ")


def beside(app: WSGIApplication, obs: Observability) -> WSGIApplication:
    """The endpoints below /observability, where a framework does not mount WSGI applications itself."""
    endpoints = ObservabilityApp(obs)

    def dispatch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        prefix, path = "/observability", environ["PATH_INFO"]
        if path.startswith(prefix):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, path.removeprefix(prefix)
            return endpoints(environ, start_response)
        return app(environ, start_response)

    return ObservabilityMiddleware(dispatch, obs, exclude=EXCLUDED)


def flask(obs: Observability) -> WSGIApplication:
    from flask import Blueprint, Flask, Response

    from observabilipy_wsgi.flask import Observabilipy

    app = Flask("shop")

    @app.get("/items/<int:item>")
    def item(item: int) -> str:
        obs.info("looked at")
        return f"item {item}"

    @app.delete("/items/<int:item>")
    def remove(item: int) -> tuple[str, int]:
        return "", 204

    orders = Blueprint("orders", "orders", url_prefix="/v1")

    @orders.get("/orders/<order>")
    def order(order: str) -> str:
        return "order"

    api = Blueprint("api", "api", url_prefix="/api")
    api.register_blueprint(orders)
    app.register_blueprint(api)

    @app.get("/cached")
    def cached() -> tuple[str, int]:
        return "", 304

    @app.get("/boom")
    def boom() -> str:
        raise RuntimeError("on purpose")

    @app.get("/stream")
    def stream() -> Response:
        return Response(parts())

    @app.get("/endless")
    def forever() -> Response:
        return Response(endless())

    @app.get("/health")
    def health() -> str:
        return "ok"

    Observabilipy(app, obs, prefix="/observability", exclude=EXCLUDED)
    return app


def bottle(obs: Observability) -> WSGIApplication:
    from bottle import Bottle, HTTPResponse

    app = Bottle()

    def item(item: int) -> str:
        obs.info("looked at")
        return f"item {item}"

    def boom() -> str:
        raise RuntimeError("on purpose")

    app.get("/items/<item:int>", callback=item)
    app.delete("/items/<item:int>", callback=lambda item: HTTPResponse(status=204))
    app.get("/api/v1/orders/<order>", callback=lambda order: "order")
    app.get("/cached", callback=lambda: HTTPResponse(status=304))
    app.get("/boom", callback=boom)
    app.get("/stream", callback=parts)
    app.get("/endless", callback=endless)
    app.get("/health", callback=lambda: "ok")
    return beside(app, obs)


def falcon(obs: Observability) -> WSGIApplication:
    os.environ.setdefault("FALCON_CUSTOM_HTTP_METHODS", "BREW")  # else Falcon answers 400 instead of 404 or 405
    from falcon import App, Request, Response

    from observabilipy_wsgi.falcon import RouteMiddleware

    class Item:
        def on_get(self, _: Request, response: Response, item: int) -> None:
            obs.info("looked at")
            response.text = f"item {item}"

        def on_head(self, request: Request, response: Response, item: int) -> None:
            self.on_get(request, response, item)

        def on_delete(self, _: Request, response: Response, item: int) -> None:
            response.status = 204

    class Answering:
        def __init__(self, answer: Callable[[Response], object]) -> None:
            self._answer = answer

        def on_get(self, _: Request, response: Response, **_parameters: str) -> None:
            self._answer(response)

    def boom(_: Response) -> None:
        raise RuntimeError("on purpose")

    app = App(middleware=[RouteMiddleware()])
    app.add_route("/items/{item:int}", Item())
    app.add_route("/api/v1/orders/{order}", Answering(lambda response: setattr(response, "text", "order")))
    app.add_route("/cached", Answering(lambda response: setattr(response, "status", 304)))
    app.add_route("/boom", Answering(boom))
    app.add_route("/stream", Answering(lambda response: setattr(response, "stream", parts())))
    app.add_route("/endless", Answering(lambda response: setattr(response, "stream", endless())))
    app.add_route("/health", Answering(lambda response: setattr(response, "text", "ok")))
    return beside(app, obs)


def pyramid(obs: Observability) -> WSGIApplication:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about modules that Pyramid imports and Python or setuptools will drop
        from pyramid.config import Configurator
        from pyramid.httpexceptions import HTTPMethodNotAllowed
        from pyramid.response import Response

    # Any: Pyramid has no types.
    def item(request: Any) -> Any:
        if request.method == "DELETE":
            return Response(status=204)
        if request.method not in {"GET", "HEAD"}:
            raise HTTPMethodNotAllowed
        obs.info("looked at")
        return Response(f"item {request.matchdict['item']}")

    def boom(_: Any) -> Any:
        raise RuntimeError("on purpose")

    views = {
        r"/items/{item:\d+}": item,
        "/cached": lambda _: Response(status=304),
        "/boom": boom,
        "/stream": lambda _: Response(app_iter=parts()),
        "/endless": lambda _: Response(app_iter=endless()),
        "/health": lambda _: Response("ok"),
    }
    with Configurator() as config:
        config.include("observabilipy_wsgi.pyramid")
        for path, view in views.items():
            config.add_route(path, path)
            config.add_view(view, route_name=path)

        def api(inner: Any) -> None:
            inner.add_route("order", "/orders/{order}")
            inner.add_view(lambda _: Response("order"), route_name="order")

        config.include(api, route_prefix="/api/v1")
        return beside(config.make_wsgi_app(), obs)


def werkzeug(obs: Observability) -> WSGIApplication:
    from werkzeug.exceptions import HTTPException, MethodNotAllowed
    from werkzeug.routing import Map, Rule, Submount
    from werkzeug.wrappers import Request, Response

    def item(request: Request, item: int) -> Response:
        if request.method == "DELETE":
            return Response(status=204)
        obs.info("looked at")
        return Response(f"item {item}")

    def boom(_: Request) -> Response:
        raise RuntimeError("on purpose")

    rules = Map(
        [
            Rule("/items/<int:item>", endpoint=item),
            Submount("/api", [Submount("/v1", [Rule("/orders/<order>", endpoint=lambda _, order: Response("order"))])]),
            Rule("/cached", endpoint=lambda _: Response(status=304)),
            Rule("/boom", endpoint=boom),
            Rule("/stream", endpoint=lambda _: Response(parts())),
            Rule("/endless", endpoint=lambda _: Response(endless())),
            Rule("/health", endpoint=lambda _: Response("ok")),
        ]
    )

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        from observabilipy.route_template import route_template

        request = Request(environ)
        try:
            rule, values = rules.bind_to_environ(environ).match(return_rule=True)
            environ["observabilipy.route"] = route_template(rule.rule, "last")
            if request.method not in {"GET", "HEAD", "DELETE"}:
                raise MethodNotAllowed
            response = rule.endpoint(request, **values)
        except HTTPException as refused:
            return refused(environ, start_response)
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    return beside(app, obs)


WSGI_SHOPS: dict[str, Callable[[Observability], WSGIApplication]] = {
    "Flask": flask,
    "Bottle": bottle,
    "Falcon": falcon,
    "Pyramid": pyramid,
    "Werkzeug": werkzeug,
}
