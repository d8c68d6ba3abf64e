"""Which template a request is recorded under, for every way to build an application out of routes."""

from collections.abc import AsyncIterator, Iterator

import pytest
import starlette
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from observabilipy import LogQuery, Observability
from observabilipy_asgi import ObservabilityApp, ObservabilityMiddleware
from observabilipy_asgi.testing import fetch
from observabilipy_fastapi import instrument

names_plain_routes = pytest.mark.skipif(
    tuple(map(int, starlette.__version__.split(".")[:2])) < (1, 7),
    reason=f"Starlette {starlette.__version__} does not say in the scope which plain route it took",
)


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


async def recorded(obs: Observability) -> list[tuple[object, object]]:
    """Route and status of every recorded request."""
    await obs.aflush()
    entries = [entry async for entry in obs.storage.read_logs(LogQuery())]
    return [(entry.attributes["route"], entry.attributes["status"]) for entry in entries]


async def plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


def shop_router() -> APIRouter:
    router = APIRouter()

    @router.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    router.add_route("/plain/{name}", plain)
    return router


def application() -> FastAPI:
    app = FastAPI()
    version = APIRouter(prefix="/v1")
    version.include_router(shop_router(), prefix="/shop")
    app.include_router(version, prefix="/api")
    inner = FastAPI()
    inner.include_router(shop_router(), prefix="/inner")
    app.mount("/mounted", inner)
    app.mount("/of/{tenant}", inner)
    app.mount("/opaque", PlainTextResponse("opaque"))

    @app.get("/direct/{name}")
    async def direct(name: str) -> str:
        return name

    @app.get("/broken")
    async def broken() -> float:
        return 1 / 0

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        return StreamingResponse(parts())

    return app


@pytest.mark.parametrize(
    ("request_line", "route", "status"),
    [
        ("GET /direct/me", "/direct/{name}", 200),
        ("GET /api/v1/shop/items/3", "/api/v1/shop/items/{item}", 200),
        ("GET /api/v1/shop/items/three", "/api/v1/shop/items/{item}", 422),
        ("POST /api/v1/shop/items/3", "/api/v1/shop/items/{item}", 405),
        ("BREW /direct/me", "/direct/{name}", 405),
        ("GET /mounted/inner/items/3", "/mounted/inner/items/{item}", 200),
        ("GET /mounted/nowhere", "/mounted/{path}", 404),
        ("GET /of/acme/inner/items/3", "/of/{tenant}/inner/items/{item}", 200),
        ("GET /opaque/a/b", "/opaque/{path}", 200),
        ("GET /stream", "/stream", 200),
        ("GET /docs", "/docs", 200),
        ("GET /openapi.json", "/openapi.json", 200),
        ("GET /nowhere", "__unmatched__", 404),
        ("GET /direct/me/", "__unmatched__", 307),
    ],
)
async def test_the_template_of_a_fastapi_route_stands_in_the_record(
    obs: Observability, request_line: str, route: str, status: int
) -> None:
    app = application()
    instrument(app, obs)

    await fetch(app, request_line)

    assert await recorded(obs) == [(route, status)]


async def test_a_route_that_raises_is_a_500_of_its_template(obs: Observability) -> None:
    app = application()
    instrument(app, obs)

    with pytest.raises(ZeroDivisionError):  # as it would without us; the client has its 500 by then
        await fetch(app, "GET /broken")

    assert await recorded(obs) == [("/broken", 500)]


@names_plain_routes
async def test_a_plain_route_of_an_included_router_has_its_prefix(obs: Observability) -> None:
    app = FastAPI()
    app.include_router(shop_router(), prefix="/shop")
    instrument(app, obs)

    await fetch(app, "GET /shop/plain/me")

    assert await recorded(obs) == [("/shop/plain/{name}", 200)]


@pytest.mark.parametrize("path", ["/direct/me", "/proxy/direct/me"])
async def test_a_proxy_in_front_leaves_the_template_as_it_is(obs: Observability, path: str) -> None:
    app = application()
    instrument(app, obs)

    await fetch(app, f"GET {path}", root_path="/proxy")

    assert await recorded(obs) == [("/direct/{name}", 200)]


async def test_a_middleware_around_the_whole_application_sees_the_same(obs: Observability) -> None:
    app = ObservabilityMiddleware(application(), obs)

    for path in ("/api/v1/shop/items/3", "/mounted/inner/items/3"):
        await fetch(app, f"GET {path}")

    assert await recorded(obs) == [
        ("/api/v1/shop/items/{item}", 200),
        ("/mounted/inner/items/{item}", 200),
    ]


@names_plain_routes
async def test_starlette_names_its_routes_and_mounts(obs: Observability) -> None:
    app = ObservabilityMiddleware(
        Starlette(routes=[Route("/u/{name}", plain), Mount("/m", routes=[Route("/x/{y:int}", plain)])]), obs
    )

    for path in ("/u/me", "/m/x/2", "/nowhere"):
        await fetch(app, f"GET {path}")

    assert await recorded(obs) == [("/u/{name}", 200), ("/m/x/{y}", 200), ("__unmatched__", 404)]


async def test_the_endpoints_answer_below_a_mount_and_are_not_recorded(obs: Observability) -> None:
    app = Starlette(routes=[Mount("/inner", routes=[Mount("/obs", ObservabilityApp(obs))])])
    served = ObservabilityMiddleware(app, obs)

    statuses = [(await fetch(served, f"GET {path}")).status for path in ("/inner/obs/metrics", "/inner/obs/logs")]

    assert (statuses, await recorded(obs)) == ([200, 200], [])
