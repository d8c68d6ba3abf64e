"""``observabilipy logs``, ``tail``, ``query``, ``stats`` and ``export``: of a file, of a service, of memory."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from observabilipy import Observability, open_storage
from observabilipy.cli import main
from observabilipy.commands.selector import selector
from observabilipy.commands.serve import Reader
from observabilipy.http import Endpoints
from observabilipy.models import LogEntry, Matcher

GOLDEN = Path(__file__).parent / "golden"
NOW = 1_763_826_000.0
TOKEN = "a token with ü"


@pytest.fixture
def database(tmp_path: Path) -> str:
    pytest.importorskip("observabilipy_sqlite", reason="the memory of another process cannot be read")
    path = str(tmp_path / "observability.db")
    with Observability(f"sqlite:///{path}", collectors=(), clock=lambda: NOW) as obs:
        jobs = obs.counter("jobs_total", "Jobs.", labels=("kind",))
        jobs.labels("mail").inc(3)
        jobs.labels('\x1b[2J"evil\\').inc()
        took = obs.histogram("took_seconds", "Took.", unit="seconds", buckets=(0.1, 1))
        took.observe(0.05)
        took.observe(2.25)
        obs.gauge("queue_length", "Queue.").set(float("inf"))
        obs.info("order placed", tier="gold", cents=1999)
        obs.error("\x1b[2Jgone\nforged \u202eline\x9b")
        obs.warning("Timeout of =cmd()", order=7)
    return path


@pytest.fixture
def service(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same, as a service shows it."""
    monkeypatch.setenv("OBSERVABILIPY_TOKEN", TOKEN)
    storage = open_storage(f"sqlite:///{database}")
    with Reader("127.0.0.1", 0, Endpoints(storage, auth=TOKEN)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    storage.close()


@pytest.fixture(params=["file", "service"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("database" if request.param == "file" else "service"))


@pytest.fixture
def printed(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsysbinary.readouterr().out.decode()

    return run


def same_generation(text: str) -> str:
    """Cursors are those of a store that is made anew each time."""
    return re.sub(r"[0-9a-f]{8}-", "cafe-", re.sub(r"storage: \d+", "storage: 1", text))


@pytest.mark.parametrize("output", ["text", "ndjson", "json", "csv"])
@pytest.mark.parametrize("command", ["logs", "query"])
def test_every_format_is_the_one_that_was_agreed_on(
    printed: Callable[..., str], source: str, command: str, output: str
) -> None:
    expected = (GOLDEN / f"{command}.{output}").read_text(encoding="utf-8")

    assert same_generation(printed(command, source, "-o", output)) == expected


def test_the_tables_of_stats_are_those_that_were_agreed_on(printed: Callable[..., str], database: str) -> None:
    expected = (GOLDEN / "stats.text").read_text(encoding="utf-8")

    assert same_generation(printed("stats", database, "-o", "text")) == expected


def test_into_a_pipe_entries_are_ndjson_to_the_byte(printed: Callable[..., str], source: str) -> None:
    lines = printed("export", source)

    assert (printed("logs", source), printed("tail", source, "--no-follow"), lines.count("\n")) == (lines, lines, 3)


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--level", "error"], ["gone"]),
        (["--level", "warn,info"], ["order", "Timeout"]),
        (["--min-level", "warning"], ["gone", "Timeout"]),
        (["-q", "TIMEOUT"], ["Timeout"]),
        (["--attr", "order=7"], ["Timeout"]),
        (["--since", "2025-11-22T15:40:01Z"], []),
        (["--until", "1763826000"], []),
        (["--since", "15m"], []),
        (["--since", "1763826000"], ["order", "gone", "Timeout"]),
        (["--since", "999999999w"], ["order", "gone", "Timeout"]),
        (["-n", "2"], ["gone", "Timeout"]),
        (["-n", "all"], ["order", "gone", "Timeout"]),
    ],
)
def test_entries_are_chosen(
    printed: Callable[..., str], source: str, arguments: list[str], messages: list[str]
) -> None:
    found = [json.loads(line)["message"] for line in printed("logs", source, *arguments).splitlines()]

    assert [next(word for word in ("order", "gone", "Timeout") if word in message) for message in found] == messages


@pytest.mark.parametrize(
    ("chosen", "values"),
    [
        ("jobs_total", [1, 3]),
        ('jobs_total{kind="mail"}', [3]),
        ('{kind!="mail",kind!=""}', [1]),
        ('jobs_total{kind="\\u001b"}', []),
        ("took_seconds", [{"count": 2, "sum": 2.3, "buckets": {"0.1": 1, "1": 1, "+Inf": 2}}]),
        ("queue_length", ["Infinity"]),
        ("nothing_total", []),
    ],
)
def test_series_are_chosen(printed: Callable[..., str], source: str, chosen: str, values: list[object]) -> None:
    found = [json.loads(line)["value"] for line in printed("query", source, chosen).splitlines()]

    assert sorted(found, key=str) == sorted(values, key=str)


def test_a_selector_knows_the_escapes_of_its_values() -> None:
    chosen = selector('a{b="\\"x\\\\\\n", c != "{,}",}')

    assert (chosen.name, chosen.matchers) == ("a", (Matcher("b", '"x\\\n'), Matcher("c", "{,}", "!=")))


def test_a_history_is_the_points_of_each_series(printed: Callable[..., str], database: str) -> None:
    storage = open_storage(f"sqlite:///{database}")
    for moment in (NOW, NOW + 10):
        storage.sample_history(moment)
    storage.close()

    lines = printed("query", database, 'jobs_total{kind="mail"}', "--since", "1763826000").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"timestamp": moment, "name": "jobs_total", "kind": "counter", "labels": {"kind": "mail"}, "value": 3}
        for moment in (NOW, NOW + 10)
    ]
    assert printed("query", database, 'jobs_total{kind="mail"}', "--since", "1763826010", "-o", "text") == (
        "TIME                      SERIES                   VALUE\n"
        '2025-11-22T15:40:10.000Z  jobs_total{kind="mail"}  3\n'
    )


