"""Streaming responses: recorded to their last byte, whoever reads them, and to the moment when nobody does."""

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from wsgiref.util import FileWrapper

import pytest

from observabilipy import Observability

sys.path.insert(0, str(Path(__file__).parent))
import django_project as project


@pytest.fixture
def obs() -> Iterator[Observability]:
    with project.running() as made:
        yield made


def outcomes(obs: Observability) -> list[tuple[object, ...]]:
    return [about[2:] for about in project.recorded(obs)]


def test_a_stream_is_complete_with_its_last_chunk_and_not_before(obs: Observability) -> None:
    _, _, body = project.begun_by_wsgi("GET /stream")
    iterator = iter(body)
    seen = []
    for _ in range(2):
        next(iterator)
        seen.append(outcomes(obs))
    rest = list(iterator)
    body.close()

    assert (seen, rest, outcomes(obs)) == ([[], []], [], [(200, 5, "complete")])


def test_a_stream_in_the_event_loop_is_complete_with_its_last_chunk(obs: Observability) -> None:
    assert (project.by_asgi("GET /async-stream").body, outcomes(obs)) == (b"12345", [(200, 5, "complete")])


def test_a_synchronous_stream_in_the_event_loop_is_recorded_as_well(obs: Observability) -> None:
    with pytest.warns(Warning, match="must consume synchronous iterators"):
        project.by_asgi("GET /stream")

    assert outcomes(obs) == [(200, 5, "complete")]


def test_an_asynchronous_stream_in_a_thread_is_recorded_as_well(obs: Observability) -> None:
    with pytest.warns(Warning, match="must consume asynchronous iterators"):
        project.by_wsgi("GET /async-stream")

    assert outcomes(obs) == [(200, 5, "complete")]


# Django 5.2 leaves the request's own body open when an answer breaks in the event loop.
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
@pytest.mark.parametrize(
    ("server", "path"), [(project.by_wsgi, "/breaking-stream"), (project.by_asgi, "/breaking-async-stream")]
)
def test_a_stream_that_raises_is_an_error_with_the_bytes_so_far(
    obs: Observability, server: project.Server, path: str
) -> None:
    with suppress(LookupError):  # pytest.raises would keep the traceback, and so the open file, beyond this test
        server(f"GET {path}")
    gc.collect()

    assert [
        (about["response_bytes"], about["outcome"], about["exception.type"]) for _, about in project.entries(obs)
    ] == [(2, "error", "LookupError")]


@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_that_is_closed_early_is_aborted(obs: Observability, read: int) -> None:
    _, _, body = project.begun_by_wsgi("GET /stream")
    iterator = iter(body)
    for _ in range(read):
        next(iterator)
    body.close()

    assert outcomes(obs) == [(200, 2 * read, "aborted")]


def test_a_stream_that_nobody_reads_for_head_is_complete(obs: Observability) -> None:
    _, _, body = project.begun_by_wsgi("HEAD /stream")
    body.close()

    assert outcomes(obs) == [(200, 0, "complete")]


def test_a_client_that_leaves_a_stream_aborts_it_and_closes_what_it_reads_from(obs: Observability) -> None:
    project.LEFT.ended = []

    async def leaving() -> None:
        leave = asyncio.Event()
        sent = await project.served(
            project.http_scope("GET /endless"),
            leave=leave,
            on_sent=lambda message: leave.set() if message.get("body") else None,
        )
        assert sent[0]["status"] == 200

    asyncio.run(leaving())
    [(status, read, outcome)] = outcomes(obs)

    assert (status, isinstance(read, int) and read > 0, outcome, project.LEFT.ended) == (
        200,
        True,
        "aborted",
        ["closed"],
    )


def test_what_a_stream_logs_has_the_ids_of_its_request_and_nothing_else_has(obs: Observability) -> None:
    with project.logging_to(obs):
        _, _, body = project.begun_by_wsgi("GET /stream", {"X-Request-ID": "abc"})
        for _ in body:
            obs.info("between")
        body.close()

    assert [(message, about.get("request_id")) for message, about in project.entries(obs)] == [
        ("chunk", "abc"),
        ("between", None),
        ("chunk", "abc"),
        ("between", None),
        ("GET /stream 200", "abc"),
    ]


def test_a_file_is_read_through_by_django(obs: Observability) -> None:
    assert (project.by_wsgi("GET /file").body, outcomes(obs)) == (b"12345", [(200, 5, "complete")])


def test_a_file_that_the_server_sends_by_itself_ends_when_it_is_closed(obs: Observability) -> None:
    _, _, body = project.begun_by_wsgi("GET /file", None, **{"wsgi.file_wrapper": FileWrapper})
    before = outcomes(obs)
    body.close()

    assert (type(body), before, outcomes(obs)) == (FileWrapper, [], [(200, 5, "complete")])
