"""Room: what the disk has left, when the database stops growing, and the ballast that is dropped when nothing is left.

A full disk cannot be cured by deleting. Deletions are written to the WAL first, as everything is, and a WAL that holds
pages for which the database has no room is never begun anew: neither commits nor deletions go on. So the database stops
growing while there is some room, and where others have filled the disk, a file beside it, the ballast, is deleted: its
blocks are for those pages, and for what retention writes in order to delete.
"""

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Room", "drop_ballast", "hold_ballast", "room_at"]

_MIB = 1024 * 1024
_LARGEST_SHARE = 8 * _MIB
_SHARE = 16  # of a small disk one part in so many is what else is 8 MiB
_GONE_BYTES = 128 * 1024  # some file systems give their last blocks to nobody


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of a file system, free ones and all."""

    free: int
    total: int

    @property
    def share(self) -> int:
        """The measure of all others: bytes of WAL after which it is copied into the database at once."""
        return min(_LARGEST_SHARE, self.total // _SHARE)

    @property
    def is_low(self) -> bool:
        """The database shall not grow. A ballast that is dropped does not end that, or new entries would eat it up."""
        return self.free < 3 * self.share

    @property
    def is_gone(self) -> bool:
        """Nothing can be written any more."""
        return self.free < min(_GONE_BYTES, self.share)

    def ballast(self, wal_bytes: int) -> int:
        """How many bytes of ballast to hold beside a WAL: what it holds, and a step of deleting, fit into as many."""
        return min(max(_MIB, wal_bytes), 2 * self.share)


_PLENTY = Room(2**62, 2**62)


def room_at(path: Path) -> Room:
    """The room of the file system that a file is on; plenty where that cannot be told, and when there is no file."""
    try:
        known = os.statvfs(path)
    except (AttributeError, OSError):  # Windows has no statvfs
        return _PLENTY
    total = known.f_blocks * known.f_frsize
    return Room(known.f_bavail * known.f_frsize, total) if total > 0 else _PLENTY


def hold_ballast(path: Path, wal_bytes: int) -> None:
    """Have a ballast beside a database, as far as there is room for one."""
    room = room_at(path)
    size = room.ballast(wal_bytes)
    ballast = _ballast(path)
    with contextlib.suppress(OSError):
        missing = size - (ballast.stat().st_size if ballast.exists() else 0)
        if 0 < missing < room.free - 3 * room.share:
            _allocate(ballast, size)


def drop_ballast(path: Path) -> bool:
    """Let go of the ballast of a database. False when there was none."""
    try:
        _ballast(path).unlink()
    except OSError:
        return False
    return True


def _allocate(ballast: Path, size: int) -> None:
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if not _allocated(descriptor, size):
            os.write(descriptor, bytes(size))
    except OSError:
        ballast.unlink()
        raise
    finally:
        os.close(descriptor)


def _allocated(descriptor: int, size: int) -> bool:
    """Whether the blocks could be had without writing them: not on macOS, nor on every file system."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        return False
    return True


def _ballast(path: Path) -> Path:
    return Path(f"{path.resolve()}-ballast")  # beside the file, not beside a link to it
