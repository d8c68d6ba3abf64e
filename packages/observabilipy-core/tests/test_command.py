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

from observabilipy import LogEntry
from observabilipy.cli import main
from observabilipy.commands import COMMANDS
from observabilipy.commands.formats import entry_line
from observabilipy.commands.source import Answer, storage_url

HELP = Path(__file__).parent / "golden" / "help"


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


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse of each Python prints help in its own way")
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_help_is_the_one_that_was_agreed_on(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To agree on another one: ``COLUMNS=80 observabilipy NAME --help > golden/help/NAME.txt``."""
    monkeypatch.setenv("COLUMNS", "80")
    if not name:
        monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())  # what is installed beside core
    with pytest.raises(SystemExit):
        main([name, "--help"] if name else ["--help"])

    assert capsys.readouterr().out == (HELP / f"{name or 'observabilipy'}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tail", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name the file of a service"),
        (["stats", "sqlite:///no-such-file.db"], "observabilipy: there is no file 'sqlite:///no-such-file.db': name"),
        (["stats", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name the file"),
        (["logs", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name the file"),
        (["query", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name the file"),
        (["export", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name the file"),
        (["serve", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name the file"),
        (["doctor", "no-such-file.db"], "observabilipy: there is no file 'no-such-file.db': name the file"),
        (["prune", "no-such-file.db", "--older-than", "1d"], "observabilipy: there is no file 'no-such-file.db': name"),
        (["import", "new.db", "no-such-lines"], "observabilipy: there is no file 'no-such-lines': name one, or leave"),
        (["logs", "\udcff.db"], "observabilipy: the name of a storage must be text in UTF-8, got '\\udcff.db': rename"),
        (["logs", "memory://", "-q", "\udcff"], "observabilipy: a query string must be percent-encoded UTF-8"),
        (["logs", "clickhouse://host"], 'observabilipy: no storage adapter for "clickhouse://": use one of memory'),
        (["tail", "http://127.0.0.1:1", "--no-follow"], "observabilipy: http://127.0.0.1:1/logs?limit=20 cannot be"),
    ],
)
def test_what_cannot_work_is_one_line_on_stderr_and_exit_code_1_and_makes_no_file(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(arguments)
    error = capsys.readouterr().err

    assert (code, error[: len(message)], error.count("\n"), [*tmp_path.iterdir()]) == (1, message, 1, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tail", "memory://", "--lines", "0"], "argument -n/--lines: it must be 1 to 10000, or 'all', got '0'"),
        (["logs", "memory://", "--level", "error,wraning"], "no level is called 'wraning': did you mean WARNING?"),
        (["logs", "memory://", "--min-level", "loud"], "it must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got"),
        (["logs", "memory://", "--min-level", "critcal"], "no level is called 'critcal': did you mean CRITICAL?"),
        (["logs", "memory://", "--since", "yesterday"], "a time is an age such as 15m, 2h or 7d, unix seconds, or"),
        (["logs", "memory://", "--attr", "order"], "an attribute is a name and a value, got 'order': write order_id=7"),
        (["query", "memory://", 'a{b=~"c"}'], "the conditions are = and !=, got '=~': write 'orders_total{tier="),
        (["query", "memory://", "1a"], "series are chosen by a name and labels, got '1a': write"),
        (["query", "memory://", "a{b}"], "a condition is a label and a quoted value, got 'b': write"),
        (["prune", "memory://", "--older-than", "1"], "an age is a whole number with s, m, h, d or w, got '1'"),
        (["serve", "memory://", "--port", "70000"], "a port is 0 to 65535, got '70000'"),
    ],
)
def test_a_wrong_argument_is_told_with_what_to_write_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert (caught.value.code, message in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["stats", "http://host"],
            "stats needs the storage itself, got 'http://host': name its file or URL, or ask for",
        ),
        (["prune", "http://host", "--older-than", "1d"], "prune needs the storage itself, got 'http://host': name its"),
        (["import", "http://host"], "import needs the storage itself, got 'http://host': name its file or URL"),
        (["import", "memory://"], "'memory://' ends with this command: name a file, such as observability.db"),
        (["serve", "memory://"], "'memory://' holds nothing here: name a file, such as observability.db"),
        (
            ["query", "memory://", "--since", "1h"],
            "a history is that of one name: write 'observabilipy query memory://",
        ),
        (
            ["query", "http://h", "a", "--since", "1h"],
            "a service tells its totals, not their history: name the file or",
        ),
        (["tail", "memory://", "-o", "json"], "an array is not complete before its end, and a log goes on: say -o nd"),
        (["logs", "memory://", "--attr", "a=1", "--attr", "a=2"], "an attribute of an entry has one value: give each"),
        (["prune", "memory://"], "prune needs to know what may go: say --older-than 30d, or --series with a name"),
    ],
)
def test_arguments_that_do_not_go_together_are_told_with_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert (main(arguments), capsys.readouterr().err[: len(message) + 15]) == (2, f"observabilipy: {message}")


@contextmanager
def service(status: int, body: bytes, location: str = "", content_type: str = "text/html") -> Iterator[str]:
    """Where a service answers every request with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", content_type)
            if location:
                self.send_header("Location", location)
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
            "a valid token is required: set OBSERVABILIPY_TOKEN or OBSERVABILIPY_TOKEN_FILE, or name a file with"
            " --token-file",
        ),
        (403, b'{"detail":"nobody decided","hint":"set a token"}\n', "nobody decided: set a token"),
        (
            404,
            b"<h1>Not Found</h1>\n\x1b[2J\n",
            "<h1>Not Found</h1>\\u000a\\u001b[2J: name the address under which /logs and /metrics are served, with its"
            " prefix: http(s)://host/prefix",
        ),
        (502, b"", "nothing more"),
    ],
)
def test_tail_tells_a_refusal_on_one_line_and_what_to_do(
    capsys: pytest.CaptureFixture[str], status: int, body: bytes, told: str
) -> None:
    with service(status, body) as url:
        code = main(["tail", url])

    assert (code, capsys.readouterr().err) == (
        1,
        f"observabilipy: {url}/logs?follow=1&limit=20 answered {status}: {told}\n",
    )


