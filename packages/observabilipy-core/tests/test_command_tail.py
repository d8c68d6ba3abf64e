"""``observabilipy tail`` of a service: it is told what comes, and neither streams that end nor a restart end it."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

import pytest

from observabilipy import Observability
from observabilipy.commands.serve import Reader
from observabilipy.commands.service import Service
from observabilipy.commands.tail import _followed
from observabilipy.errors import ObservabilityError
from observabilipy.http import Endpoints, Limits

SHORT = Limits(follow_seconds=0.3, poll_seconds=0.01, keep_alive_seconds=0.05)


@contextmanager
def serving(obs: Observability, port: int = 0) -> Iterator[str]:
    """A service that ends each stream after a moment."""
    with Reader("127.0.0.1", port, Endpoints(obs.storage, auth="public", limits=SHORT)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def logged(obs: Observability, *messages: object) -> None:
    for message in messages:
        obs.info(str(message))
    obs.flush()


def message(line: bytes) -> str:
    return str(json.loads(line)["message"])


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability("memory://", collectors=()) as made:
        yield made


def test_streams_that_end_are_followed_by_others_and_nothing_is_missed_or_repeated(obs: Observability) -> None:
    logged(obs, "a", "b", "c")
    told: list[str] = []

    def write() -> None:
        for number in range(60):
            stop.wait(0.02)
            logged(obs, number)

    stop = threading.Event()
    writer = Thread(target=write)
    with serving(obs) as url, closing(_followed(Service(url, ""), "", "limit=2")) as lines:
        told = [message(next(lines)), message(next(lines))]
        writer.start()
        told += [message(next(lines)) for _ in range(60)]
        writer.join()

    assert told == ["b", "c", *map(str, range(60))]


def test_where_no_line_came_the_next_stream_goes_on_from_where_the_first_began(obs: Observability) -> None:
    logged(obs, "before")
    with serving(obs) as url, closing(_followed(Service(url, ""), "level=INFO", "limit=1")) as lines:
        first = message(next(lines))
        timer = threading.Timer(1.0, logged, (obs, "after several streams"))
        timer.start()
        second = message(next(lines))
        timer.join()

    assert (first, second) == ("before", "after several streams")


def test_a_service_that_goes_and_comes_back_is_followed_on(
    obs: Observability, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(obs, "one")
    with serving(obs) as url:
        lines = _followed(Service(url, ""), "", "limit=1")
        first = message(next(lines))
    back = threading.Event()

    def come_back() -> None:
        logged(obs, "two")
        with serving(obs, int(url.rpartition(":")[2])):
            back.wait(60)

    timer = threading.Timer(2.5, come_back)
    timer.start()
    with closing(lines):
        second = message(next(lines))
    back.set()
    timer.join()

    assert (first, second, capsys.readouterr().err.count("observabilipy: trying again: ")) == ("one", "two", 1)


def test_a_service_that_was_never_there_is_an_error() -> None:
    with (
        closing(_followed(Service("http://127.0.0.1:1", ""), "", "limit=1")) as lines,
        pytest.raises(ObservabilityError, match="cannot be reached"),
    ):
        next(lines)
