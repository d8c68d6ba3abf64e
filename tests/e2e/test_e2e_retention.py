"""Retention of a running service: a policy for each level, and levels that cannot be deleted from for a while."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.e2e.application import Application, said

pytestmark = pytest.mark.e2e

Wait = Callable[[Callable[[], bool], str], None]

POLICY = {"DEBUG": {"max_count": 50}, "INFO": {"max_age": 2.0}, "ERROR": {"max_bytes": 3_000}}
FAILURES = "observabilipy_failures_total retention of logs"


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, timeout=30)) as other, other:
        other.execute(statement)


def test_each_level_is_kept_by_its_own_policy_and_one_that_fails_stops_no_other(tmp_path: Path, wait: Wait) -> None:
    path = tmp_path / "obs.db"
    settings = {"log_retention": POLICY, "flush_interval": 0.05}
    with Application(path, settings=settings, runtime={"retention_interval": 0.5}) as app:
        app("log", 1, "debug")
        app("flush")
        execute(
            path,
            "CREATE TRIGGER trouble BEFORE DELETE ON segment WHEN old.levels = 1 << 1"  # DEBUG and nothing else
            " BEGIN SELECT raise(ABORT, 'cannot delete'); END",
        )
        for level in ("debug", "info", "warning", "error"):
            app("log", 2_000, level)
            app("flush")  # so that no segment has two levels
        wait(lambda: FAILURES in app("count")["totals"], "the retention of DEBUG fails")
        wait(lambda: "INFO" not in app("count")["counts"], "INFO is too old")
        during = app("read")["numbers"]
        execute(path, "DROP TRIGGER trouble")
        wait(lambda: app("count")["counts"]["DEBUG"] == 50, "DEBUG is within its limit")
        after = app("read")["numbers"]
        work = app("read")["totals"]["work_total"]

    bytes_of_one = len('{"number":8000}')
    assert after == {
        "DEBUG": list(range(1_951, 2_001)),
        "WARNING": list(range(4_001, 6_001)),
        "ERROR": list(range(8_001 - 3_000 // bytes_of_one, 8_001)),
    }
    assert (during, work) == ({**after, "DEBUG": list(range(2_001))}, 8_001)
    assert said(app.printed, "retention of logs failed") == 1
