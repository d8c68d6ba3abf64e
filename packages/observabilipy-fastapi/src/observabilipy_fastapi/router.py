"""The endpoints as a router, to be included like any other."""

import re
from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter, Response
from fastapi.params import Depends
from fastapi.routing import APIRoute

from observabilipy import Observability
from observabilipy_asgi import ObservabilityApp
from observabilipy_asgi.protocol import Receive, Scope, Send
from observabilipy_fastapi.schema import DESCRIPTIONS, PARAMETERS, RESPONSES, SECURITY

__all__ = ["observability_router"]

# An empty list is every method: the endpoints refuse what they do not know themselves, with their own 405. One plain
# route would be shorter, but FastAPI before 0.137 forgets dependencies and prefixes of the routers around it.
_METHODS: tuple[list[str], ...] = (["GET"], ["HEAD"], [])


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
        summary, description = DESCRIPTIONS[path]
        for methods in _METHODS:
            shown = include_in_schema and methods == ["GET"]
            router.add_api_route(
                path,
                _endpoint(app),
                methods=methods,
                name=f"observability {path.removeprefix('/')}",
                summary=summary,
                description=description,
                response_class=Response,
                responses=RESPONSES[path],
                include_in_schema=shown,
                openapi_extra={"parameters": PARAMETERS[path]},
                generate_unique_id_function=_operation_id,
                dependencies=[*dependencies, *(SECURITY if shown and path != "/health" else ())],
            )
    return router


def _operation_id(route: APIRoute) -> str:
    """FastAPI's own ends with the first method, which not every route has. Of ours only GET is shown."""
    return re.sub(r"\W", "_", f"{route.name}{route.path_format}_get")


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
