"""``observabilipy serve``: a process that answers, only to those who have the token, and writes nothing."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from observabilipy import Observability

TOKENS = ("OBSERVABILIPY_TOKEN", "OBSERVABILIPY_TOKEN_FILE")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    pytest.importorskip("observabilipy_sqlite", reason="the memory of another process cannot be served")
    path = tmp_path / "observability.db"
    with Observability(f"sqlite:///{path}", collectors=()) as obs:
        obs.counter("jobs_total", "Jobs.").inc(3)
        obs.info("hello")
    return path


@contextmanager
def serving(database: Path, *arguments: str, **environ: str) -> Iterator[tuple["subprocess.Popen[str]", int, str]]:
    """The process, its port, and the token that it printed."""
    inherited = {name: value for name, value in os.environ.items() if name not in TOKENS}
    process = subprocess.Popen(
        [sys.executable, "-m", "observabilipy", "serve", str(database), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**inherited, **environ},
    )
    try:
        assert process.stdout is not None
        first, _, command = (process.stdout.readline() for _ in range(3))
        port = re.search(r"http://127\.0\.0\.1:(\d+), to be read only", first)
        token = re.search(r"Bearer ([^\"]+)", command)
        assert port is not None
        assert token is not None
        yield process, int(port[1]), token[1]
    finally:
        process.kill()
        process.communicate()


def asked(port: int, target: str, token: str | None, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, body, {} if token is None else {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_metrics_and_logs_are_for_those_who_have_the_token_that_was_drawn(database: Path) -> None:
    with serving(database) as (_, port, token):
        answers = [asked(port, target, token) for target in ("/metrics", "/logs", "/logs?limit=all", "/nothing")]
        strangers = [asked(port, "/logs", None)[0], asked(port, "/metrics", "guess")[0]]

    assert [status for status, _ in answers] == [200, 200, 200, 404]
    assert (b"jobs_total 3" in answers[0][1], b'"hello"' in answers[1][1], answers[1] == answers[2]) == (
        True,
        True,
        True,
    )
    assert (strangers, len(token) > 20) == ([401, 401], True)


def test_a_token_of_the_environment_is_used_and_not_printed(database: Path) -> None:
    with serving(database, OBSERVABILIPY_TOKEN="s3cret") as (_, port, printed):
        status, _ = asked(port, "/logs", "s3cret")

    assert (status, printed) == (200, "$OBSERVABILIPY_TOKEN")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"])
def test_nothing_but_reading_is_answered(database: Path, method: str) -> None:
    with serving(database) as (_, port, token):
        status, _ = asked(port, "/logs", token, method, b"GET /logs HTTP/1.1\r\n\r\n")

    assert status == 405


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_served_is_left_as_it_was(database: Path, number: signal.Signals) -> None:
    before = database.read_bytes()
    with serving(database) as (process, port, token):
        asked(port, "/metrics", token)
        asked(port, "/logs?q=hello", token)
        process.send_signal(number)
        code = process.wait(60)

    assert (code, database.read_bytes() == before, sorted(file.name for file in database.parent.iterdir())) == (
        0,
        True,
        ["observability.db"],
    )


def test_a_signal_right_after_it_said_that_it_serves_ends_it_in_order(database: Path) -> None:
    codes = []
    for _ in range(5):
        with serving(database) as (process, _port, _token):
            process.terminate()
            codes.append(process.wait(60))

    assert codes == [0] * 5


def test_a_port_that_is_taken_is_told(database: Path) -> None:
    with serving(database) as (_, port, _token):
        command = [sys.executable, "-m", "observabilipy", "serve", str(database), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)

    assert (done.returncode, done.stderr.startswith(f"observabilipy: cannot listen on 127.0.0.1:{port}: ")) == (1, True)


def test_one_connection_carries_several_requests(database: Path) -> None:
    with serving(database) as (_, port, token):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": f"Bearer {token}"}
        statuses = []
        for method, target in (
            ("GET", "/logs?limit=all"),
            ("HEAD", "/logs"),
            ("GET", "/logs?bad=1"),
            ("GET", "/metrics"),
        ):
            connection.request(method, target, headers=headers)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()

    assert statuses == [200, 200, 400, 200]
