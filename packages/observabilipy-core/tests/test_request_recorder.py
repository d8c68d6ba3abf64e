"""What a served request records, whichever framework served it."""

import asyncio
import weakref
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from observabilipy import ConfigurationError, HistogramValue, LogQuery, Observability
from observabilipy.requests import RecordedRequest, RequestRecorder


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(collectors=(), handle_sigterm=False, flush_interval=3600) as made:
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
    with pytest.raises(ConfigurationError, match="exclude takes a list of paths that begin with a slash, got"):
        RequestRecorder(obs, exclude=exclude)


def test_the_access_log_can_be_left_out(obs: Observability) -> None:
    begin(RequestRecorder(obs, access_log=False)).end("/a")

    assert entries(obs) == []


def test_a_whole_answer_with_a_status_from_500_on_is_an_error(obs: Observability) -> None:
    request = begin(RequestRecorder(obs))
    request.status = 503
    request.end("/a")

    assert [(level, attributes["outcome"]) for level, _, attributes in entries(obs)] == [("ERROR", "error")]


def test_an_exception_is_told_in_the_access_entry(obs: Observability) -> None:
    request = begin(RequestRecorder(obs))
    request.failed(ValueError("on purpose"))
    request.end("/a", "error")
    [(_, _, attributes)] = entries(obs)

    assert (attributes["exception.type"], attributes["exception.message"]) == ("ValueError", "on purpose")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_answers_without_a_body_have_no_bytes(obs: Observability, method: str, status: int) -> None:
    request = begin(RequestRecorder(obs), method)
    request.status = status
    request.response_bytes = 12
    request.end("/a")

    assert [attributes["response_bytes"] for _, _, attributes in entries(obs)] == [0]


def test_a_path_without_end_is_cut_in_the_entry(obs: Observability) -> None:
    begin(RequestRecorder(obs), path="/" + "x" * 5_000).end("/a")
    [(_, message, attributes)] = entries(obs)

    assert (attributes["path"], len(message)) == ("/" + "x" * 2_047 + "…", len("GET ") + 2_049 + len(" 500"))


def test_all_that_is_logged_between_enter_and_leave_carries_the_ids(obs: Observability) -> None:
    request = RequestRecorder(obs).begin("GET", "/a", request_id="r-1")
    assert request is not None
    request.enter()
    obs.info("during")
    request.end("/a")
    request.leave()
    obs.info("after")

    assert [(message, attributes.get("request_id")) for _, message, attributes in entries(obs)] == [
        ("during", "r-1"),
        ("GET /a 500", "r-1"),
        ("after", None),
    ]


def test_leaving_in_another_context_does_not_raise(obs: Observability) -> None:
    request = begin(RequestRecorder(obs))
    copy_context().run(request.enter)
    request.leave()

    assert [message for _, message, _ in entries(obs)] == []


@pytest.mark.parametrize(
    ("content_length", "declared"),
    [("12", 1), (None, 0), ("", 0), ("-1", 0), ("1e3", 0), ("\u0661", 0), ("1" * 19, 0), ("1,1", 0)],
)
def test_bodies_are_measured_on_request(obs: Observability, content_length: str | None, declared: int) -> None:
    request = RequestRecorder(obs, body_sizes=True).begin("POST", "/a", content_length=content_length)
    assert request is not None
    request.status = 200
    request.response_bytes = 5
    request.end("/a")
    families = recorded(obs)

    assert (
        sum(families.get("http_server_request_body_size_bytes", {}).values()),
        families["http_server_response_body_size_bytes"],
    ) == (declared, {("POST", "/a", "200"): 1})


def test_recording_that_fails_does_not_fail_the_application(obs: Observability) -> None:
    class Hostile(str):
        def startswith(self, *_: object) -> bool:
            raise RuntimeError("on purpose")

    recorder = RequestRecorder(obs, exclude=["/static/*"])

    assert (recorder.begin("GET", Hostile("/a")), recorded(obs)["observabilipy_failures_total"]) == (
        None,
        {("recording a request",): 1},
    )


def test_what_an_application_raised_is_let_go_with_the_request(obs: Observability) -> None:
    class Failure(Exception):  # others cannot be referred to weakly
        pass

    request = begin(RequestRecorder(obs))
    error = Failure("on purpose")
    gone = weakref.ref(error)
    request.failed(error)
    request.end("/a", "error")
    request.failed(error)
    del error

    assert gone() is None
