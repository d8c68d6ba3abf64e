"""instrument(): everything for a FastAPI application in one call."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from starlette.routing import Match

from observabilipy import ConfigurationError, Observability, install
from observabilipy.http import Auth
from observabilipy.ports import LogStoragePort, MetricsStoragePort
from observabilipy.requests import RequestRecorder
from observabilipy_asgi import ObservabilityMiddleware
from observabilipy_asgi.protocol import Scope
from observabilipy_fastapi.router import observability_router

__all__ = ["instrument"]


def instrument(
    app: FastAPI,
    storage: str | LogStoragePort | tuple[LogStoragePort, MetricsStoragePort] | Observability = "memory://",
    *,
    prefix: str = "",
    auth: Auth = None,
    metrics_auth: Auth = None,
    health: bool = False,
    access_log: bool = True,
    request_ids: bool = True,
    body_sizes: bool = False,
    exclude: Iterable[str] = (),
    include_in_schema: bool = False,
    **options: Any,  # whatever Observability takes, checked there
) -> Observability:
    """Give an application ``/metrics``, ``/logs``, request metrics and an access log.

    Call it once, before the application starts. Middlewares that are added afterwards stand around ours. What it gives
    back is ``current()`` from then on.

    Args:
        app: the application.
        storage: a storage URL such as ``"sqlite:///observability.db"``, a storage, or an ``Observability``.
        prefix: stands before the endpoints' paths, ``"/internal"`` for example.
        auth: who may read: a token, several, a callable, or "public"; from the environment if left out.
        metrics_auth: who may read ``/metrics``, when that is another answer.
        health: add ``/health``, without data and without auth.
        access_log: record a log entry for each request.
        request_ids: give each request its ids, in all that it logs and in its answer.
        body_sizes: measure the bodies of requests and answers.
        exclude: paths that are left alone; one that ends in ``*`` stands for all that begin like it.
        include_in_schema: show the endpoints in the OpenAPI document.
        options: further arguments of ``Observability``, such as ``service="shop"``.

    Raises:
        ConfigurationError: a path that the application has already, an application that is instrumented already or
            has started, or a setting that cannot work.
    """
    _check_application(app)
    _check_prefix(prefix)
    settings = {"auth": auth, "metrics_auth": metrics_auth, "health": health or None}
    options |= {name: value for name, value in settings.items() if value is not None}
    obs = _observability(storage, options)
    for path in obs.endpoints.paths:
        _check_free(app, prefix + path)
    recorded: dict[str, Any] = {
        "access_log": access_log,
        "request_ids": request_ids,
        "body_sizes": body_sizes,
        "exclude": exclude if isinstance(exclude, str) else tuple(exclude),
    }
    # The middleware is made when the server has started, and what it refused then would make every answer a 500.
    RequestRecorder(obs, **recorded)
    app.add_middleware(ObservabilityMiddleware, obs=obs, **recorded)
    app.include_router(observability_router(obs, include_in_schema=include_in_schema), prefix=prefix)
    return install(obs)


def _observability(
    storage: str | LogStoragePort | tuple[LogStoragePort, MetricsStoragePort] | Observability, options: dict[str, Any]
) -> Observability:
    if not isinstance(storage, Observability):
        return Observability(storage, **options)
    if options:
        raise ConfigurationError(
            f"an Observability is used as it is, so instrument() cannot set its {', '.join(sorted(options))}:"
            " give that to Observability(...) itself"
        )
    return storage


def _check_application(app: FastAPI) -> None:
    classes: list[object] = [middleware.cls for middleware in app.user_middleware]
    if ObservabilityMiddleware in classes:
        raise ConfigurationError(
            "this application is instrumented already: use what the first instrument() gave back, or current()"
        )
    if app.middleware_stack is not None:
        raise ConfigurationError(
            "this application has started, and takes no middleware any more: call instrument() where it is made"
        )


def _check_prefix(prefix: str) -> None:
    if prefix and (not prefix.startswith("/") or prefix.endswith("/") or "{" in prefix):
        raise ConfigurationError(
            f"prefix must be empty, or begin with a slash and not end with one, got {prefix!r}: write '/internal'"
        )


def _check_free(app: FastAPI, path: str) -> None:
    """A route that came first would answer in our place."""
    scope: Scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    for route in app.routes:
        if route.matches(scope)[0] is not Match.NONE:  # whatever the method
            raise ConfigurationError(
                f"the application has {path!r} already (its route {getattr(route, 'path', route)!r}): call"
                " instrument(app, ..., prefix='/internal'), or call it before that route is added"
            )
