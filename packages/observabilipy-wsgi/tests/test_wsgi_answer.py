"""Answers from their first to their last byte: what is given out when, what is closed, and how they end."""

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from observabilipy import LogQuery, Observability
from observabilipy_wsgi import ObservabilityMiddleware
from observabilipy_wsgi.testing import fetch, http_environ, serve

TEXT = [("Content-Type", "text/plain")]


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(auth="public", handle_sigterm=False, flush_interval=3600) as made:
        yield made


def outcomes(obs: Observability) -> list[tuple[object, ...]]:
    async def read() -> list[tuple[object, ...]]:
        entries = [entry.attributes async for entry in obs.storage.read_logs(LogQuery())]
        return [(entry["status"], entry["outcome"], entry["response_bytes"]) for entry in entries]

    obs.flush()
    return asyncio.run(read())


def exceptions(obs: Observability) -> list[object]:
    async def read() -> list[object]:
        return [entry.attributes.get("exception.type") async for entry in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def accepting(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
    """The start_response of a server that has nothing against anything."""
    return lambda chunk: None


class Body:
    """A result that keeps account of what is asked of it."""

    def __init__(self, *chunks: bytes, fails_at: str = "") -> None:
        self.chunks = list(chunks)
        self.fails_at = fails_at
        self.calls: list[str] = []

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            raise LookupError("on purpose")

    def __iter__(self) -> Iterator[bytes]:
        self._called("iter")
        return self

    def __next__(self) -> bytes:
        self._called("next")
        if not self.chunks:
            raise StopIteration
        return self.chunks.pop(0)

    def close(self) -> None:
        self._called("close")


def giving(result: Iterable[bytes], *, headers: list[tuple[str, str]] = TEXT) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(headers))
        return result

    return app


def served(app: WSGIApplication, obs: Observability, **environ: Any) -> Any:  # Any: a result with next() and close()
    return ObservabilityMiddleware(app, obs)(http_environ(**environ), accepting)


def test_chunks_are_made_one_by_one_when_the_server_asks(obs: Observability) -> None:
    body = Body(b"1", b"2")
    result = served(giving(body), obs)
    before = list(body.calls)
    chunks = iter(result)
    first = next(chunks)

    assert (before, first, body.calls) == ([], b"1", ["iter", "next"])


def test_a_result_is_closed_once_however_often_the_server_closes(obs: Observability) -> None:
    body = Body(b"1")
    result = served(giving(body), obs)
    list(result)
    result.close()
    result.close()

    assert body.calls == ["iter", "next", "next", "close"]


def test_a_result_without_close_may_be_closed(obs: Observability) -> None:
    result = served(giving(iter([b"1"])), obs)
    list(result)
    result.close()

    assert outcomes(obs) == [(200, "complete", 1)]


@pytest.mark.parametrize("result", [iter([b"1"]), Body(b"1"), {b"1"}])
def test_other_results_have_no_length(obs: Observability, result: Iterable[bytes]) -> None:
    assert not hasattr(served(giving(result), obs), "__len__")


def test_an_answer_ends_when_the_server_has_taken_everything_not_when_it_closes(obs: Observability) -> None:
    list(served(giving(Body(b"12", b"345")), obs))

    assert outcomes(obs) == [(200, "complete", 5)]


@pytest.mark.parametrize("result", [[b"1", b"2"], (b"1", b"2")])
def test_a_list_or_tuple_ends_when_it_is_handed_over_and_stays_what_it_is(
    obs: Observability, result: Iterable[bytes]
) -> None:
    given = served(giving(result), obs)

    assert (given is result, outcomes(obs)) == (True, [(200, "complete", 2)])


def test_a_list_without_the_beginning_of_an_answer_is_an_error(obs: Observability) -> None:
    served(lambda environ, start_response: [], obs)

    assert outcomes(obs) == [(500, "error", 0)]


def test_a_client_that_leaves_within_the_answer_aborts_it_and_the_status_stays(obs: Observability) -> None:
    answer = served(giving(Body(b"1", b"2")), obs)
    next(iter(answer))
    answer.close()

    assert outcomes(obs) == [(200, "aborted", 1)]


def test_a_client_that_leaves_before_the_answer_is_a_499(obs: Observability) -> None:
    def late(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))
        yield b"1"

    served(late, obs).close()

    assert outcomes(obs) == [(499, "aborted", 0)]


def test_a_server_need_not_read_the_body_of_an_answer_to_head(obs: Observability) -> None:
    served(giving(Body(b"12345")), obs, method="HEAD").close()

    assert outcomes(obs) == [(200, "complete", 0)]


def test_the_last_byte_that_was_declared_ends_a_small_answer(obs: Observability) -> None:
    next(iter(served(giving(Body(b"12345"), headers=[*TEXT, ("content-length", "5")]), obs)))

    assert outcomes(obs) == [(200, "complete", 5)]


