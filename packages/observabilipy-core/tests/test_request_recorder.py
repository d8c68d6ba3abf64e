"""What a served request records, whichever framework served it."""

import asyncio
from collections.abc import Iterator

import pytest

from observabilipy import ConfigurationError, HistogramValue, LogQuery, Observability
from observabilipy.requests import RecordedRequest, RequestRecorder


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(handle_sigterm=False, flush_interval=3600) as made:
        yield made


def begin(recorder: RequestRecorder, method: str = "GET", path: str = "/orders/7") -> RecordedRequest:
    request = recorder.begin(method, path)
    assert request is not None
    return request


def recorded(obs: Observability) -> dict[str, dict[tuple[str, ...], float]]:
    async def read() -> dict[str, dict[tuple[str, ...], float]]:
        return {
            family.name: {
                tuple(series.labels.values()): value.count if isinstance(value, HistogramValue) else value  # type: ignore[misc]
                for series in family.series
                for value in [series.value]
            }
            async for family in obs.storage.totals()
        }

    obs.flush()
    return asyncio.run(read())


def entries(obs: Observability) -> list[tuple[str, str, dict[str, object]]]:
    async def read() -> list[tuple[str, str, dict[str, object]]]:
        return [(e.level, e.message, dict(e.attributes)) async for e in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def test_a_request_is_a_duration_a_gauge_while_it_runs_and_an_entry(obs: Observability) -> None:
    request = begin(RequestRecorder(obs))
    during = recorded(obs)
    request.status = 200
    request.response_bytes = 12
    request.end("/orders/{id}")
    [(level, message, attributes)] = entries(obs)
    seconds = attributes.pop("duration_seconds")

    assert (during, recorded(obs)) == (
        {"http_server_active_requests": {("GET",): 1}},
        {
            "http_server_active_requests": {("GET",): 0},
            "http_server_request_duration_seconds": {("GET", "/orders/{id}", "200"): 1},
        },
    )
    assert (level, message, attributes, type(seconds)) == (
        "INFO",
        "GET /orders/7 200",
        {
            "method": "GET",
            "route": "/orders/{id}",
            "path": "/orders/7",
            "status": 200,
            "response_bytes": 12,
            "outcome": "complete",
        },
        float,
    )


def test_an_application_that_never_answered_counts_as_500_and_an_error(obs: Observability) -> None:
    begin(RequestRecorder(obs)).end("/orders/{id}", "error")
    [(level, message, _)] = entries(obs)

    assert (level, message) == ("ERROR", "GET /orders/7 500")


def test_unknown_methods_and_unmatched_paths_share_one_label_value_each(obs: Observability) -> None:
    recorder = RequestRecorder(obs)
    for method, path in (("BREW", "/a"), ("get", "/b"), ("", "/c")):
        begin(recorder, method, path).end(None)

    assert recorded(obs)["http_server_request_duration_seconds"] == {("_OTHER", "__unmatched__", "500"): 3}


def test_a_request_ends_once(obs: Observability) -> None:
    request = begin(RequestRecorder(obs))
    request.end("/a")
    request.end("/a", "error")

    assert recorded(obs)["http_server_request_duration_seconds"] == {("GET", "/a", "500"): 1}


def test_an_ignored_request_leaves_no_trace(obs: Observability) -> None:
    request = begin(RequestRecorder(obs))
    request.ignore()
    request.end("/metrics")

    assert (recorded(obs), entries(obs)) == ({"http_server_active_requests": {("GET",): 0}}, [])


def test_excluded_paths_are_not_recorded(obs: Observability) -> None:
    recorder = RequestRecorder(obs, exclude=("/pid", "/static/*"))

    assert [recorder.begin("GET", path) is None for path in ("/pid", "/pid/1", "/static/a.css", "/statics")] == [
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("exclude", ["/health", ["health"], [5]])
def test_excluded_paths_begin_with_a_slash(obs: Observability, exclude: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="exclude takes paths that begin with a slash, got"):
        RequestRecorder(obs, exclude=exclude)


def test_the_access_log_can_be_left_out(obs: Observability) -> None:
    begin(RequestRecorder(obs, access_log=False)).end("/a")

    assert entries(obs) == []
