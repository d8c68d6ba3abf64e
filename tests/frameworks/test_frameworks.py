"""One meaning everywhere: the same request gives the same series and the same entry in every framework."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import pytest
from tests.frameworks.asgi_shops import ASGI_SHOPS
from tests.frameworks.django_shop import DJANGO_SHOPS, django_shop
from tests.frameworks.drivers import Ask, asgi_driver, wsgi_driver
from tests.frameworks.wsgi_shops import WSGI_SHOPS

from observabilipy import HistogramValue, LogQuery, Observability

Series: TypeAlias = dict[tuple[str, ...], float]

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"

# What was asked: the labels of its one series, then level and outcome of its one entry.
TABLE: dict[str, tuple[tuple[str, str, str], tuple[str, str]]] = {
    "GET /items/7": (("GET", "/items/{item}", "200"), ("INFO", "complete")),
    "HEAD /items/7": (("HEAD", "/items/{item}", "200"), ("INFO", "complete")),
    "DELETE /items/7": (("DELETE", "/items/{item}", "204"), ("INFO", "complete")),
    "POST /items/7": (("POST", "/items/{item}", "405"), ("INFO", "complete")),
    "GET /api/v1/orders/9": (("GET", "/api/v1/orders/{order}", "200"), ("INFO", "complete")),
    "GET /nowhere": (("GET", "__unmatched__", "404"), ("INFO", "complete")),
    "BREW /nowhere": (("_OTHER", "__unmatched__", "404"), ("INFO", "complete")),
    "GET /cached": (("GET", "/cached", "304"), ("INFO", "complete")),
    "GET /boom": (("GET", "/boom", "500"), ("ERROR", "error")),
    "GET /stream": (("GET", "/stream", "200"), ("INFO", "complete")),
}

ENTRY = {"method", "route", "path", "status", "duration_seconds", "response_bytes", "outcome"}

# Bytes are those of the application's own answers; error pages differ.
BYTES = {
    "GET /items/7": 6,
    "HEAD /items/7": 0,
    "DELETE /items/7": 0,
    "GET /cached": 0,
    "GET /stream": 13,
}


@contextmanager
def opened(framework: str) -> Iterator[tuple[Observability, Ask]]:
    """The shop in a framework, and how to ask it."""
    if framework in DJANGO_SHOPS:
        with django_shop(framework) as shop:
            yield shop
        return
    with Observability(auth="public", flush_interval=3600, collectors=(), handle_sigterm=False) as obs:
        if framework in ASGI_SHOPS:
            yield obs, asgi_driver(ASGI_SHOPS[framework](obs))
        else:
            yield obs, wsgi_driver(WSGI_SHOPS[framework](obs))


@pytest.fixture(params=[*ASGI_SHOPS, *WSGI_SHOPS, *DJANGO_SHOPS])
def shop(request: pytest.FixtureRequest) -> Iterator[tuple[Observability, Ask]]:
    with opened(request.param) as opened_shop:
        yield opened_shop


def series(obs: Observability) -> dict[str, Series]:
    """What /metrics would show: counts of histograms, values of the others, by the values of labels."""

    async def read() -> dict[str, Series]:
        return {
            family.name: {
                tuple(one.labels[name] for name in ("method", "route", "status") if name in one.labels): (
                    one.value.count if isinstance(one.value, HistogramValue) else float(one.value)  # type: ignore[arg-type]  # no summaries here
                )
                for one in family.series
            }
            async for family in obs.storage.totals()
            if not family.name.startswith("observabilipy_")
        }

    obs.flush()
    return asyncio.run(read())


def entries(obs: Observability) -> list[tuple[str, str, dict[str, object]]]:
    async def read() -> list[tuple[str, str, dict[str, object]]]:
        return [(e.level, e.message, dict(e.attributes)) async for e in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def access_entries(obs: Observability) -> list[tuple[str, str, dict[str, object]]]:
    return [entry for entry in entries(obs) if "outcome" in entry[2]]


@pytest.mark.parametrize("request_line", TABLE)
def test_a_request_is_one_series_and_one_entry(shop: tuple[Observability, Ask], request_line: str) -> None:
    obs, ask = shop
    labels, told = TABLE[request_line]
    method, route, status = labels
    path = request_line.partition(" ")[2]

    ask(request_line)
    entry = [
        (level, message, *(about[name] for name in ("outcome", "method", "route", "status", "path")))
        for level, message, about in access_entries(obs)
    ]

    assert (series(obs), entry) == (
        {"http_server_active_requests": {(method,): 0}, "http_server_request_duration_seconds": {labels: 1}},
        [(told[0], f"{method} {path} {status}", told[1], method, route, int(status), path)],
    )


@pytest.mark.parametrize("request_line", BYTES)
def test_the_bytes_are_those_of_the_body_that_is_sent(shop: tuple[Observability, Ask], request_line: str) -> None:
    obs, ask = shop
    ask(request_line)

    assert [about["response_bytes"] for _, _, about in access_entries(obs)] == [BYTES[request_line]]


def test_an_entry_has_the_same_attributes_in_every_framework(shop: tuple[Observability, Ask]) -> None:
    obs, ask = shop
    ask("GET /items/7", traceparent=TRACEPARENT)
    [(_, _, attributes)] = access_entries(obs)

    assert set(attributes) == ENTRY | {"request_id", "trace_id", "parent_id"}


def test_a_client_that_goes_away_keeps_the_status_and_is_told_as_aborted(shop: tuple[Observability, Ask]) -> None:
    obs, ask = shop
    ask("GET /endless", leave=True)
    told = [tuple(about[name] for name in ("route", "status", "outcome")) for _, _, about in access_entries(obs)]

    assert (told, series(obs)["http_server_active_requests"]) == ([("/endless", 200, "aborted")], {("GET",): 0})


def test_the_ids_are_in_everything_that_is_logged_and_come_back(shop: tuple[Observability, Ask]) -> None:
    obs, ask = shop
    answer = ask("GET /items/7", x_request_id="abc-1", traceparent=TRACEPARENT)
    assert answer is not None
    logged = [
        (message, *(about.get(name) for name in ("request_id", "trace_id", "parent_id")))
        for _, message, about in entries(obs)
    ]

    assert (logged, answer.headers["x-request-id"], answer.headers["traceparent"]) == (
        [("looked at", "abc-1", TRACE, PARENT), ("GET /items/7 200", "abc-1", TRACE, PARENT)],
        "abc-1",
        TRACEPARENT,
    )


def test_an_id_that_is_none_is_replaced(shop: tuple[Observability, Ask]) -> None:
    obs, ask = shop
    answer = ask("GET /items/7", x_request_id="<script>")
    assert answer is not None
    given = answer.headers["x-request-id"]

    assert (len(given), [about["request_id"] for _, _, about in entries(obs)]) == (32, [given, given])


@pytest.mark.parametrize("request_line", ["GET /health", "GET /observability/metrics", "POST /observability/logs"])
def test_excluded_paths_and_our_own_endpoints_are_not_recorded(
    shop: tuple[Observability, Ask], request_line: str
) -> None:
    obs, ask = shop
    answer = ask(request_line)
    assert answer is not None
    recorded = series(obs).get("http_server_request_duration_seconds", {})

    assert (answer.status in {200, 405}, recorded, entries(obs)) == (True, {}, [])


def test_the_endpoints_answer_the_same_way(shop: tuple[Observability, Ask]) -> None:
    _, ask = shop
    answer = ask("POST /observability/metrics")
    assert answer is not None
    names = ("allow", "cache-control", "x-content-type-options", "referrer-policy", "cross-origin-resource-policy")

    assert (answer.status, [answer.headers.get(name) for name in (*names, "access-control-allow-origin")]) == (
        405,
        ["GET, HEAD", "no-store", "nosniff", "no-referrer", "same-origin", None],
    )