def test_the_newest_entries_are_whole_when_a_page_ended_early(
    printed: Callable[..., str], source: str, database: str
) -> None:
    """A page ends at 8 MiB."""
    storage = open_storage(f"sqlite:///{database}")
    big = [LogEntry(NOW, "INFO", f"{number:02} {'x' * 1_000_000}") for number in range(20)]

    async def write() -> None:
        await storage.write_logs(big)

    import asyncio

    asyncio.run(write())
    storage.close()
    found = [json.loads(line)["message"][:2] for line in printed("logs", source, "-n", "19").splitlines()]

    assert found == [f"{number:02}" for number in range(1, 20)]


def test_what_is_not_there_is_said_beside_the_output(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["query", source, "nothing_total", "-o", "json"])
    told = capsys.readouterr()

    assert (code, told.out, "nothing matches" in told.err) == (0, "[]\n", True)


@pytest.mark.parametrize(
    "arguments", [["logs"], ["logs", "-n", "all"], ["export"], ["tail", "--no-follow"]], ids=" ".join
)
def test_entries_that_are_not_there_are_told_beside_the_output(
    source: str, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code = main([arguments[0], source, *arguments[1:], "-q", "nothing"])
    told = capsys.readouterr()

    assert (code, told.out, told.err) == (
        0,
        "",
        "observabilipy: nothing matches: ask for more levels or a longer time\n",
    )


def test_the_token_may_be_in_a_file(
    service: str, printed: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OBSERVABILIPY_TOKEN")
    file = tmp_path / "token"
    file.write_text("token\n", encoding="utf-8")

    assert main(["logs", service, "--token-file", str(file)]) == 1
    monkeypatch.setenv("OBSERVABILIPY_TOKEN_FILE", str(tmp_path / "none"))
    assert main(["logs", service]) == 1
    monkeypatch.setenv("OBSERVABILIPY_TOKEN", TOKEN)
    assert main(["logs", service]) == 1  # both: which one was meant?


def test_of_memory_there_is_nothing(printed: Callable[..., str]) -> None:
    outputs = [
        printed(*arguments) for arguments in (["logs", "memory://"], ["export", "ring://"], ["query", "memory://"])
    ]

    assert outputs == ["", "", ""]


@pytest.mark.skipif(
    sys.platform == "win32", reason="an encoding that knows few characters is a matter of POSIX locales"
)
def test_ndjson_is_utf8_under_any_locale(database: str) -> None:
    import os
    import subprocess

    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "observabilipy", "logs", database]
    done = subprocess.run(command, env=environ, capture_output=True, check=True)

    assert "\u202e" in done.stdout.decode()
