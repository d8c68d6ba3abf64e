"""The ``observabilipy`` command and ``observabilipy tail``."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest

from observabilipy import LogEntry, Observability
from observabilipy.cli import main
from observabilipy.storage.memory import MemoryStorage
from observabilipy.tail import entry_line


def test_an_entry_is_one_line_for_a_person() -> None:
    entry = LogEntry(1_763_826_000.123456, "INFO", "order placed", {"tier": "gold", "cents": 1999})

    assert entry_line(entry) == '2025-11-22T15:40:00.123Z INFO     order placed tier="gold" cents=1999'


def test_no_message_can_drive_a_terminal_or_forge_a_line() -> None:
    entry = LogEntry(0.0, "INFO", "\x1b[2Jgone\nforged \u202eline\x9b", {"k\r": "\x07\u2028"})

    assert entry_line(entry) == (
        '1970-01-01T00:00:00.000Z INFO     \\u001b[2Jgone\\u000aforged \\u202eline\\u009b k\\u000d="\\u0007\\u2028"'
    )


def test_a_command_of_a_package_that_is_not_installed_answers_with_the_install_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    with pytest.raises(SystemExit) as caught:
        main(["demo"])

    assert (caught.value.code, capsys.readouterr().err.splitlines()[-1]) == (
        2,
        "observabilipy: error: the command 'demo' is not installed: pip install 'observabilipy-fastapi[demo]'",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tail", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name a storage file"),
        (["tail", "memory://", "--lines", "0"], "observabilipy: --lines must be 1 to 1000, got 0"),
        (["tail", "memory://", "--min-level", "loud"], "observabilipy: min_level must be one of DEBUG, INFO"),
        (["stats", "sqlite:///no-such-file.db"], "observabilipy: there is no file 'sqlite:///no-such-file.db': name"),
        (["stats", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name a storage file"),
        (["stats", "http://127.0.0.1:1"], "observabilipy: stats reads a storage, got 'http://127.0.0.1:1': name"),
        (["tail", "http://127.0.0.1:1", "--no-follow"], "observabilipy: http://127.0.0.1:1/logs cannot be reached"),
    ],
)
def test_what_cannot_work_is_one_line_on_stderr_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code = main(arguments)
    error = capsys.readouterr().err

    assert (code, error.startswith(message), error.count("\n")) == (1, True, 1)


@contextmanager
def service(status: int, body: bytes) -> Iterator[str]:
    """Where a service answers every request with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            401,
            b'{"detail":"a valid token is required","hint":"send it"}\n',
            "a valid token is required: set OBSERVABILIPY_TOKEN, or name a file with --token-file",
        ),
        (403, b'{"detail":"nobody decided","hint":"set a token"}\n', "nobody decided: set a token"),
        (404, b"<h1>Not Found</h1>\n\x1b[2J\n", "<h1>Not Found</h1>\\u000a\\u001b[2J"),
    ],
)
def test_tail_tells_a_refusal_on_one_line_and_what_to_do(
    capsys: pytest.CaptureFixture[str], status: int, body: bytes, told: str
) -> None:
    with service(status, body) as url:
        code = main(["tail", url])

    assert (code, capsys.readouterr().err) == (1, f"observabilipy: {url}/logs?limit=20 answered {status}: {told}\n")


def test_tail_of_an_empty_memory_storage_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(["tail", "memory://", "--no-follow"]), capsys.readouterr().out) == (0, "")


def test_the_module_is_the_command_too_and_tells_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "observabilipy", "--version"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )

    assert done.stdout.startswith("observabilipy-core ")


def test_a_file_whose_name_means_something_in_urls_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_nothing(url: str) -> MemoryStorage:
        opened.append(url)
        return MemoryStorage()

    monkeypatch.setattr("observabilipy.tail.open_storage", open_nothing)
    file = tmp_path / "a%20b#c?.db"
    file.touch()

    assert (main(["tail", "--no-follow", str(file)]), opened) == (0, [f"sqlite:///{quote(str(file))}"])


def test_stats_shows_what_a_storage_holds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("observabilipy_sqlite", reason="the memory of another process cannot be shown")
    url = f"sqlite:///{tmp_path / 'observability.db'}"
    with Observability(url, collectors=(), clock=lambda: 1_763_826_000.0) as obs:
        obs.counter("jobs_total", "Jobs.", labels=("kind",)).labels("a").inc()
        obs.info("twelve bytes")
        obs.error("oh")
    code = main(["stats", str(tmp_path / "observability.db")])

    assert (code, capsys.readouterr().out) == (
        0,
        """\
LOG         ENTRIES  BYTES  OLDEST                NEWEST
INFO              1     14  2025-11-22T15:40:00Z  2025-11-22T15:40:00Z
ERROR             1      4  2025-11-22T15:40:00Z  2025-11-22T15:40:00Z
all levels        2     18

METRICS       KIND     SERIES
jobs_total    counter       1
all families                1

history: 0 points
""",
    )
