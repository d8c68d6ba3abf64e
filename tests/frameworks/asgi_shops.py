"""The same shop in each ASGI framework, as its documentation would have it written."""

import asyncio
from collections.abc import AsyncIterator, Callable

from observabilipy import Observability
from observabilipy_asgi import ObservabilityApp, ObservabilityMiddleware, mounted
from observabilipy_asgi.protocol import ASGIApp

__all__ = ["ASGI_SHOPS"]

EXCLUDED = ["/health"]


async def parts() -> AsyncIterator[bytes]:
    for part in (b"one ", b"two ", b"three"):
        yield part
        await asyncio.sleep(0)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"on "
        await asyncio.sleep(0)


def starlette(obs: Observability) -> ASGIApp:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response, StreamingResponse
    from starlette.routing import Mount, Route

    async def item(request: Request) -> Response:
        if request.method == "DELETE":
            return Response(status_code=204)
        obs.info("looked at")
        return PlainTextResponse(f"item {request.path_params['item']}")

    async def order(request: Request) -> Response:
        return PlainTextResponse("order")

    async def cached(_: Request) -> Response:
        return Response(status_code=304)

    async def boom(_: Request) -> Response:
        raise RuntimeError("on purpose")

    async def stream(_: Request) -> Response:
        return StreamingResponse(parts())

    async def forever(_: Request) -> Response:
        return StreamingResponse(endless())

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    app = Starlette(
        routes=[
            Route("/items/{item:int}", item, methods=["GET", "DELETE"]),
            Mount("/api", routes=[Mount("/v1", routes=[Route("/orders/{order}", order)])]),
            Route("/cached", cached),
            Route("/boom", boom),
            Route("/stream", stream),
            Route("/endless", forever),
            Route("/health", health),
            Mount("/observability", ObservabilityApp(obs)),
        ]
    )
    return ObservabilityMiddleware(app, obs, exclude=EXCLUDED)


def fastapi(obs: Observability) -> ASGIApp:
    from fastapi import APIRouter, FastAPI
    from fastapi.responses import PlainTextResponse, Response, StreamingResponse

    from observabilipy_fastapi import instrument

    app = FastAPI()

    @app.api_route("/items/{item}", methods=["GET", "HEAD"])
    async def item(item: int) -> Response:
        obs.info("looked at")
        return PlainTextResponse(f"item {item}")

    @app.delete("/items/{item}", status_code=204)
    async def remove(item: int) -> None:
        pass

    orders = APIRouter(prefix="/v1")

    @orders.get("/orders/{order}")
    async def order(order: str) -> Response:
        return PlainTextResponse("order")

    app.include_router(orders, prefix="/api")

    @app.get("/cached")
    async def cached() -> Response:
        return Response(status_code=304)

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("on purpose")

    @app.get("/stream")
    async def stream() -> Response:
        return StreamingResponse(parts())

    @app.get("/endless")
    async def forever() -> Response:
        return StreamingResponse(endless())

    @app.get("/health")
    async def health() -> str:
        return "ok"

    instrument(app, obs, prefix="/observability", exclude=EXCLUDED)
    return app


def litestar(obs: Observability) -> ASGIApp:
    from litestar import Litestar, Response, Router, asgi, delete, get, head
    from litestar.params import FromPath
    from litestar.response import Stream
    from litestar.types import Receive, Scope, Send

    @get("/items/{item:int}", media_type="text/plain")
    async def item(item: FromPath[int]) -> str:
        obs.info("looked at")
        return f"item {item}"

    @head("/items/{item:int}")
    async def peek(item: FromPath[int]) -> None:
        pass

    @delete("/items/{item:int}")
    async def remove(item: FromPath[int]) -> None:
        pass

    @get("/orders/{order:str}")
    async def order(order: FromPath[str]) -> str:
        return "order"

    @get("/cached")
    async def cached() -> Response[None]:
        return Response(None, status_code=304)

    @get("/boom")
    async def boom() -> None:
        raise RuntimeError("on purpose")

    @get("/stream")
    async def stream() -> Stream:
        return Stream(parts())

    @get("/endless")
    async def forever() -> Stream:
        return Stream(endless())

    @get("/health")
    async def health() -> str:
        return "ok"

    endpoints = ObservabilityApp(obs)

    @asgi("/observability", is_mount=True, copy_scope=True)
    async def observability(scope: Scope, receive: Receive, send: Send) -> None:
        await endpoints(scope, receive, send)  # type: ignore[arg-type]  # Litestar's own types of the same protocol

    api = Router("/api/v1", route_handlers=[order])
    app = Litestar([item, peek, remove, api, cached, boom, stream, forever, health, observability], openapi_config=None)
    return ObservabilityMiddleware(app, obs, exclude=EXCLUDED)  # type: ignore[arg-type]  # see above


def quart(obs: Observability) -> ASGIApp:
    from quart import Blueprint, Quart, Response

    from observabilipy_asgi.quart import name_routes

    app = Quart("shop")
    name_routes(app)

    @app.get("/items/<int:item>")
    async def item(item: int) -> str:
        obs.info("looked at")
        return f"item {item}"

    @app.delete("/items/<int:item>")
    async def remove(item: int) -> Response:
        return Response("", status=204)

    orders = Blueprint("orders", "orders", url_prefix="/v1")

    @orders.get("/orders/<order>")
    async def order(order: str) -> str:
        return "order"

    api = Blueprint("api", "api", url_prefix="/api")
    api.register_blueprint(orders)
    app.register_blueprint(api)

    @app.get("/cached")
    async def cached() -> Response:
        return Response("", status=304)

    @app.get("/boom")
    async def boom() -> str:
        raise RuntimeError("on purpose")

    @app.get("/stream")
    async def stream() -> Response:
        return Response(parts())

    @app.get("/endless")
    async def forever() -> Response:
        return Response(endless())

    @app.get("/health")
    async def health() -> str:
        return "ok"

    return ObservabilityMiddleware(mounted(app, obs), obs, exclude=EXCLUDED)  # type: ignore[arg-type]  # Quart's own types


ASGI_SHOPS: dict[str, Callable[[Observability], ASGIApp]] = {
    "Starlette": starlette,
    "FastAPI": fastapi,
    "Litestar": litestar,
    "Quart": quart,
}
