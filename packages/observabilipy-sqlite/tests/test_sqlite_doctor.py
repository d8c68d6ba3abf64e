"""``observabilipy doctor`` over a SQLite file: each trouble is found, told with a remedy, and nothing is changed."""

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from observabilipy import Observability
from observabilipy.cli import main
from observabilipy.findings import Checkable
from observabilipy_sqlite import SQLiteStorage, doctor


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "observability.db"
    with Observability(f"sqlite:///{path}", collectors=()) as obs:
        obs.counter("jobs_total", "Jobs.").inc(3)
        obs.info("hello")
    return path


@pytest.fixture
def examined(capsys: pytest.CaptureFixture[str]) -> Callable[[Path], tuple[int, dict[str, str]]]:
    """The exit code, and what was found that is not ok."""

    def run(path: Path) -> tuple[int, dict[str, str]]:
        code = main(["doctor", str(path), "-o", "ndjson"])
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert all(finding["remedy"] for finding in found if finding["verdict"] != "ok")
        return code, {finding["subject"]: finding["verdict"] for finding in found if finding["verdict"] != "ok"}

    return run


Examined = Callable[[Path], tuple[int, dict[str, str]]]


def test_a_sound_file_is_ok_and_is_left_as_it_was(database: Path, examined: Examined) -> None:
    before = database.read_bytes()
    found = examined(database)

    assert (found, database.read_bytes() == before, [file.name for file in database.parent.iterdir()]) == (
        (0, {}),
        True,
        ["observability.db"],
    )


def test_a_file_that_a_service_works_with_is_ok(database: Path, examined: Examined) -> None:
    with Observability(f"sqlite:///{database}", collectors=()) as obs:
        obs.info("more")
        obs.flush()

        assert examined(database) == (0, {})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.parametrize(
    ("mode", "found"), [(0o604, (1, {"permissions": "trouble"})), (0o640, (0, {"permissions": "note"}))]
)
def test_a_file_that_others_may_read_is_told(
    database: Path, examined: Examined, mode: int, found: tuple[int, dict[str, str]]
) -> None:
    database.chmod(mode)

    assert examined(database) == found


def test_a_damaged_page_is_trouble(database: Path, examined: Examined) -> None:
    content = bytearray(database.read_bytes())
    with sqlite3.connect(database) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'worker'").fetchone()
    connection.close()
    content[(page - 1) * 4096 : (page - 1) * 4096 + 64] = b"\xff" * 64
    database.write_bytes(content)
    code, found = examined(database)

    assert (code, found["integrity"]) == (1, "trouble")


def test_a_segment_that_cannot_be_read_is_trouble(
    database: Path, examined: Examined, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE body SET checksum = checksum + 1")
    connection.close()

    assert examined(database) == (1, {"reading": "trouble"})


def test_a_file_of_another_program_and_one_that_is_no_database_are_trouble(tmp_path: Path, examined: Examined) -> None:
    other, text = tmp_path / "other.db", tmp_path / "text.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    text.write_bytes(b"hello" * 1_000)
    for file in (other, text):
        file.chmod(0o600)

    assert examined(other) == (1, {"schema": "trouble", "reading": "trouble"})
    assert examined(text) == (1, {"integrity": "trouble", "reading": "trouble"})


def test_entries_of_tomorrow_tell_that_a_clock_is_wrong(tmp_path: Path, examined: Examined) -> None:
    path = tmp_path / "observability.db"
    with Observability(f"sqlite:///{path}", collectors=(), clock=lambda: time.time() + 86_400) as obs:
        obs.info("from tomorrow")

    assert examined(path) == (1, {"clock": "trouble"})


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="Windows lists no mounts")
def test_network_file_systems_and_long_wals_are_told(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/a / ext4 rw 0 0\nhost:/x {tmp_path} nfs4 rw 0 0\nx {tmp_path}el ext4 rw 0 0\n", encoding="utf-8"
    )
    monkeypatch.setattr(doctor, "_MOUNTS", mounts)
    with Path(f"{database}-wal").open("wb") as wal:
        wal.truncate(65_000_000)
    found = {finding.subject: finding.verdict for finding in doctor.findings(database)}
    monkeypatch.setattr(doctor, "_MOUNTS", tmp_path / "none")
    unknown = {finding.subject: finding.verdict for finding in doctor.findings(database)}

    assert (found["file system"], found["WAL"], unknown["file system"]) == ("trouble", "trouble", "note")


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "none.db")
    found = [(finding.subject, finding.verdict) for finding in storage.check()]

    assert (isinstance(storage, Checkable), found[-1], [*tmp_path.iterdir()]) == (True, ("file", "trouble"), [])


def test_damaged_files_that_were_set_aside_are_named(database: Path, examined: Examined) -> None:
    Path(f"{database}.corrupt-20261122T154000Z-0").touch()

    assert examined(database) == (0, {"set aside": "note"})
