"""``open_sqlite``: what storage URLs say, and what is refused."""

from pathlib import Path

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
        ("sqlite:///a.db?sync=full", "unknown option 'sync' in 'sqlite:///a.db?sync=full': there are max_bytes and"),
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
