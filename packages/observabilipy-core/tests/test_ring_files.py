"""The file of a ring: how it is made, and what becomes of it."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from observabilipy.logs import ring as ring_module
from observabilipy.logs.ring import Ring


def make(directory: Path, capacity: int = 256) -> Ring:
    return Ring.create(directory, "w1", "host", 1, {}, capacity=capacity)


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_closing_an_empty_ring_removes_it(tmp_path: Path) -> None:
    ring = make(tmp_path)
    ring.append(b"12345678")
    ring.read(1)
    ring.intend(1, 32)
    ring.confirm()
    ring.close()

    assert list(tmp_path.iterdir()) == []


def test_closing_leaves_a_ring_that_is_not_empty(tmp_path: Path) -> None:
    ring = make(tmp_path)
    ring.append(b"12345678")
    ring.read(1)
    ring.close()

    assert list(tmp_path.iterdir()) == [tmp_path / "w1.ring"]


def test_a_closed_ring_refuses_and_keeps_quiet(tmp_path: Path) -> None:
    ring = make(tmp_path)
    ring.append(b"12345678")
    ring.read(1)
    ring.intend(1, 32)
    ring.close()
    left = (tmp_path / "w1.ring").read_bytes()
    ring.confirm()
    ring.close()
    ring.abandon()

    assert (ring.append(b"more"), ring.read(1)) == (False, [])
    assert (tmp_path / "w1.ring").read_bytes() == left


def test_making_a_ring_keeps_others_out_and_leaves_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "rings"
    make(directory, 1 << 20)
    about = (directory / "w1.ring").stat()

    assert [oct(stat.S_IMODE(mode)) for mode in (directory.stat().st_mode, about.st_mode)] == ["0o700", "0o600"]
    assert list(directory.iterdir()) == [directory / "w1.ring"]


@pytest.mark.parametrize("can_allocate", ["yes", "not here", "not on this system"])
def test_a_ring_has_all_of_its_blocks_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_allocate: str
) -> None:
    def cannot(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "as NFS says")

    if can_allocate == "not here":
        monkeypatch.setattr(os, "posix_fallocate", cannot, raising=False)
    elif can_allocate == "not on this system":
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    ring = make(tmp_path, 3 << 20)
    about = (tmp_path / "w1.ring").stat()

    assert (about.st_size, about.st_blocks * 512 >= about.st_size) == (ring._layout.file_bytes, True)
    assert (ring.append(b"works"), ring.read(1)) == (True, [(b"works", 32)])


@pytest.mark.parametrize("what_is_there", ["a ring", "a link"])
def test_a_name_that_is_taken_is_refused(tmp_path: Path, what_is_there: str) -> None:
    directory = tmp_path / "rings"
    directory.mkdir()
    if what_is_there == "a ring":
        first = make(directory)
        first.append(b"kept")
    else:
        (directory / "w1.ring").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError, match="this worker has a ring already: draw another id"):
        make(directory)
    assert (len(list(directory.iterdir())), (tmp_path / "elsewhere").exists()) == (1, False)


@pytest.mark.parametrize("disturbed", ["removed", "locked"])
def test_a_file_that_is_tidied_away_while_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disturbed: str
) -> None:
    flock = fcntl.flock
    disturb = iter([True])

    def disturbed_flock(descriptor: int, operation: int) -> None:
        if next(disturb, False):
            (unborn,) = tmp_path.iterdir()
            if disturbed == "locked":
                raise BlockingIOError
            unborn.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", disturbed_flock)
    ring = make(tmp_path)

    assert (ring.append(b"one"), list(tmp_path.iterdir())) == (True, [tmp_path / "w1.ring"])


def test_a_ring_whose_file_is_always_tidied_away_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: int) -> None:
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", busy)
    before = open_descriptors()
    with pytest.raises(OSError, match="somebody removes or locks each new file"):
        make(tmp_path)

    assert (list(tmp_path.iterdir()), open_descriptors()) == ([], before)


def test_a_ring_that_cannot_be_made_leaves_neither_file_nor_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    before = open_descriptors()
    with pytest.raises(OSError, match="No space left"):
        make(tmp_path)

    assert (list(tmp_path.iterdir()), open_descriptors()) == ([], before)


def test_closing_and_abandoning_let_go_of_every_descriptor(tmp_path: Path) -> None:
    before = open_descriptors()
    make(tmp_path).close()
    make(tmp_path).abandon()

    assert open_descriptors() == before


@pytest.mark.parametrize("capacity", [0, 56, 100])
def test_a_capacity_that_cannot_be_had_is_named(tmp_path: Path, capacity: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of 8 and at least 64 bytes, got {capacity}$"):
        make(tmp_path, capacity)


@pytest.mark.parametrize("worker_id", ["", "../elsewhere", "a/b"])
def test_an_id_that_names_no_file_is_refused(tmp_path: Path, worker_id: str) -> None:
    with pytest.raises(ValueError, match="the id of a worker names a file, got"):
        Ring.create(tmp_path / "rings", worker_id, "host", 1, {})


def test_without_file_locks_there_is_no_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "LOCKS", False)

    with pytest.raises(OSError, match='needs file locks, which this system lacks: use log_durability="memory"'):
        make(tmp_path)
