"""The database file on disk: made private, named by its inode, and never opened by anything but SQLite.

A process that closes *any* descriptor of a file drops all its POSIX locks on it (fcntl(2)), SQLite's included. So
nothing here opens a database that exists; ``os.stat`` is all that is needed.
"""

import contextlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from observabilipy.errors import ConfigurationError, StorageUnavailable

try:
    import fcntl
except ImportError:  # Windows has no flock: there, two first workers may meet, and SQLite's own locks decide
    fcntl = None  # type: ignore[assignment]

__all__ = ["Identity", "checked_path", "create_if_missing", "forget_wal", "identity", "is_still", "making_files"]

Identity: TypeAlias = tuple[int, int]
"""Device and inode: whether a path still names the file that was opened."""

_WAIT_SECONDS = 5.0
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
# Guards the making of a file: one thread of this process at a time, also where there is no flock.
_creation = threading.Lock()


def identity(path: Path) -> Identity | None:
    """Which file the path names now, or None when there is none to be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_still(path: Path, opened: Identity | None) -> bool:
    """Whether the path names the database that was opened.

    One that somebody emptied (``> observability.db``, copytruncate of logrotate) counts as deleted: a new file is put
    in its place. SQLite deletes the -wal of an empty file, and who has it open would go on committing into nothing.
    """
    try:
        status = path.stat()
    except OSError:
        return False
    if (status.st_dev, status.st_ino) != opened:
        return False
    if status.st_size:  # always, once a database is in WAL mode
        return True
    with contextlib.suppress(OSError), making_files(path.parent):
        _replace_emptied(Path(os.path.realpath(path)), opened)
    return False


def create_if_missing(path: Path) -> None:
    """Make an empty file that only its owner may read and write; SQLite gives -wal and -shm the same mode.

    A symbolic link to a file is followed, one that leads nowhere is refused.

    Raises:
        StorageUnavailable: it cannot be made here; the message says why and what to do.
    """
    try:
        if identity(path) is None:
            with making_files(path.parent):
                if identity(path) is None:
                    _create(path)
    except OSError as error:
        raise StorageUnavailable(f"cannot create {path}: {_reason(path, error)}") from error


def forget_wal(path: Path, wal: Identity) -> None:
    """Another file was put in the place of a database: delete the -wal that it left behind, if it is still that one.

    The newcomer would take it for its own, and be overwritten with pages of the other.
    """
    with contextlib.suppress(OSError), making_files(path.parent):
        if identity(Path(f"{path}-wal")) == wal:
            _delete_companions(path)


@contextlib.contextmanager
def making_files(directory: Path) -> Iterator[None]:
    """Let one thread of one process at a time make, rename or delete the files of databases in a directory."""
    with _creation, _directory_lock(directory):
        yield


def _create(path: Path) -> None:
    # Left behind by a database that somebody deleted. Other workers may still have them open; a new database that
    # shared their -shm would read a WAL that is not its own.
    _delete_companions(path)
    os.close(os.open(path, _FLAGS, 0o600))


def _replace_emptied(path: Path, opened: Identity | None) -> None:
    status = path.stat()
    if (status.st_dev, status.st_ino) != opened or status.st_size:
        return  # another worker was here
    _delete_companions(path)
    successor = Path(f"{path}-new")
    successor.unlink(missing_ok=True)
    os.close(os.open(successor, _FLAGS, 0o600))
    successor.chmod(stat.S_IMODE(status.st_mode))
    successor.replace(path)


def _delete_companions(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextlib.contextmanager
def _directory_lock(directory: Path) -> Iterator[None]:
    """Let one process at a time make files here, so that nobody removes the -wal of a database made a moment ago."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    give_up = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _reason(path: Path, error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return "it is a symbolic link that leads nowhere: create the file it names, or remove the link"
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not path.parent.is_dir():
        return f"there is no directory {path.parent}: create it, or choose another path"
    if isinstance(error, PermissionError):
        return f"no permission to write in {path.parent}: allow it, or choose another path"
    return error.strerror or str(error)


def checked_path(path: str | os.PathLike[str]) -> Path:
    """The path of a database, absolute.

    Raises:
        ConfigurationError: no name of a file.
    """
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\x00" in text:
        raise ConfigurationError(f"path must name a file, got {path!r}")
    if text.startswith(":memory:"):
        raise ConfigurationError(f"SQLite storage is a file, got {text!r}: to keep nothing say memory://")
    return Path(os.path.abspath(text))  # noqa: PTH100 - Path.resolve would touch the disk
