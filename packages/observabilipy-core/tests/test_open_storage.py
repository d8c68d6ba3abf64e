"""open_storage: URLs, entry points, and what it says when there is no storage."""

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from observabilipy.errors import ConfigurationError, StorageNotInstalled
from observabilipy.models import LogEntry, LogQuery, RetentionPolicy
from observabilipy.storage import MemoryStorage, open_storage


@pytest.fixture
def no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """No distribution says anything about itself."""
    monkeypatch.setattr("sys.path", [])


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package whose storage answers to ``odd://``, and nothing else."""
    (tmp_path / "odd_storage.py").write_text(
        "from observabilipy.storage import MemoryStorage\n\n\n"
        "def open_odd(url):\n    return MemoryStorage(max_entries=len(url))\n",
        encoding="utf-8",
    )
    info = tmp_path / "odd_storage-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-storage\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[observabilipy.storage]\nodd = odd_storage:open_odd\n", encoding="utf-8")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    yield
    sys.modules.pop("odd_storage", None)


def test_memory_is_bounded() -> None:
    storage = open_storage("memory://")

    assert isinstance(storage, MemoryStorage)
    assert storage.default_log_retention == RetentionPolicy(max_count=10_000, max_bytes=16 * 1024 * 1024)


def test_ring_takes_its_numbers_from_the_url() -> None:
    storage = open_storage("ring://?entries=50&samples=60")

    assert (storage.default_log_retention, storage.default_history_retention) == (
        RetentionPolicy(max_count=50),
        RetentionPolicy(max_count=60),
    )


async def test_ring_keeps_as_many_entries_as_it_was_told() -> None:
    storage = open_storage("ring://?entries=2")
    await storage.write_logs([LogEntry.info(name) for name in "abc"])

    assert [entry.message async for entry in storage.read_logs(LogQuery())] == ["b", "c"]


@pytest.mark.usefixtures("no_metadata")
@pytest.mark.parametrize("url", ["memory://", "ring://", "ring://?entries=1"])
def test_memory_and_ring_open_without_package_metadata(url: str) -> None:
    assert isinstance(open_storage(url), MemoryStorage)


def test_core_declares_its_own_storages_as_entry_points() -> None:
    points = {point.name: point.load() for point in metadata.entry_points(group="observabilipy.storage")}

    assert isinstance(points["memory"]("memory://"), MemoryStorage)
    assert isinstance(points["ring"]("ring://"), MemoryStorage)


@pytest.mark.usefixtures("other_package")
def test_another_package_joins_by_an_entry_point() -> None:
    storage = open_storage("odd://twelve")

    assert storage.default_log_retention == RetentionPolicy(max_count=12, max_bytes=16 * 1024 * 1024)


@pytest.mark.usefixtures("no_metadata")
def test_a_missing_adapter_is_answered_with_the_install_command() -> None:
    with pytest.raises(StorageNotInstalled) as caught:
        open_storage("sqlite:///observability.db")

    assert str(caught.value) == 'no storage adapter for "sqlite://": pip install observabilipy-sqlite'


@pytest.mark.usefixtures("other_package")
def test_an_unknown_scheme_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_storage("redis://user:secret@host/0")

    assert str(caught.value) == ('no storage adapter for "redis://": use one of memory://, odd://, ring://, sqlite://')


@pytest.mark.parametrize("url", ["observability.db", "/var/lib/observability.db", "", "://", "sqlite:/x.db", None, 7])
def test_what_is_no_url_is_answered_with_an_example(url: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_storage(url)  # type: ignore[arg-type] # the mistake under test

    assert str(caught.value) == (
        f"a storage URL looks like 'sqlite:///observability.db' or 'memory://', got {url!r}:"
        " for a file write three slashes before its path"
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://?entries=5", "memory:// knows no option 'entries': write memory:// alone, or ring://?entries=N"),
        ("ring://?sizes=5", "ring:// knows no option 'sizes': write ring://?entries=N&samples=M"),
        ("ring://?entries", "entries of ring:// must be a whole number from 1 to 999999999999, got ''"),
        ("ring://?entries=0", "entries of ring:// must be a whole number from 1 to 999999999999, got '0'"),
        ("ring://?entries=-3", "entries of ring:// must be a whole number from 1 to 999999999999, got '-3'"),
        ("ring://?samples=1e3", "samples of ring:// must be a whole number from 1 to 999999999999, got '1e3'"),
        ("ring://?samples=٣", "samples of ring:// must be a whole number from 1 to 999999999999, got '٣'"),
        (
            "ring://?entries=" + "9" * 5_000,
            "entries of ring:// must be a whole number from 1 to 999999999999, got '9",
        ),
        ("ring://?entries=1&entries=2", "an option of ring:// may be given once, got"),
        ("ring://5", "ring:// has no host and no path, got 'ring://5': to keep things in a file write sqlite:///"),
        ("memory://localhost", "memory:// has no host and no path, got 'memory://localhost': to keep"),
        ("memory:///file.db", "memory:// has no host and no path, got 'memory:///file.db': to keep"),
        ("memory://#here", "memory:// has no host and no path, got 'memory://#here': to keep"),
        ("memory://[", "memory:// has no host and no path, got 'memory://[': to keep"),
    ],
)
def test_a_url_that_says_too_much_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_storage(url)

    assert str(caught.value).startswith(message)
