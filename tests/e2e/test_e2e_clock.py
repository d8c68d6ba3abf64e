"""Clocks that jump, for real: cursors stay exact, workers live, the lease finds a holder, and nothing is deleted."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.e2e.application import Application

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not on PATH: apt-get install faketime"),
]

Wait = Callable[[Callable[[], bool], str], None]

HOUR = 3_600
DAY = 86_400
POLICY = {"INFO": {"max_age": 2 * HOUR}, "DEBUG": {"max_count": 10}}


class Wall:
    """The clock on the wall of some processes. Their monotonic clock is left alone, as no correction touches it."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "time"
        self.jump(0)
        command = ["faketime", "--exclude-monotonic", "-f", "+0s", "env"]
        preloaded = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
        [library] = [line for line in preloaded.splitlines() if line.startswith("LD_PRELOAD=")]
        self.environment = {
            "LD_PRELOAD": library.removeprefix("LD_PRELOAD="),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def jump(self, seconds: int) -> None:
        """From now on it is so many seconds ahead."""
        following = self._file.with_name("time to come")
        following.write_text(f"{seconds:+d}s\n", encoding="ascii")
        following.replace(self._file)


class Tail:
    """A client that reads page after page of INFO, each from the cursor of the one before."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._after = "start"
        self.entries: list[tuple[str, int]] = []
        self.gaps: set[str] = set()

    def has(self, count: int) -> bool:
        """Read on; whether it has so many entries."""
        page = self._app("page", f"level=info&after={self._after}")
        self._after = page["last"] or self._after
        self.entries += [(service, number) for service, number in page["entries"]]
        self.gaps.add(page["gap"])
        return len(self.entries) >= count


@pytest.fixture
def wall(tmp_path: Path) -> Wall:
    return Wall(tmp_path)


@pytest.fixture
def apps(tmp_path: Path, wall: Wall) -> Iterator[list[Application]]:
    """Two workers of one service, who count as dead after three seconds."""

    def start(name: str) -> Application:
        return Application(
            tmp_path / "obs.db",
            settings={"service": name, "log_retention": POLICY, "flush_interval": 0.1},
            runtime={"heartbeat_interval": 1.0, "retention_interval": 0.5},
            environment=wall.environment,
        )

    with start("first") as first, start("second") as second:
        yield [first, second]


def test_while_clocks_jump_a_tail_gets_every_entry_once_and_nothing_is_deleted(
    apps: list[Application], wall: Wall, wait: Wait
) -> None:
    first, second = apps
    tail = Tail(second)
    expected: list[tuple[str, int]] = []

    def all_were_read() -> bool:
        return tail.has(len(expected))

    for jump in (0, -HOUR, 0, DAY, 0):
        wall.jump(jump)
        for name, app in (("first", first), ("second", second)):
            end = app("log", 100)
            expected += [(name, number) for number in range(end - 100, end)]
        wait(all_were_read, "the tail has what was logged")
        # There are too many of these, whatever the time is. When they go, retention has looked at the clock.
        first("log", 50, "debug")
        first("flush")
        wait(lambda: first("count")["counts"]["DEBUG"] == 10, "retention was applied")
        wait(lambda: first("count")["totals"]["workers"] == 2, "both workers count as alive")
    held = first("count")

    assert (sorted(tail.entries), tail.gaps) == (sorted(expected), {""})
    assert (held["counts"], held["totals"]["work_total"]) == ({"DEBUG": 10, "INFO": 1_000}, 1_250)


def test_when_the_clock_went_back_the_work_and_the_gauges_of_the_dead_are_soon_somebody_elses(
    apps: list[Application], wall: Wall, wait: Wait, tmp_path: Path
) -> None:
    for app in apps:
        app("log", 1)
        app("flush")
    wait(lambda: apps[0]("count")["totals"]["workers"] == 2, "both workers count as alive")
    wait(lambda: holder(tmp_path) is not None, "somebody has the lease")
    wall.jump(-HOUR)
    victim = next(app for app in apps if app.pid == holder(tmp_path))
    victim.kill()
    [survivor] = [app for app in apps if app is not victim]
    wait(lambda: holder(tmp_path) == survivor.pid, "the other has the lease")
    # A survivor that a busy machine holds up for three seconds counts as dead itself, until its next heartbeat.
    wait(lambda: survivor("count")["totals"].get("workers") == 1, "only one counts as alive")

    assert (holder(tmp_path), survivor("count")["totals"]) == (survivor.pid, {"work_total": 2, "workers": 1})


def holder(directory: Path) -> int | None:
    """The process that has the lease."""
    with closing(sqlite3.connect(directory / "obs.db")) as database:
        found = database.execute("SELECT pid FROM lease JOIN worker ON worker.id = lease.worker").fetchone()
    return None if found is None else int(found[0])
