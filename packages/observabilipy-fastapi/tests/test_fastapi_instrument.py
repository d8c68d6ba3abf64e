"""instrument(): what one call adds to an application, and what it refuses."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException
from starlette.responses import PlainTextResponse

from observabilipy import ConfigurationError, LogQuery, Observability, current
from observabilipy_asgi.testing import fetch
from observabilipy_fastapi import instrument, observability_router


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


async def recorded(obs: Observability) -> list[tuple[object, object]]:
    """Route and status of every recorded request."""
    await obs.aflush()
    entries = [entry async for entry in obs.storage.read_logs(LogQuery())]
    return [(entry.attributes["route"], entry.attributes["status"]) for entry in entries]


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.post("/orders")
    async def order() -> dict[str, str]:
        current().counter("orders_total", "Orders placed.", labels=("tier",)).labels("gold").inc()
        return {"status": "ok"}

    return app


@pytest.fixture
def instrumented(app: FastAPI) -> Iterator[Observability]:
    with instrument(app, auth="secret", handle_sigterm=False) as obs:
        yield obs


@pytest.mark.usefixtures("instrumented")
async def test_one_call_gives_metrics_and_logs(app: FastAPI) -> None:
    await fetch(app, "POST /orders")
    metrics = await fetch(app, "GET /metrics", token="secret")
    logs = await fetch(app, "GET /logs", token="secret")

    assert (metrics.status, b'\norders_total{tier="gold"} 1\n' in metrics.body) == (200, True)
    assert (logs.status, b'"POST /orders 200"' in logs.body) == (200, True)


async def test_what_it_gives_back_is_the_current_one(instrumented: Observability) -> None:
    assert current() is instrumented


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("path", ["/metrics", "/logs"])
async def test_nobody_reads_without_the_token(app: FastAPI, path: str) -> None:
    answers = [await fetch(app, f"GET {path}"), await fetch(app, f"HEAD {path}", token="wrong")]

    assert [answer.status for answer in answers] == [401, 401]


async def test_without_a_decision_the_endpoints_say_how_to_make_one(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OBSERVABILIPY_TOKEN", raising=False)
    monkeypatch.delenv("OBSERVABILIPY_TOKEN_FILE", raising=False)
    with instrument(app, handle_sigterm=False):
        answer = await fetch(app, "GET /metrics")

    assert (answer.status, b"OBSERVABILIPY_TOKEN" in answer.body) == (403, True)


async def test_metrics_may_be_open_to_others_than_logs(app: FastAPI) -> None:
    with instrument(app, auth="secret", metrics_auth="public", handle_sigterm=False):
        statuses = [(await fetch(app, f"GET {path}")).status for path in ("/metrics", "/logs")]

    assert statuses == [200, 401]


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "TRACE"])
async def test_other_methods_are_refused_by_the_endpoints_themselves(app: FastAPI, method: str) -> None:
    answer = await fetch(app, f"{method} /metrics", token="secret")

    assert (answer.status, answer.headers["allow"], answer.headers["content-type"]) == (
        405,
        "GET, HEAD",
        "application/problem+json",
    )


async def test_health_is_there_when_asked_for() -> None:
    answers = []
    for health in (True, False):
        app = FastAPI()
        with instrument(app, health=health, handle_sigterm=False):
            answers.append((await fetch(app, "GET /health")).status)

    assert answers == [200, 404]


async def test_a_prefix_moves_the_endpoints(app: FastAPI) -> None:
    with instrument(app, auth="public", prefix="/internal", handle_sigterm=False):
        statuses = [
            (await fetch(app, f"GET {path}")).status for path in ("/internal/metrics", "/internal/logs", "/metrics")
        ]

    assert statuses == [200, 200, 404]


async def test_our_own_endpoints_and_excluded_paths_are_not_recorded(app: FastAPI, obs: Observability) -> None:
    instrument(app, obs, exclude=["/docs"])

    for path in ("/metrics", "/logs", "/docs", "/redoc"):
        await fetch(app, f"GET {path}")

    assert await recorded(obs) == [("/redoc", 200)]


async def test_an_access_log_can_be_left_out(app: FastAPI, obs: Observability) -> None:
    instrument(app, obs, access_log=False)

    await fetch(app, "GET /docs")

    assert await recorded(obs) == []


async def test_the_endpoints_stay_out_of_the_schema_unless_wanted() -> None:
    documents = []
    for include_in_schema in (False, True):
        app = FastAPI()
        with instrument(app, handle_sigterm=False, include_in_schema=include_in_schema):
            documents.append(app.openapi()["paths"])

    assert (documents[0], {path: list(methods) for path, methods in documents[1].items()}) == (
        {},
        {"/metrics": ["get"], "/logs": ["get"]},
    )
    assert list(documents[1]["/logs"]["get"]["responses"]["200"]["content"]) == [
        "application/x-ndjson",
        "application/json",
    ]


async def test_dependencies_are_asked_before_anything_is_read(obs: Observability) -> None:
    async def closed() -> None:
        raise HTTPException(418, "not today")

    app = FastAPI()
    app.include_router(observability_router(obs, dependencies=[Depends(closed)]), prefix="/ops")

    assert [(await fetch(app, f"{method} /ops/metrics")).status for method in ("GET", "HEAD", "POST")] == [418] * 3


async def test_a_router_around_the_endpoints_moves_them_and_leaves_none_where_they_were(
    obs: Observability,
) -> None:
    outer = APIRouter(prefix="/internal")
    outer.include_router(observability_router(obs), prefix="/ops")
    app = FastAPI()
    app.include_router(outer)
    targets = ("/internal/ops/metrics", "/ops/metrics", "/internal/metrics", "/metrics")

    assert [(await fetch(app, f"GET {target}")).status for target in targets] == [200, 404, 404, 404]


async def test_background_tasks_of_a_dependency_run(obs: Observability) -> None:
    done: list[str] = []

    async def audited(tasks: BackgroundTasks) -> None:
        tasks.add_task(done.append, "audited")

    app = FastAPI()
    app.include_router(observability_router(obs, dependencies=[Depends(audited)]))
    answer = await fetch(app, "GET /metrics")

    assert (answer.status, done) == (200, ["audited"])


async def test_dependencies_of_the_application_guard_the_endpoints_too(obs: Observability) -> None:
    async def key(key: str) -> str:
        return key

    app = FastAPI(dependencies=[Depends(key)])
    instrument(app, obs)

    assert [(await fetch(app, f"GET /metrics{query}")).status for query in ("", "?key=k")] == [422, 200]


async def test_an_endpoint_may_depend_on_the_current_one(app: FastAPI, obs: Observability) -> None:
    @app.get("/logged")
    async def logged(obs: Annotated[Observability, Depends(current)]) -> None:
        obs.info("from a dependency")

    instrument(app, obs, access_log=False)
    await fetch(app, "GET /logged")

    assert b"from a dependency" in (await fetch(app, "GET /logs")).body


async def test_a_middleware_added_before_stands_within_ours(app: FastAPI, obs: Observability) -> None:
    @app.middleware("http")
    async def teapot(_request: object, _next: object) -> PlainTextResponse:
        return PlainTextResponse("short and stout", 418)

    instrument(app, obs)
    await fetch(app, "POST /orders")

    assert await recorded(obs) == [("__unmatched__", 418)]


@pytest.mark.parametrize("taken", ["/metrics", "/{page}", "/{rest:path}"])
def test_a_path_that_the_application_has_already_is_an_error_that_names_it(obs: Observability, taken: str) -> None:
    app = FastAPI()
    app.post(taken)(lambda: None)

    with pytest.raises(ConfigurationError) as raised:
        instrument(app, obs)

    assert str(raised.value).partition(": call")[0] == (
        f"the application has {'/metrics' if taken == '/metrics' else '/logs'!r} already (its route {taken!r})"
    )


def test_an_included_router_with_the_same_path_is_noticed(obs: Observability) -> None:
    app = FastAPI()
    app.include_router(observability_router(obs), prefix="/internal")

    with pytest.raises(ConfigurationError, match="'/internal/logs' already"):
        instrument(app, obs, prefix="/internal")


def test_a_refused_application_stays_as_it_was(obs: Observability) -> None:
    app = FastAPI()
    app.get("/metrics")(lambda: None)
    before = list(app.routes)

    with pytest.raises(ConfigurationError):
        instrument(app, obs)

    assert (app.user_middleware, app.routes) == ([], before)


def test_instrumenting_twice_is_an_error(app: FastAPI, obs: Observability) -> None:
    instrument(app, obs)

    with pytest.raises(ConfigurationError, match=r"instrumented already: use what the first instrument\(\) gave back"):
        instrument(app, obs)


async def test_an_application_that_has_started_is_an_error(app: FastAPI, obs: Observability) -> None:
    await fetch(app, "GET /docs")

    with pytest.raises(ConfigurationError, match="has started, and takes no middleware any more: call instrument"):
        instrument(app, obs)


def test_options_beside_an_observability_are_an_error(app: FastAPI, obs: Observability) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot set its auth, health, service: give that to Observability"):
        instrument(app, obs, auth="secret", health=True, service="shop")


@pytest.mark.parametrize("prefix", ["internal", "/", "/internal/", "/{tenant}"])
def test_a_prefix_that_cannot_be_is_an_error(app: FastAPI, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix must be empty, or begin with a slash"):
        instrument(app, prefix=prefix)


@pytest.mark.parametrize("exclude", ["/health", ["health"], [None]])
def test_what_cannot_be_excluded_is_an_error_before_the_application_starts(
    app: FastAPI, obs: Observability, exclude: Any
) -> None:
    with pytest.raises(ConfigurationError, match=r"exclude takes a list of paths .* write \['/health'\]"):
        instrument(app, obs, exclude=exclude)


def test_a_metric_with_the_name_of_ours_is_an_error_where_it_is_defined(app: FastAPI, obs: Observability) -> None:
    instrument(app, obs)

    with pytest.raises(ConfigurationError, match="http_server_active_requests is defined in another way"):
        obs.gauge("http_server_active_requests", "Mine.")