def test_a_service_of_another_kind_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with service(200, b"<h1>Hello</h1>") as url:
        code = main(["logs", url])

    assert (code, "is no /logs of observabilipy: name the address" in capsys.readouterr().err) == (1, True)


@pytest.mark.parametrize("output", ["text", "json", "csv"])
@pytest.mark.parametrize("line", [b"nothing\x1b[2J", b"[]", b'{"message": "m"}', b"[" * 100_000])
def test_lines_that_are_no_entries_are_told(capsys: pytest.CaptureFixture[str], line: bytes, output: str) -> None:
    with service(200, line + b"\n", content_type="application/x-ndjson") as url:
        code = main(["logs", url, "-o", output])
    told = capsys.readouterr().err

    assert (code, told.startswith("observabilipy: what came is no line of /logs: "), told.count("\n")) == (1, True, 1)
    assert "\x1b" not in told


@pytest.mark.parametrize("line", [b"[1]", b'"text"', b'{"message": "m"}', b'{"cursor": 5}', b"[" * 100_000])
def test_tail_ends_at_a_line_that_says_no_place(capsys: pytest.CaptureFixture[str], line: bytes) -> None:
    with service(200, line + b"\n", content_type="application/x-ndjson") as url:
        code = main(["tail", url, "-o", "ndjson"])
    told = capsys.readouterr().err

    assert (
        code,
        told.startswith("observabilipy: what came is no line of /logs with a cursor: "),
        told.count("\n"),
    ) == (
        1,
        True,
        1,
    )


def test_a_page_is_not_taken_for_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    with service(200, b"<h1>Hello</h1>") as url:
        code = main(["query", url])

    assert (code, "is no /metrics of observabilipy: name the address" in capsys.readouterr().err) == (1, True)


def test_csv_of_a_service_may_hold_what_is_no_text(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    line = b'{"cursor":"a-1","timestamp":1,"level":"INFO","message":"\\ud800\\r","attributes":{}}\n'
    with service(200, line, content_type="application/x-ndjson") as url:
        main(["logs", url, "-o", "csv"])

    assert capsysbinary.readouterr().out.splitlines(keepends=True)[1:] == [b'1,INFO,"\\ud800\r', b'",{},a-1\n']


def test_an_answer_is_exported_in_whole_lines() -> None:
    text = "a€\nb\n€".encode()
    answer = Answer({}, (bytes([byte]) for byte in text))

    assert list(answer.pieces()) == ["a€\n".encode(), b"b\n"]


def test_a_token_that_no_header_carries_is_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVABILIPY_TOKEN", "s3cret\r\nX: y")
    code = main(["logs", "http://127.0.0.1:1"])

    assert (code, capsys.readouterr().err) == (
        1,
        "observabilipy: the token must hold printable characters only: no header carries others\n",
    )


def test_a_redirect_is_not_followed_with_the_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVABILIPY_TOKEN", "s3cret")
    with service(302, b"", location="http://127.0.0.1:1/logs") as url:
        code = main(["logs", url])

    assert (
        code,
        "it leads to http://127.0.0.1:1/logs, and a token is sent nowhere else" in capsys.readouterr().err,
    ) == (
        1,
        True,
    )


def test_tail_of_an_empty_memory_storage_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(["tail", "memory://", "--no-follow"]), capsys.readouterr().out) == (0, "")


def test_control_c_amid_the_imports_prints_nothing() -> None:
    code = """
import sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "observabilipy.commands.prune":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from observabilipy.cli import main

sys.exit(main(["logs", "memory://"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (130, b"")


def test_the_module_is_the_command_too_and_tells_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "observabilipy", "--version"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )

    assert done.stdout.startswith("observabilipy-core ")


def test_a_file_whose_name_means_something_in_urls_is_found(tmp_path: Path) -> None:
    file = tmp_path / "a%20b#c?.db"
    file.write_bytes(b"not empty")

    assert storage_url(str(file)) == f"sqlite:///{quote(str(file))}"


def test_an_empty_file_is_told_and_stays_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "empty.db"
    file.touch()

    assert (main(["logs", str(file)]), file.stat().st_size, "is empty: nothing" in capsys.readouterr().err) == (
        1,
        0,
        True,
    )
