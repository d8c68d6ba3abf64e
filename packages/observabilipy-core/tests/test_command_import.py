"""``observabilipy import`` and the lines of other loggers."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy import LogEntry, encode_entry
from observabilipy.cli import main
from observabilipy.commands.foreign import Untaken, entry_of
from observabilipy.commands.importing import _Lines

NOW = 1_763_826_000.5


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        # Our own, structlog, python-json-logger, pino, zap, logrus, ECS, Google
        (
            {"cursor": "a-1", "timestamp": NOW, "level": "ERROR", "message": "m", "attributes": {"k": [1]}},
            LogEntry(NOW, "ERROR", "m", {"k": [1]}),
        ),
        (
            {"event": "m", "level": "warning", "timestamp": "2025-11-22T15:40:00.5Z", "k": 1},
            LogEntry(NOW, "WARNING", "m", {"k": 1}),
        ),
        (
            {"message": "m", "levelname": "INFO", "timestamp": "2025-11-22 15:40:00,500"},
            LogEntry(NOW, "INFO", "m"),
        ),
        (
            {"level": 30, "time": 1763826000500, "pid": 1, "hostname": "h", "msg": "m"},
            LogEntry(NOW, "INFO", "m", {"pid": 1, "hostname": "h"}),
        ),
        ({"level": 30, "ts": NOW, "msg": "m"}, LogEntry(NOW, "WARNING", "m")),
        (
            {"level": "fatal", "ts": NOW, "msg": "m", "caller": "a.go"},
            LogEntry(NOW, "CRITICAL", "m", {"caller": "a.go"}),
        ),
        ({"time": "2025-11-22T16:40:00.5+01:00", "msg": "m"}, LogEntry(NOW, "INFO", "m")),
        ({"@timestamp": "1763826000500000000", "log.level": "debug", "message": "m"}, LogEntry(NOW, "DEBUG", "m")),
        ({"severity": "NOTICE", "time": "1763826000.5", "message": {"a": 1}}, LogEntry(NOW, "NOTICE", '{"a":1}')),
        ({"message": "m", "event": "e", "ts": 1763826000500000}, LogEntry(NOW, "INFO", "m", {"event": "e"})),
        (
            {"message": "m", "attributes": {"a": 1}, "x": 2, "ts": NOW},
            LogEntry(NOW, "INFO", "m", {"attributes": {"a": 1}, "x": 2}),
        ),
    ],
)
def test_lines_of_known_shapes_are_understood(line: dict[str, object], entry: LogEntry) -> None:
    assert entry_of(json.dumps(line).encode()) == entry


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "no JSON"),
        (b"\xff", "no JSON"),
        (b"7", "no JSON object"),
        (b'{"msg": "m"}', "no time: it has none of timestamp, @timestamp, time, ts"),
        (b'{"ts": 1}', "no message: it has none of message, msg, event"),
        (b'{"ts": NaN, "msg": "m"}', "its time is not finite"),
        (b'{"ts": 1' + b"0" * 400 + b', "msg": "m"}', "its time is not finite"),
        (b'{"cursor": "a-1", "timestamp": 1' + b"0" * 400 + b', "message": "m"}', "timestamp must be unix seconds"),
        (b'{"ts": true, "msg": "m"}', "its time is no number or text: true"),
        (b'{"ts": "yesterday", "msg": "m"}', "its time is not understood: 'yesterday'"),
        (b'{"ts": "2025-02-30 00:00:00", "msg": "m"}', "its time is not understood: '2025-02-30 00:00:00'"),
        (b'{"ts": 1, "msg": "m", "level": 7}', "level 7: numbers are those of Python, 10 to 50"),
        (b'{"ts": 1, "msg": "m", "level": []}', "its level is no name: []"),
        (b'{"ts": 1, "msg": "m", "level": ""}', "a level must be a name of 1 to 64 characters, got ''"),
    ],
)
def test_a_line_that_is_no_entry_says_why(line: bytes, why: str) -> None:
    with pytest.raises(Untaken) as raised:
        entry_of(line)

    assert str(raised.value).startswith(why)


@pytest.mark.properties
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["ts", "time", "level", "msg", "message", "severity", "a"]), inner, max_size=6
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_an_entry_or_says_why_not(value: object) -> None:
    try:
        entry = entry_of(json.dumps(value).encode())
    except Untaken:
        return
    assert encode_entry(entry).endswith(b"}\n")


@pytest.mark.properties
@given(st.text(), st.dictionaries(st.text(), st.integers() | st.text(), max_size=4), st.integers(0, 2**31))
def test_what_we_write_is_read_as_it_was(message: str, attributes: dict[str, object], second: int) -> None:
    entry = LogEntry(second + 0.25, "INFO", message, attributes)

    assert encode_entry(entry_of(encode_entry(entry))) == encode_entry(entry)


@pytest.fixture
def imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[bytes], tuple[int, str, str]]:
    pytest.importorskip("observabilipy_sqlite", reason="what is imported into memory is gone")

    def run(lines: bytes) -> tuple[int, str, str]:
        file = tmp_path / "lines"
        file.write_bytes(lines)
        code = main(["import", str(tmp_path / "new.db"), str(file)])
        return code, *capsys.readouterr()

    return run


def test_what_cannot_be_taken_is_told_by_its_line(imported: Callable[[bytes], tuple[int, str, str]]) -> None:
    good = b'{"ts": 1763826000, "msg": "m"}\n'
    lines = (
        b"\xef\xbb\xbf" + good + b"no\x1b[2J\n\n" + b"x" * 3_000_000 + b"\n" + good + b'{"msg": "m"}\n' + good.strip()
    )

    assert imported(lines) == (
        1,
        "3 entries imported, 3 lines not taken\n",
        "line 2: no JSON\nline 4: longer than 1048576 bytes\n"
        "line 6: no time: it has none of timestamp, @timestamp, time, ts\n",
    )


def test_a_reason_is_short_however_long_the_value_is(imported: Callable[[bytes], tuple[int, str, str]]) -> None:
    _, _, told = imported(b'{"ts": 1, "msg": "m", "level": "' + b"x" * 100_000 + b'"}')

    assert (len(told) < 300, told.endswith("xxx...\n")) == (True, True)


def test_many_that_cannot_be_taken_are_counted(imported: Callable[[bytes], tuple[int, str, str]]) -> None:
    code, out, err = imported(b"no\n" * 50)

    assert (code, out, err.splitlines()[19:]) == (
        1,
        "0 entries imported, 50 lines not taken\n",
        ["line 20: no JSON", "... and 30 more"],
    )


def test_a_time_of_ours_is_in_seconds_however_many_they_are() -> None:
    line = {"cursor": "a-1", "timestamp": 253402300799.0, "level": "INFO", "message": "m", "attributes": {}}

    assert entry_of(json.dumps(line).encode()) == LogEntry(253402300799.0, "INFO", "m")


def test_an_export_is_imported_as_it_was(
    imported: Callable[[bytes], tuple[int, str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [LogEntry(NOW + n, "ERROR", f"\x00 {n}\n", {"n": n, "deep": {"a": [None, 1.5]}}) for n in range(2_500)]
    lines = b"".join(map(encode_entry, entries))
    done = imported(lines)
    main(["export", str(tmp_path / "new.db")])
    exported = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert done[:2] == (0, "2500 entries imported, 0 lines not taken\n")
    assert [{name: line[name] for name in line if name != "cursor"} for line in exported] == [
        json.loads(line) for line in lines.splitlines()
    ]


def test_a_batch_is_bounded_by_entries_and_by_bytes() -> None:
    small = b'{"ts": 1, "msg": "m"}\n' * 2_500
    large = b'{"ts": 1, "msg": "' + b"x" * 1_000_000 + b'"}\n'

    assert [len(batch) for batch in _Lines(io.BytesIO(small)).batches()] == [1_000, 1_000, 500]
    assert [len(batch) for batch in _Lines(io.BytesIO(large * 12)).batches()] == [5, 5, 2]


def test_a_storage_that_fails_is_told_with_how_far_it_got(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("observabilipy_sqlite", reason="what is imported into memory is gone")
    database = tmp_path / "new.db"
    good = b'{"ts": 1, "msg": "m"}\n'

    class File(io.BytesIO):
        """Another program puts a file of its own in the place of the database, when the first batch is in it."""

        def readline(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 1_100 * len(good):
                database.unlink()
                database.write_bytes(b"another one" * 1_000)
            return super().readline(size)

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(File(good * 2_500), encoding="utf-8"))
    code = main(["import", str(database)])
    told = capsys.readouterr().err.splitlines()

    assert (code, told[0]) == (
        1,
        "observabilipy: 1000 entries are in the storage, the first of the file; it stopped after them",
    )
    assert "file is not a database" in told[1]


def test_lines_come_from_a_pipe(tmp_path: Path) -> None:
    pytest.importorskip("observabilipy_sqlite", reason="what is imported into memory is gone")
    database = tmp_path / "new.db"
    command = [sys.executable, "-m", "observabilipy", "import", str(database)]
    done = subprocess.run(command, input=b'{"ts": 1, "msg": "m"}\n', capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"1 entries imported, 0 lines not taken\n", b"")
    assert database.stat().st_mode & 0o777 == 0o600 or sys.platform == "win32"
