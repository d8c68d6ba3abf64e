"""What recording a request costs: CPU time over the same application without it, beside the peers of each framework.

Every application answers the same small request in this process, without a server. All of them take turns in each
round, and the figures are medians over the rounds of what each one took more than its bare application.

Run it: uv run --group peers python benchmarks/requests.py [framework ...]
"""

import asyncio
import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from importlib.metadata import version
from typing import Any, TypeAlias

from observabilipy import Observability

ROUNDS = 60
REQUESTS = 500

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REQUEST_ID = "0123456789abcdef0123456789abcdef"

Run: TypeAlias = Callable[[], float]
"""Serves some requests and gives the CPU nanoseconds of this thread for one."""

# Any: what applications of all these frameworks take.
Application: TypeAlias = Callable[..., Any]

BARE, METRICS, EVERYTHING = "bare", "ours: metrics", "ours: metrics, ids, access log"


def asgi_run(app: Application) -> Run:
    """Serve over ASGI."""

    async def receive() -> Mapping[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Mapping[str, object]) -> None:
        pass

    def scope() -> MutableMapping[str, object]:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/items/42",
            "raw_path": b"/items/42",
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"localhost"),
                (b"user-agent", b"benchmark"),
                (b"accept", b"*/*"),
                (b"traceparent", TRACEPARENT.encode()),
                (b"x-request-id", REQUEST_ID.encode()),
            ],
            "client": ("127.0.0.1", 5),
            "server": ("127.0.0.1", 80),
        }

    async def serve() -> float:
        started = time.thread_time_ns()
        for _ in range(REQUESTS):
            await app(scope(), receive, send)
        return (time.thread_time_ns() - started) / REQUESTS

    return lambda: asyncio.run(serve())


def wsgi_run(app: Application) -> Run:
    """Serve over WSGI."""
    from io import BytesIO

    def environ() -> dict[str, object]:
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/items/42",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "HTTP_TRACEPARENT": TRACEPARENT,
            "HTTP_X_REQUEST_ID": REQUEST_ID,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }

    def start_response(*_: object) -> None:
        pass

    def serve() -> float:
        started = time.thread_time_ns()
        for _ in range(REQUESTS):
            body = app(environ(), start_response)
            for _chunk in body:
                pass
            if hasattr(body, "close"):
                body.close()
        return (time.thread_time_ns() - started) / REQUESTS

    return serve


