"""The OpenAPI document: with the endpoints in it, it says what they really do."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from observabilipy import Observability
from observabilipy_asgi.testing import fetch
from observabilipy_fastapi import instrument


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


@pytest.fixture(autouse=True)
def obs(app: FastAPI) -> Iterator[Observability]:
    with instrument(
        app,
        auth="secret",
        health=True,
        include_in_schema=True,
        request_ids=False,
        handle_sigterm=False,
        flush_interval=3600,
    ) as made:
        yield made


def operation(app: FastAPI, path: str) -> dict[str, Any]:
    document: dict[str, Any] = app.openapi()
    return document["paths"][path]["get"]  # type: ignore[no-any-return] # JSON


def documented(app: FastAPI, path: str, status: int) -> list[str]:
    """The content types that the document names."""
    return [*operation(app, path)["responses"][str(status)]["content"]]


def test_each_endpoint_is_one_operation(app: FastAPI) -> None:
    paths = app.openapi()["paths"]

    assert {path: {method: about["operationId"] for method, about in paths[path].items()} for path in paths} == {
        "/health": {"get": "observability_health_health_get"},
        "/logs": {"get": "observability_logs_logs_get"},
        "/metrics": {"get": "observability_metrics_metrics_get"},
    }


async def test_the_parameters_of_logs_are_those_that_it_knows(app: FastAPI) -> None:
    refusal = json.loads((await fetch(app, "GET /logs?unknown=1", token="secret")).body)
    known = refusal["hint"].removeprefix("known are ").split(", ")

    named = {parameter["name"] for parameter in operation(app, "/logs")["parameters"]}
    assert sorted(named - {"attributes"} | {"attr.<key>"}) == known


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/health", ["200"]),
        ("/logs", ["200", "400", "401", "403", "500", "503"]),
        ("/metrics", ["200", "400", "401", "403", "500", "503"]),
    ],
)
def test_every_status_that_can_come_is_named(app: FastAPI, path: str, statuses: list[str]) -> None:
    assert [*operation(app, path)["responses"]] == statuses


@pytest.mark.parametrize(
    ("request_line", "token", "status"),
    [
        ("GET /health", "", 200),
        ("GET /logs", "secret", 200),
        ("GET /logs?limit=0", "secret", 400),
        ("GET /logs", "", 401),
        ("GET /metrics", "secret", 200),
        ("GET /metrics?name[]=%FF", "secret", 400),
    ],
)
async def test_content_types_are_those_of_the_answers(app: FastAPI, request_line: str, token: str, status: int) -> None:
    answer = await fetch(app, request_line, token=token)
    path = request_line.split()[1].partition("?")[0]

    assert (answer.status, answer.headers["content-type"] in documented(app, path, status)) == (status, True)


def test_a_bearer_or_a_basic_token_opens_what_is_not_public(app: FastAPI) -> None:
    schemes = app.openapi()["components"]["securitySchemes"]
    asked = {path: operation(app, path).get("security", []) for path in ("/health", "/logs", "/metrics")}

    either: list[dict[str, list[str]]] = [{"observabilipy-token": []}, {"observabilipy-password": []}]
    assert [schemes[name]["scheme"] for choice in either for name in choice] == ["bearer", "basic"]
    assert asked == {"/health": [], "/logs": either, "/metrics": either}


def test_names_of_components_are_those_that_openapi_allows(app: FastAPI) -> None:
    names = app.openapi()["components"]["securitySchemes"]

    # OpenAPI 3.1, section "Components Object", "Fixed Fields".
    assert [name for name in names if not re.fullmatch(r"[a-zA-Z0-9._-]+", name)] == []


async def test_the_schema_does_not_ask_for_a_token_itself(app: FastAPI) -> None:
    plain = FastAPI()
    with instrument(plain, auth="secret", request_ids=False, handle_sigterm=False):
        shown, hidden = [await fetch(each, "GET /logs", token="wrong") for each in (app, plain)]

    assert shown == hidden


@pytest.mark.parametrize("method", ["BREW", "PROPFIND", "get", "", "CONNECT", "QUERY"])
@pytest.mark.parametrize("path", ["/health", "/logs", "/metrics"])
async def test_methods_that_nobody_knows_are_refused_as_all_others_are(app: FastAPI, method: str, path: str) -> None:
    assert await fetch(app, f"{method} {path}") == await fetch(app, f"POST {path}")


async def test_a_refused_method_leaves_no_trace(app: FastAPI, obs: Observability) -> None:
    await fetch(app, "BREW /metrics")

    await obs.aflush()
    assert [family.series async for family in obs.storage.totals(["http_server_request_duration_seconds"])] == []
