"""The endpoints as a router, to be included like any other."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Response
from fastapi.params import Depends

from observabilipy import Observability
from observabilipy_asgi import ObservabilityApp
from observabilipy_asgi.protocol import Receive, Scope, Send

__all__ = ["observability_router"]

# The endpoints refuse them themselves, with their own 405. One plain route for every method would be shorter, but
# FastAPI before 0.137 forgets dependencies and prefixes of the routers around it.
_REFUSED_METHODS = ["DELETE", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]

_PROBLEM = "application/problem+json"
# Any: FastAPI's own type of what it writes into the schema.
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "A valid token is required", "content": {_PROBLEM: {}}},
    403: {"description": "Nobody decided yet who may read, or not you", "content": {_PROBLEM: {}}},
    503: {"description": "The store cannot be read now", "content": {_PROBLEM: {}}},
}
_SCHEMA: dict[str, dict[int | str, dict[str, Any]]] = {
    "/metrics": {
        200: {
            "description": "The totals of all workers",
            "content": {"text/plain": {}, "application/openmetrics-text": {}},
        },
        **_PROBLEMS,
    },
    "/logs": {
        200: {"description": "Log entries, one a line", "content": {"application/x-ndjson": {}}},
        400: {"description": "A parameter that is not understood", "content": {_PROBLEM: {}}},
        **_PROBLEMS,
    },
    "/health": {200: {"description": "The service answers", "content": {"application/json": {}}}},
}


def observability_router(
    obs: Observability, *, include_in_schema: bool = False, dependencies: Sequence[Depends] = ()
) -> APIRouter:
    """A router with ``/metrics``, ``/logs`` and, if ``obs`` has it, ``/health``.

    Args:
        obs: what is shown, and who may read it.
        include_in_schema: show the endpoints in the OpenAPI document.
        dependencies: asked before anything is read, next to ``auth``; those of the application are, too.
    """
    router = APIRouter(tags=["observability"])
    for path in obs.endpoints.paths:
        app = ObservabilityApp(obs, path=path)
        for methods in (["GET"], ["HEAD"], _REFUSED_METHODS):
            router.add_api_route(
                path,
                _endpoint(app),
                methods=methods,
                name=f"observability {path.removeprefix('/')}",
                response_class=Response,
                responses=_SCHEMA[path],
                include_in_schema=include_in_schema and methods == ["GET"],
                dependencies=list(dependencies),
            )
    return router


def _endpoint(app: ObservabilityApp) -> Callable[[], Awaitable[Response]]:
    async def read() -> Response:
        return _Passed(app)

    return read


class _Passed(Response):
    """The answer of an ASGI application, from a function that FastAPI calls."""

    def __init__(self, app: ObservabilityApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        if self.background is not None:  # of a dependency
            await self.background()