def bare_asgi(obs: Observability) -> dict[str, Run]:
    """An application that does nothing but answer."""
    from observabilipy_asgi import ObservabilityMiddleware
    from observabilipy_asgi.protocol import Message, Receive, Scope, Send

    class Route:
        path = path_format = "/items/{item}"

    route = Route()
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    body: Message = {"type": "http.response.body", "body": b"ok"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = route
        await send(start)
        await send(body)

    return {
        BARE: asgi_run(app),
        METRICS: asgi_run(ObservabilityMiddleware(app, obs, access_log=False, request_ids=False)),
        EVERYTHING: asgi_run(ObservabilityMiddleware(app, obs)),
    }


def fastapi(obs: Observability) -> dict[str, Run]:
    """FastAPI, beside prometheus-fastapi-instrumentator and starlette_exporter."""
    from fastapi import FastAPI
    from prometheus_fastapi_instrumentator import Instrumentator
    from starlette_exporter import PrometheusMiddleware

    from observabilipy_fastapi import instrument

    def shop() -> FastAPI:
        app = FastAPI()

        @app.get("/items/{item}")
        async def read(item: int) -> dict[str, int]:
            return {"item": item}

        return app

    bare, metrics, everything, instrumented, exported = (shop() for _ in range(5))
    instrument(metrics, obs, access_log=False, request_ids=False)
    instrument(everything, obs)
    Instrumentator().instrument(instrumented)
    exported.add_middleware(PrometheusMiddleware)
    return {
        BARE: asgi_run(bare),
        METRICS: asgi_run(metrics),
        EVERYTHING: asgi_run(everything),
        named("prometheus-fastapi-instrumentator"): asgi_run(instrumented),
        named("starlette-exporter"): asgi_run(exported),
    }


def flask(obs: Observability) -> dict[str, Run]:
    """Flask, beside prometheus-flask-exporter."""
    from flask import Flask
    from prometheus_client import CollectorRegistry
    from prometheus_flask_exporter import PrometheusMetrics

    from observabilipy_wsgi.flask import Observabilipy

    def shop(name: str) -> Flask:
        app = Flask(name)

        @app.get("/items/<int:item>")
        def read(item: int) -> dict[str, int]:
            return {"item": item}

        return app

    bare, metrics, everything, exported = map(shop, ("bare", "metrics", "everything", "exported"))
    Observabilipy(metrics, obs, access_log=False, request_ids=False)
    Observabilipy(everything, obs)
    PrometheusMetrics(exported, registry=CollectorRegistry())
    return {
        BARE: wsgi_run(bare),
        METRICS: wsgi_run(metrics),
        EVERYTHING: wsgi_run(everything),
        named("prometheus-flask-exporter"): wsgi_run(exported),
    }


def django(obs: Observability) -> dict[str, Run]:
    """Django over WSGI, beside django-prometheus. Its settings are the process's, so handlers are made in turn."""
    import django as package
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, JsonResponse
    from django.test import override_settings
    from django.urls import path

    from observabilipy.installation import provide

    def read(_request: HttpRequest, item: int) -> JsonResponse:
        return JsonResponse({"item": item})

    ours = "observabilipy_django.middleware.ObservabilityMiddleware"
    theirs = "django_prometheus.middleware.Prometheus{}Middleware"
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=type("urls", (), {"urlpatterns": [path("items/<int:item>", read)]}),
        INSTALLED_APPS=["observabilipy_django", "django_prometheus"],
        SECRET_KEY="benchmark",
        OBSERVABILIPY={"FLUSH_INTERVAL": 3600.0, "HANDLE_SIGTERM": False},
    )
    package.setup()
    provide(lambda: obs)

    def handler(*middleware: str, **more: object) -> Run:
        with override_settings(MIDDLEWARE=middleware, **more):
            app = WSGIHandler()
            run = wsgi_run(app)
            run()
        return run

    quiet = {"OBSERVABILIPY": {**settings.OBSERVABILIPY, "ACCESS_LOG": False, "REQUEST_IDS": False}}

    def switched(run: Run) -> Run:
        def serve() -> float:
            with override_settings(**quiet):
                run()  # the middleware learns of the settings
                return run()

        return serve

    recorded = handler(ours)
    return {
        BARE: handler(),
        METRICS: switched(recorded),
        EVERYTHING: recorded,
        named("django-prometheus"): handler(theirs.format("Before"), theirs.format("After")),
    }


def named(distribution: str) -> str:
    """A peer, with its version."""
    return f"{distribution} {version(distribution)}"


FRAMEWORKS = {"asgi": bare_asgi, "fastapi": fastapi, "flask": flask, "django": django}


def measure(runs: Mapping[str, Run], obs: Observability) -> dict[str, list[float]]:
    """Nanoseconds for one request, by variant and round."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(ROUNDS):
        for name, run in runs.items():
            gc.collect()
            taken[name].append(run())
        obs.flush()
    return taken


def show(framework: str, taken: Mapping[str, list[float]]) -> None:
    """Print one table."""
    print(f"\n{framework:50}{'us':>8}{'over bare':>11}{'/ metrics':>11}")
    over = {
        name: statistics.median(it - bare for it, bare in zip(times, taken[BARE], strict=True)) / 1000
        for name, times in taken.items()
    }
    for name, times in taken.items():
        ratio = f"{over[name] / over[METRICS]:10.1f}x" if name != BARE else ""
        print(f"{name:50}{statistics.median(times) / 1000:8.2f}{over[name]:11.2f}{ratio:>11}")


def carrying(obs: Observability) -> float:
    """CPU microseconds of this process for one access entry, on its way from the buffer into memory."""
    entries = 5_000
    per_entry = []
    for _ in range(5):
        for _ in range(entries):
            obs.info("GET /items/42 200", method="GET", route="/items/{item}", path="/items/42", status=200)
        started = time.process_time_ns()
        obs.flush()
        per_entry.append((time.process_time_ns() - started) / entries / 1000)
    return statistics.median(per_entry)


def main() -> None:
    """Print the tables."""
    print(f"Python {platform.python_version()}; CPU time of one request, medians of {ROUNDS} rounds")
    for framework in sys.argv[1:] or FRAMEWORKS:
        with Observability("ring://?entries=100&samples=100", flush_interval=3600, handle_sigterm=False) as obs:
            show(framework, measure(FRAMEWORKS[framework](obs), obs))
    with Observability("ring://?entries=100&samples=100", flush_interval=3600, handle_sigterm=False) as obs:
        print(f"\nthe runtime's thread, for each access entry: {carrying(obs):.2f} us")


if __name__ == "__main__":
    main()
