"""The endpoints in Django: who may read them, how they answer, and that their bodies flow and are closed."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.urls import reverse

from observabilipy import InMemoryLogStorage, InMemoryMetricsStorage, LogEntry, LogQuery, Observability

sys.path.insert(0, str(Path(__file__).parent))
import django_project as project

servers = pytest.mark.parametrize("server", [project.by_wsgi, project.by_asgi], ids=["wsgi", "asgi"])
TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OBSERVABILIPY_TOKEN", "OBSERVABILIPY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def obs() -> Iterator[Observability]:
    with project.running(AUTH="secret") as made:
        yield made


class EndlessLog(InMemoryLogStorage):
    """A log that never comes to its end, and where it is read and let go."""

    read_ndjson = None  # type: ignore[assignment] # only what it says itself

    def __init__(self) -> None:
        super().__init__()
        self.loops: list[object] = []
        self.ended = asyncio.Event()

    async def read_logs(self, query: LogQuery) -> AsyncGenerator[LogEntry, None]:
        self.loops.append(asyncio.get_running_loop())
        try:
            while True:
                yield LogEntry.info("again")
        finally:
            self.ended.set()


@servers
def test_metrics_and_logs_are_served_with_a_token(obs: Observability, server: project.Server) -> None:
    obs.counter("orders_total", "Orders placed.").inc(3)
    obs.info("order placed", cents=1999)
    metrics = server("GET /observability/metrics", TOKEN)
    logs = server("GET /observability/logs?level=INFO", TOKEN)

    assert (metrics.status, b"\norders_total 3\n" in metrics.body, json.loads(logs.body)["attributes"]) == (
        200,
        True,
        {"cents": 1999},
    )


@servers
def test_the_answer_has_the_headers_of_the_endpoint_and_no_others(obs: Observability, server: project.Server) -> None:
    with override_settings(MIDDLEWARE=[]):
        answer = server("GET /observability/metrics", TOKEN)

    assert answer.headers == {
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
        "cache-control": "no-store",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "vary": "Accept, Accept-Encoding",
        "x-content-type-options": "nosniff",
    }


@servers
def test_without_a_token_both_ways_to_send_one_are_offered(obs: Observability, server: project.Server) -> None:
    answer = server("GET /observability/metrics")

    assert (answer.status, answer.headers["www-authenticate"], answer.headers["content-type"]) == (
        401,
        'Bearer, Basic realm="observabilipy"',
        "application/problem+json",
    )


@servers
def test_nobody_reads_before_somebody_decided(server: project.Server) -> None:
    with project.running():
        assert server("GET /observability/logs").status == 403


@servers
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "BREW"])
def test_what_does_not_read_is_refused_by_the_endpoint_itself(
    obs: Observability, server: project.Server, method: str
) -> None:
    answer = server(f"{method} /observability/logs", TOKEN)

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@servers
def test_an_answer_to_head_has_no_body(obs: Observability, server: project.Server) -> None:
    assert (server("HEAD /observability/metrics", TOKEN).status, server("HEAD /observability/metrics", TOKEN).body) == (
        200,
        b"",
    )


@servers
def test_a_bad_query_is_told(obs: Observability, server: project.Server) -> None:
    answer = server("GET /observability/logs?limit=many", TOKEN)

    assert (answer.status, json.loads(answer.body)["parameter"]) == (400, "limit")


@servers
@pytest.mark.parametrize(("setting", "status"), [({}, 404), ({"HEALTH": True}, 200)])
def test_health_is_served_when_it_is_wanted(server: project.Server, setting: dict[str, Any], status: int) -> None:
    with project.running(**setting):
        assert server("GET /observability/health").status == status


def test_the_urls_have_names() -> None:
    with project.running():
        names = [reverse(f"observabilipy:{name}") for name in ("metrics", "logs", "health")]

    assert names == ["/observability/metrics", "/observability/logs", "/observability/health"]


@servers
@pytest.mark.parametrize(
    ("permission", "headers", "status"),
    [
        ("staff", {"X-Traits": "active,staff"}, 200),
        ("staff", {"X-Traits": "active"}, 401),
        ("staff", {"X-Traits": "staff"}, 401),
        ("staff", {}, 401),
        ("staff", {**TOKEN}, 200),
        (None, {"X-Traits": "active,staff"}, 401),
        ("django_project.only_bob", {"X-Name": "bob"}, 200),
        ("django_project.only_bob", {"X-Traits": "active,staff"}, 401),
        ("django_project.truthy", {}, 401),
        ("django_project.failing", {}, 401),
        ("django_project.failing", {**TOKEN}, 200),
        ("django_project.asynchronous", {}, 401),
        ("django_project.nothing_there", {}, 401),
    ],
)
def test_a_permission_lets_in_besides_the_token(
    server: project.Server, permission: str | None, headers: dict[str, str], status: int
) -> None:
    middleware = [project.MIDDLEWARE, "django_project.as_staff"]
    with project.running(AUTH="secret", PERMISSION=permission), override_settings(MIDDLEWARE=middleware):
        assert server("GET /observability/logs", headers).status == status


@servers
def test_a_permission_that_raises_is_counted(server: project.Server) -> None:
    with project.running(AUTH="secret", PERMISSION="django_project.failing"):
        server("GET /observability/logs")
        metrics = server("GET /observability/metrics", TOKEN).body

    assert b'observabilipy_failures_total{task="asking the permission"} 2\n' in metrics


@servers
def test_a_setting_that_cannot_work_is_a_problem_that_shows_no_setting(server: project.Server) -> None:
    with project.running(), override_settings(OBSERVABILIPY={"STORAGE": "nonsense"}):
        answer = server("GET /observability/metrics")

    assert (answer.status, answer.headers["content-type"], b"nonsense" in answer.body) == (
        500,
        "application/problem+json",
        False,
    )


@servers
def test_a_token_file_that_is_missing_is_a_problem(server: project.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "OBSERVABILIPY_TOKEN_FILE", "/nowhere/token")
    with project.running():
        assert server("GET /observability/metrics").status == 500


def test_a_body_flows_to_a_thread_chunk_by_chunk_and_is_closed_with_the_response() -> None:
    log = EndlessLog()
    with project.running(STORAGE=(log, InMemoryMetricsStorage()), AUTH="public"):
        _, _, body = project.begun_by_wsgi("GET /observability/logs?limit=all")
        first = next(iter(body))
        body.close()

    assert (b"again" in first, log.ended.is_set()) == (True, True)


def test_a_body_flows_in_the_event_loop_of_the_request_and_is_closed_when_the_client_leaves() -> None:
    async def leaving(log: EndlessLog) -> list[object]:
        leave = asyncio.Event()
        await project.served(
            project.http_scope("GET /observability/logs?limit=all"),
            leave=leave,
            on_sent=lambda message: leave.set() if message.get("body") else None,
        )
        await log.ended.wait()
        return [asyncio.get_running_loop()]

    log = EndlessLog()
    with project.running(STORAGE=(log, InMemoryMetricsStorage()), AUTH="public"):
        loops = asyncio.run(leaving(log))

    assert log.loops == loops
