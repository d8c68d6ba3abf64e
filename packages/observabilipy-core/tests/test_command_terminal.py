"""The command in a real pseudo-terminal, and with pipes whose other end goes away."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from observabilipy import Observability

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

COMMAND = [sys.executable, "-m", "observabilipy"]
PATIENCE = 60.0


@pytest.fixture
def database(tmp_path: Path) -> str:
    pytest.importorskip("observabilipy_sqlite", reason="the memory of another process cannot be read")
    path = str(tmp_path / "observability.db")
    with Observability(f"sqlite:///{path}", collectors=(), clock=lambda: 1_763_826_000.0) as obs:
        obs.info("\x1b[2J\x9b2J \u202eplain")
        obs.error("bad")
    return path


class Session:
    """A command with its standard streams on a terminal, but those that are given."""

    def __init__(self, arguments: list[str], environ: Mapping[str, str], stdout: int | None) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", **environ},
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""

    def until(self, text: str) -> None:
        give_up = time.monotonic() + PATIENCE
        while text.encode() not in self.seen and time.monotonic() < give_up:
            self.seen += os.read(self.master, 65_536)

    def rest(self) -> tuple[int, str]:
        """The exit code, and all that appeared on the terminal."""
        try:
            while piece := os.read(self.master, 65_536):
                self.seen += piece
        except OSError:  # Linux: the other end is closed
            pass
        code = self.process.wait(PATIENCE)
        os.close(self.master)
        return code, self.seen.decode().replace("\r\n", "\n")


def on_terminal(*arguments: str, stdout: int | None = None, environ: Mapping[str, str] | None = None) -> Session:
    return Session(list(arguments), {"NO_COLOR": "", **(environ or {})}, stdout)


def test_on_a_terminal_entries_are_text_with_colours(database: str) -> None:
    assert on_terminal("logs", database).rest() == (
        0,
        "\x1b[2m2025-11-22T15:40:00.000Z\x1b[0m INFO     \\u001b[2J\\u009b2J \\u202eplain\n"
        "\x1b[2m2025-11-22T15:40:00.000Z\x1b[0m \x1b[31mERROR   \x1b[0m bad\n",
    )


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_declined(database: str, environ: dict[str, str]) -> None:
    code, text = on_terminal("logs", database, environ=environ).rest()

    assert (code, "\x1b" in text, text.endswith("ERROR    bad\n")) == (0, False, True)


@pytest.mark.parametrize("output", ["ndjson", "json", "csv"])
@pytest.mark.parametrize("command", ["logs", "export"])
def test_no_format_drives_a_terminal(database: str, command: str, output: str) -> None:
    arguments = [command, database] if command == "export" else [command, database, "-o", output]
    code, text = on_terminal(*arguments).rest()

    assert (code, re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), "\\u202eplain" in text) == (0, [], True)


def test_json_on_a_terminal_is_the_array_that_a_pipe_gets(database: str) -> None:
    _, text = on_terminal("logs", database, "-o", "json").rest()
    piped = subprocess.run([*COMMAND, "logs", database, "-o", "json"], capture_output=True, check=True).stdout.decode()

    assert (json.loads(text), text.count("\n")) == (json.loads(piped), piped.count("\n"))


def test_into_a_file_there_is_ndjson_without_colours_and_progress_on_the_terminal(
    database: str, tmp_path: Path
) -> None:
    with (tmp_path / "exported").open("wb") as file:
        code, text = on_terminal("export", database, stdout=file.fileno()).rest()
    lines = (tmp_path / "exported").read_bytes()

    assert (code, lines.count(b"\n"), b"\x1b" in lines) == (0, 2, False)
    assert text == "\r2 entries exported\r\x1b[K"


def test_into_a_pipe_there_is_no_progress_that_would_mix_with_what_reads_it(database: str) -> None:
    reading, writing = os.pipe()
    session = on_terminal("export", database, stdout=writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read()

    assert (lines.count(b"\n"), session.rest()) == (2, (0, ""))


def test_without_a_terminal_there_is_no_progress(database: str) -> None:
    done = subprocess.run([*COMMAND, "export", database], capture_output=True, check=True)

    assert (done.stdout.count(b"\n"), done.stderr) == (2, b"")


@pytest.mark.parametrize(("answer", "code", "remaining"), [("y\n", 0, 0), ("n\n", 1, 2), ("\n", 1, 2), ("\x04", 1, 2)])
def test_prune_asks_and_takes_anything_but_yes_for_no(database: str, answer: str, code: int, remaining: int) -> None:
    session = on_terminal("prune", database, "--older-than", "1d")
    session.until("[y/N] ")
    os.write(session.master, answer.encode())
    ended, text = session.rest()
    lines = subprocess.run([*COMMAND, "logs", database], capture_output=True, check=True).stdout

    assert (ended, lines.count(b"\n"), "Delete 2 entries from before " in text) == (code, remaining, True)


def test_control_c_ends_a_tail_without_a_traceback(database: str) -> None:
    session = on_terminal("tail", database, environ={"NO_COLOR": "1"})
    session.until("bad\r\n")
    os.killpg(session.process.pid, 2)
    code, text = session.rest()

    assert (code, text.count("\n"), "Traceback" in text) == (130, 2, False)


@pytest.mark.parametrize(
    "arguments",
    [["logs", "--since", "1"], ["export"], ["tail"], ["query"], ["stats"], ["doctor"]],
    ids=lambda arguments: str(arguments[0]),
)
def test_a_reader_that_goes_away_ends_the_command_in_silence(database: str, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # before anything is written
    process = subprocess.Popen(
        [*COMMAND, arguments[0], database, *arguments[1:]], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    _, errors = process.communicate(timeout=PATIENCE)

    # What fits into no pipe is an error at once; a query without series and the like has nothing to write.
    assert (process.returncode, errors.decode().replace(NOTHING, "")) in {(141, ""), (0, "")}
    assert process.returncode == 141 or arguments[0] == "query"


NOTHING = "observabilipy: there are no metrics yet\n"


def test_a_tail_ends_when_its_reader_goes_although_nothing_comes(database: str) -> None:
    process = subprocess.Popen([*COMMAND, "tail", database], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()

    assert (process.wait(PATIENCE), process.communicate()[1]) == (141, b"")


@pytest.mark.parametrize(
    ("command", "closed", "code"),
    [
        (["logs"], ">&-", 0),
        (["stats"], ">&-", 0),
        (["import"], "<&-", 0),
        (["prune", "--older-than", "1d"], "<&-", 2),
        (["query"], ">&- 2>&- <&-", 0),
    ],
)
def test_streams_may_be_closed_from_the_start(database: str, command: list[str], closed: str, code: int) -> None:
    line = shlex.join([*COMMAND, command[0], database, *command[1:]])
    done = subprocess.run(["sh", "-c", f"{line} {closed}"], capture_output=True, check=False)

    assert (done.returncode, b"Traceback" in done.stderr) == (code, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("command", ["logs", "export", "stats"])
def test_output_that_cannot_be_written_is_told(database: str, command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, command, database], stdout=full, stderr=subprocess.PIPE, check=False)

    assert (done.returncode, done.stderr.decode().count("\n"), b"No space left on device" in done.stderr) == (
        1,
        1,
        True,
    )


@pytest.mark.parametrize("arguments", [["logs", "--help"], ["--help"], ["--version"]])
def test_help_that_nobody_reads_ends_in_silence(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)

    # argparse drops what it cannot print; some versions leave it in a buffer.
    assert (done.returncode in {0, 141}, done.stderr) == (True, b"")


def until_true(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.02)
    return condition()


def test_a_tail_in_a_pipe_passes_each_entry_on_at_once(database: str, tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    with printed.open("wb") as file:
        process = subprocess.Popen([*COMMAND, "tail", database, "-n", "1"], stdout=file, stderr=subprocess.PIPE)
        try:
            began = until_true(lambda: printed.read_bytes().count(b"\n") == 1)
            with Observability(f"sqlite:///{database}", collectors=()) as obs:
                obs.warning("news")
            told = until_true(lambda: b'"news"' in printed.read_bytes())
        finally:
            process.terminate()
            process.communicate()

    assert (began, told) == (True, True)
