"""Aside: where a damaged database is put, so that a new one can be made in its place."""

import contextlib
import sqlite3
import time
from pathlib import Path

from observabilipy_sqlite.file import Identity, identity, making_files
from observabilipy_sqlite.schema import is_ours

__all__ = ["set_aside"]

_MOST = 3  # kept beside the database: a disk that spoils every file must not be filled with them


def set_aside(path: Path, damaged: Identity, *, known: bool) -> Path | None:
    """Rename a damaged database of ours, together with its -wal. None when it stays where it is.

    Only the very file that was found damaged is moved, by one worker; the others look at the path before their next
    transaction, and find another file. A file that may be somebody else's stays.

    Args:
        path: of the database.
        damaged: which file it was.
        known: it has been read as one of ours before. Then it needs no header that says so; but one that can be read
            and says something else keeps it in its place, too. To an older SQLite a sound file of a newer format may
            look damaged: it knows less syntax.
    """
    try:
        with making_files(path.parent):
            if identity(path) != damaged or path.is_symlink() or len(_earlier(path)) >= _MOST:
                return None
            ours = _says_it_is_ours(path)
            return _renamed(path) if ours or (known and ours is None) else None
    except OSError:
        return None


def _says_it_is_ours(path: Path) -> bool | None:
    # SQLite reads the header: opening the file by other means would drop the locks on it. Read-only: the last
    # connection that can write deletes the -wal when it is closed.
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return is_ours(connection)


def _earlier(path: Path) -> list[str]:
    prefix = f"{path.name}.corrupt-"
    names = [file.name for file in path.parent.iterdir()]
    return [name for name in names if name.startswith(prefix) and not name.endswith("-wal")]


def _renamed(path: Path) -> Path:
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = Path(f"{path}.corrupt-{moment}-{len(_earlier(path))}")  # the number: a clock may say the same time twice
    path.rename(target)
    wal = Path(f"{path}-wal")
    with contextlib.suppress(FileNotFoundError):
        if wal.stat().st_size:
            wal.rename(f"{target}-wal")
        else:  # left by whoever read the header
            wal.unlink()
    Path(f"{path}-shm").unlink(missing_ok=True)
    return target
