"""More than the store takes: memory stays bounded, errors outlive debugging, and every entry is accounted for."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.application import Application

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform != "linux", reason="it asks Linux for its memory")]

SECONDS = 10.0
LEVELS = ("DEBUG", "INFO", "ERROR")
# What is promised: 10,000 entries in the buffer, and 16 MiB of backlog by a count that is about a third of what Python
# takes. And what SQLite and one batch need.
MOST_BYTES = 96 * 2**20


def dropped(totals: dict[str, float]) -> dict[str, float]:
    """Entries that were given up, by level."""
    found = dict.fromkeys(LEVELS, 0.0)
    for name, value in totals.items():
        family, *labels = name.split(" ")
        if family == "observabilipy_log_entries_dropped_total":
            found[labels[0]] += value
    return found


def stored(counts: dict[str, int]) -> dict[str, int]:
    """Entries of the application; that some were dropped is told by entries of level WARNING."""
    return {level: counts.get(level, 0) for level in LEVELS}


def test_at_many_times_the_rate_of_the_store_every_entry_is_stored_or_counted(
    tmp_path: Path, report: list[str]
) -> None:
    with Application(tmp_path / "obs.db") as app:
        app("log", 1)
        app("flush")
        told: dict[str, Any] = app("overload", 2, SECONDS, 10_000)
        app("flush")
        app("flush")  # the drops of the last moments
        held: dict[str, Any] = app("count")
    emitted, kept, given_up = told["emitted"], stored(held["counts"]), dropped(held["totals"])
    kept["INFO"] -= 1  # the first one
    report.append(
        f"overload: {sum(emitted.values()) / SECONDS:,.0f} entries/s recorded, {sum(kept.values()) / SECONDS:,.0f}"
        f" stored; memory grew by {told['grown'] / 2**20:.0f} MiB"
    )

    assert {level: kept[level] + given_up[level] for level in LEVELS} == emitted
    assert (kept["ERROR"], given_up["ERROR"]) == (emitted["ERROR"], 0)
    assert sum(emitted.values()) >= 5 * sum(kept.values())
    assert told["grown"] < MOST_BYTES


def test_what_does_not_fit_while_the_store_is_locked_is_counted(tmp_path: Path, report: list[str]) -> None:
    path = tmp_path / "obs.db"
    with Application(path) as app:
        app("log", 1)
        app("flush")
        before = app("memory")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            app("log", 200, "error")
            app("log", 30_000, "debug", 2_000)
            app("log", 999, "info")
            during = app("flush")
            other.execute("ROLLBACK")
        app("flush")
        app("flush")
        held = app("count")
        grown = app("memory") - before
    kept, given_up = stored(held["counts"]), dropped(held["totals"])
    reasons = {name.split(" ")[2] for name in held["totals"] if name.startswith("observabilipy_log_entries_dropped")}
    report.append(f"overload of a locked store: memory grew by {grown / 2**20:.0f} MiB")

    assert {level: kept[level] + given_up[level] for level in LEVELS} == {"DEBUG": 30_000, "INFO": 1_000, "ERROR": 200}
    assert (kept["INFO"], kept["ERROR"], during) == (1_000, 200, False)
    assert reasons == {"backlog_full", "buffer_full"}
    assert grown < MOST_BYTES
