"""``open_sqlite``: what storage URLs say, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from observabilipy import errors
from observabilipy.models import RetentionPolicy
from observabilipy_sqlite import SQLiteStorage, open_sqlite


def test_three_slashes_are_relative_and_four_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    paths = [open_sqlite(url).path for url in ("sqlite:///a%20b/obs.db", "sqlite:////var/lib/obs.db")]

    assert paths == [tmp_path / "a b" / "obs.db", Path("/var/lib/obs.db")]


def test_options_reach_the_storage(tmp_path: Path) -> None:
    storage = open_sqlite(f"sqlite:///{tmp_path}/obs.db?synchronous=full&max_bytes=50000000")

    storage.maintain()
    (synchronous,) = storage._database.read(lambda connection: connection.execute("PRAGMA synchronous").fetchone())
    storage.close()

    assert (synchronous, storage.default_log_retention) == (2, RetentionPolicy(max_age=604_800))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgres:///a", "the URL of a SQLite storage begins with sqlite:///, got 'postgres:///a'"),
        (
            "sqlite://obs.db",
            "a SQLite storage has no host, got 'obs.db' in 'sqlite://obs.db': write sqlite:///relative",
        ),
        ("sqlite:///", "a SQLite storage needs the path of a file, got 'sqlite:///': write sqlite:///relative.db"),
        ("sqlite:", "a SQLite storage needs the path of a file"),
        ("sqlite:///dir/", "a SQLite storage needs the path of a file"),
        ("sqlite:///:memory:", "to keep nothing beyond the process say memory://"),
        ("sqlite:///a.db?sync=full", "unknown option 'sync' in 'sqlite:///a.db?sync=full': there are max_bytes, hi"),
        ("sqlite:///a.db?history=", "history must be durations such as 10s, 1m, 1h, 1d, 1w or 1y, got ''"),
        ("sqlite:///a.db?history=1d,60:2d", "got '1d,60:2d': write history=1d,1m:30d,1h:2y"),
        ("sqlite:///a.db?history=1d,1m:2d,60s:3d", "a step of the history is given twice"),
        ("sqlite:///a.db?history=1m:2d", "the steps of the history must begin with 0 and increase, got [60]"),
        ("sqlite:///a.db?history=1d,1h:3d,1m:2d", "got [0, 3600, 60]: write {0: 86_400, 60: 30 * 86_400, "),
        ("sqlite:///a.db?history=1d,1h:3d,1m:2d", "or in a URL history=1d,1m:30d,1h:2y"),
        ("sqlite:///a.db?history=3d,1m:2d", "must be kept at least as long as a finer one, got [259200.0, "),
        ("sqlite:///a.db?history=1d,1d:2y", "may be 7200 seconds after one of 0, as what is thinned together lasts no"),
        ("sqlite:///a.db?history=1d,1m:2d,13h:2y", "may be 43200 seconds after one of 60, as what is thinned together"),
        ("sqlite:///a.db?history=0s", "must be seconds, more than 0, got 0"),
        ("sqlite:///a.db?synchronous=", "synchronous must be 'normal' or 'full', got ''"),
        ("sqlite:///a.db?synchronous=full&synchronous=full", "an option is given twice"),
        ("sqlite:///a.db?max_bytes=1GB", "max_bytes must be a whole number of bytes, 1 or more, got '1GB'"),
        ("sqlite:///a.db?max_bytes=0", "must be at least 4194304 (4 MiB), got 0"),
        ("sqlite:///a.db#x", "a storage URL has no fragment"),
        ("sqlite:///a%00.db", "path must name a file"),
    ],
)
def test_what_cannot_work_is_refused_with_a_remedy(url: str, message: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        open_sqlite(url)

    assert message in str(caught.value)


@pytest.mark.parametrize("path", ["", ":memory:", b"obs.db", "a\x00b"])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"path must name a file|say memory://"):
        SQLiteStorage(path)


def test_the_constructor_touches_no_disk(tmp_path: Path) -> None:
    SQLiteStorage(tmp_path / "nowhere" / "obs.db")
    SQLiteStorage(tmp_path / "obs.db")

    assert list(tmp_path.iterdir()) == []


def test_the_history_is_kept_for_as_long_as_the_url_says(tmp_path: Path) -> None:
    storage = open_sqlite(f"sqlite:///{tmp_path}/a.db?history=2h,5m:1w,1h:3y")

    assert storage.default_history_retention == RetentionPolicy(max_age=3 * 365 * 86_400)
    assert [storage._tiers.age(step) for step in (0, 60, 300, 3_600)] == [7_200, 7_200, 604_800, 3 * 365 * 86_400]


@pytest.mark.parametrize("history", [[0], {0: "1d"}, {0: float("nan")}, {0.5: 1}, {}])
def test_a_history_that_cannot_work_is_refused(history: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="history"):
        SQLiteStorage("a.db", history=history)
