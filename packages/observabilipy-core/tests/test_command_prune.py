"""``observabilipy prune``: what goes, what stays, and who is asked."""

import time
from functools import partial
from pathlib import Path

import pytest

from observabilipy import Observability, open_storage
from observabilipy.cli import main

DAY = 86_400.0


@pytest.fixture
def database(tmp_path: Path) -> str:
    """An old and a new entry of each of two levels, and points of the history as old."""
    pytest.importorskip("observabilipy_sqlite", reason="the memory of another process cannot be pruned")
    path = str(tmp_path / "observability.db")
    for age in (10 * DAY, 0.0):
        moment = time.time() - age
        with Observability(f"sqlite:///{path}", collectors=(), clock=partial(float, moment)) as obs:
            jobs = obs.counter("jobs_total", "Jobs.", labels=("kind",))
            jobs.labels("old" if age else "new").inc()
            obs.info("i")
            obs.error("e")
        storage = open_storage(f"sqlite:///{path}")
        storage.sample_history(moment)
        storage.close()
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code, and what was printed without the times in it."""
    code = main(["prune", *arguments])
    return code, capsys.readouterr().out.split(" from ")[0].split(", as far")[0].strip()


def left(capsys: pytest.CaptureFixture[str], database: str) -> tuple[int, int]:
    main(["logs", database])
    main(["query", database])
    lines = capsys.readouterr().out.splitlines()
    return sum("cursor" in line for line in lines), sum("jobs_total" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "planned", "gone", "remaining"),
    [
        (["--older-than", "1d"], "2 entries", "2 entries", (2, 2)),
        (["--older-than", "1w", "--level", "error"], "1 entries of level ERROR", "1 entries of level ERROR", (3, 2)),
        (["--older-than", "4w"], "0 entries", "0 entries", (4, 2)),
        (["--older-than", "1d", "--history"], "at least 1 points of the history", "1 points of the history", (4, 2)),
        (["--series", 'jobs_total{kind="new"}'], "about 1 series", "1 series", (4, 1)),
        # Stores do not show when a series was reported: what is planned is how many there are at most.
        (["--series", "jobs_total", "--older-than", "1d"], "about 2 series", "0 series", (4, 2)),
    ],
)
def test_what_is_old_goes_and_a_dry_run_tells_it(  # noqa: PLR0917 - pytest hands them over
    capsys: pytest.CaptureFixture[str],
    database: str,
    arguments: list[str],
    planned: str,
    gone: str,
    remaining: tuple[int, int],
) -> None:
    assert run(capsys, database, *arguments, "--dry-run") == (0, f"would delete {planned}")
    assert left(capsys, database) == (4, 2)
    assert run(capsys, database, *arguments, "-y") == (0, f"deleted {gone}")
    assert left(capsys, database) == remaining


def test_where_nobody_can_be_asked_nothing_is_deleted(
    capsys: pytest.CaptureFixture[str], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/null").open(encoding="utf-8") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        code = main(["prune", database, "--older-than", "1d"])
    told = capsys.readouterr().err

    assert (code, "Nobody can be asked here: say -y, or --dry-run to see what would go" in told) == (2, True)
    assert left(capsys, database) == (4, 2)
