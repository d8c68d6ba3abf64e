"""Room: when a database stops growing, and its ballast."""

import stat
from pathlib import Path

import pytest

from observabilipy.models import LogEntry
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite import room as room_module
from observabilipy_sqlite.room import Room, drop_ballast, hold_ballast, room_at

_MIB = 2**20
_GIB = 2**30


@pytest.mark.parametrize(
    ("free", "total", "expected"),
    [
        (100 * _GIB, 200 * _GIB, (8 * _MIB, False, False)),
        (24 * _MIB, 200 * _GIB, (8 * _MIB, False, False)),
        (24 * _MIB - 1, 200 * _GIB, (8 * _MIB, True, False)),
        (128 * 1024 - 1, 200 * _GIB, (8 * _MIB, True, True)),
        (4 * _MIB, 32 * _MIB, (2 * _MIB, True, False)),
        (0, 32 * _MIB, (2 * _MIB, True, True)),
    ],
)
def test_what_is_low_and_what_is_gone_depends_on_the_disk(
    free: int, total: int, expected: tuple[int, bool, bool]
) -> None:
    room = Room(free, total)

    assert (room.share, room.is_low, room.is_gone) == expected


def test_a_ballast_is_as_large_as_the_wal_within_bounds() -> None:
    room = Room(100 * _GIB, 200 * _GIB)

    assert [room.ballast(size) // _MIB for size in (0, 5 * _MIB, 100 * _MIB)] == [1, 5, 16]


def test_the_room_of_a_file_that_is_not_there_is_plenty(tmp_path: Path) -> None:
    room = room_at(tmp_path / "obs.db")

    assert (room.is_low, room.is_gone) == (False, False)


def test_a_ballast_is_private_grows_with_the_wal_and_is_dropped_once(tmp_path: Path) -> None:
    ballast = tmp_path / "obs.db-ballast"
    (tmp_path / "obs.db").touch()
    hold_ballast(tmp_path / "obs.db", 0)
    first = (ballast.stat().st_size, stat.S_IMODE(ballast.stat().st_mode))
    hold_ballast(tmp_path / "obs.db", 3 * _MIB)
    second = ballast.stat().st_size
    hold_ballast(tmp_path / "obs.db", 0)
    third = ballast.stat().st_size
    dropped = [drop_ballast(tmp_path / "obs.db"), drop_ballast(tmp_path / "obs.db")]

    assert (first, second, third, dropped) == ((_MIB, 0o600), 3 * _MIB, 3 * _MIB, [True, False])


def test_where_there_is_little_room_no_ballast_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "room_at", lambda path: Room(24 * _MIB, _GIB))
    hold_ballast(tmp_path / "obs.db", 0)

    assert list(tmp_path.iterdir()) == []


def test_a_store_holds_a_ballast_once_it_is_maintained(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    storage.commit(Batch(Worker("a"), 1, (LogEntry(1_800_000_000.0, "INFO", "x"),)))
    storage.maintain()
    storage.close()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["obs.db", "obs.db-ballast"]


async def test_a_database_does_not_grow_while_the_disk_has_little_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    large = [LogEntry(1_800_000_000.0, "INFO", "x" * 100_000)]
    await storage.write_logs(large * 5)
    monkeypatch.setattr("observabilipy_sqlite.database.room_at", lambda path: Room(_MIB, _GIB))
    with pytest.raises(Exception, match="the disk is full, free some space"):
        await storage.write_logs(large)
    await storage.delete_oldest_logs(2)  # what is deleted makes room within the file
    await storage.write_logs(large)
    monkeypatch.undo()
    await storage.write_logs(large * 5)
    facts = await storage.log_facts()
    await storage.aclose()

    assert facts.levels["INFO"].count == 9


def test_the_ballast_of_a_linked_database_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "real.db").touch()
    (tmp_path / "obs.db").symlink_to("disk/real.db")
    hold_ballast(tmp_path / "obs.db", 0)

    assert sorted(file.name for file in (tmp_path / "disk").iterdir()) == ["real.db", "real.db-ballast"]


def test_the_wal_of_a_linked_database_is_copied_when_it_is_large(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "real.db").touch()
    (tmp_path / "obs.db").symlink_to("disk/real.db")
    storage = SQLiteStorage(tmp_path / "obs.db")
    large = LogEntry(1_800_000_000.0, "INFO", "x" * 100_000)
    storage.commit(Batch(Worker("a"), 1, (large,) * 100))
    copied = (tmp_path / "disk" / "real.db").stat().st_size
    storage.close()

    assert copied > 100 * 100_000