def test_a_large_answer_ends_when_the_server_has_sent_it(obs: Observability) -> None:
    large = b"1" * 1_000_000
    answer = served(giving(Body(large), headers=[*TEXT, ("Content-Length", "1000000")]), obs)
    next(iter(answer))
    answer.close()

    assert outcomes(obs) == [(200, "aborted", 1_000_000)]


@pytest.mark.parametrize(
    ("fails_at", "outcome"), [("iter", (200, "error", 0)), ("next", (200, "error", 0)), ("close", (200, "complete", 1))]
)
def test_an_exception_of_the_result_goes_to_the_server_and_is_an_error_unless_all_was_sent(
    obs: Observability, fails_at: str, outcome: tuple[object, ...]
) -> None:
    body = Body(b"1", fails_at=fails_at)

    with pytest.raises(LookupError, match="on purpose"):
        fetch(ObservabilityMiddleware(giving(body), obs), "GET /")

    assert (outcomes(obs), body.calls.count("close")) == ([outcome], 1)


def test_an_exception_while_a_cut_off_answer_is_closed_is_told_beside_its_end(obs: Observability) -> None:
    answer = served(giving(Body(b"1", b"2", fails_at="close")), obs)
    next(iter(answer))
    with pytest.raises(LookupError):
        answer.close()

    assert (outcomes(obs), exceptions(obs)) == ([(200, "aborted", 1)], ["LookupError"])


def test_a_result_that_is_none_fails_as_it_would_without_the_middleware(obs: Observability) -> None:
    nothing: Any = None

    with pytest.raises(TypeError, match="not iterable"):
        fetch(ObservabilityMiddleware(giving(nothing), obs), "GET /")

    assert outcomes(obs) == [(200, "error", 0)]


def test_an_answer_may_begin_with_the_first_chunk(obs: Observability) -> None:
    def late(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("202 Accepted", list(TEXT))
        yield b"12"
        yield b"3"

    answer = fetch(validator(ObservabilityMiddleware(validator(late), obs)), "GET /")

    assert (answer.status, answer.body, outcomes(obs)) == (202, b"123", [(202, "complete", 3)])


def test_an_application_that_never_begins_an_answer_is_an_error(obs: Observability) -> None:
    def silent(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        yield from ()

    list(served(silent, obs))

    assert outcomes(obs) == [(500, "error", 0)]


def failing(*, after: bytes | None) -> WSGIApplication:
    """Begins a 200, then reports an error as PEP 3333 asks: by another start_response."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [*TEXT, ("Content-Length", "2")])
        try:
            if after is not None:
                write(after)
            raise LookupError("on purpose")
        except LookupError:
            start_response("500 Oh", list(TEXT), sys.exc_info())
        return [b"sorry"]

    return app


def test_an_answer_that_begins_anew_has_its_last_status(obs: Observability) -> None:
    answer = fetch(validator(ObservabilityMiddleware(validator(failing(after=None)), obs)), "GET /")

    assert (answer.status, outcomes(obs), exceptions(obs)) == (500, [(500, "error", 5)], ["LookupError"])


def test_an_answer_that_cannot_begin_anew_keeps_the_status_that_was_sent(obs: Observability) -> None:
    with pytest.raises(LookupError, match="on purpose"):
        fetch(validator(ObservabilityMiddleware(validator(failing(after=b"12")), obs)), "GET /")

    assert (outcomes(obs), exceptions(obs)) == ([(200, "error", 2)], ["LookupError"])


def test_what_is_written_before_the_application_returns_counts(obs: Observability) -> None:
    def writing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", list(TEXT))
        write(b"12")
        write(b"345")
        return [b"6"]

    answer = fetch(validator(ObservabilityMiddleware(validator(writing), obs)), "GET /")

    assert (answer.body, outcomes(obs)) == (b"123456", [(200, "complete", 6)])


def test_a_server_that_cannot_write_aborts_the_answer(obs: Observability) -> None:
    def writing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))(b"12")
        return []

    def gone(chunk: bytes) -> None:
        raise BrokenPipeError("the client is gone")

    with pytest.raises(BrokenPipeError):
        ObservabilityMiddleware(writing, obs)(http_environ(), lambda *_: gone)

    assert outcomes(obs) == [(200, "aborted", 0)]


def test_a_file_of_the_server_is_sent_whole_and_closed(obs: Observability) -> None:
    file = io.BytesIO(b"1" * 10_000)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file, 4_096)
        return wrapped

    environ = {**http_environ(), "wsgi.file_wrapper": FileWrapper}
    answer = serve(validator(ObservabilityMiddleware(app, obs)), environ)

    assert (len(answer.body), file.closed, outcomes(obs)) == (10_000, True, [(200, "complete", 10_000)])


def test_a_status_that_is_none_does_not_fail_the_application(obs: Observability) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("fine", list(TEXT))
        return [b"ok"]

    assert list(served(app, obs)) == [b"ok"]


def test_headers_that_only_this_server_takes_do_not_fail_the_application(obs: Observability) -> None:
    odd: Any = [("Content-Type", "text/plain", "very"), None]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", odd)
        return [b"ok"]

    assert list(served(app, obs)) == [b"ok"]
