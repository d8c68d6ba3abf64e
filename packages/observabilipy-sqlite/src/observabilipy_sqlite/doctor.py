"""Doctor: the condition of a database file, found without changing it.

The file is never opened by anything but SQLite, see ``file``; and by SQLite only to be read.
"""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from observabilipy.errors import ConfigurationError
from observabilipy.findings import Finding
from observabilipy_sqlite import schema
from observabilipy_sqlite.connection import BUSY_SECONDS
from observabilipy_sqlite.room import room_at

__all__ = ["findings"]

_MEGABYTE = 1_000_000
_LONG_WAL = 64 * _MEGABYTE  # a service that checkpoints every few seconds has a few megabytes
_MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "davfs", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)
_NETWORK_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.nfs")


def findings(path: Path) -> Iterator[Finding]:
    """Look at the library, the place, the permissions, the header, the integrity and the WAL of a database."""
    yield _library()
    try:
        status = path.stat()
    except OSError as error:
        yield Finding(
            "file", "trouble", f"{path} cannot be seen: {error.strerror}", "name another file, or record first"
        )
        return
    yield from _permissions(path, status)
    yield _file_system(path)
    yield _room(path)
    yield from _contents(path)
    yield _wal(path)
    yield from _leftovers(path)


def _library() -> Finding:
    try:
        schema.check_library()
    except ConfigurationError as error:
        told, _, remedy = str(error).partition(": ")
        return Finding("SQLite", "trouble", told, remedy)
    return Finding("SQLite", "ok", f"version {sqlite3.sqlite_version}")


def _permissions(path: Path, status: os.stat_result) -> Iterator[Finding]:
    mode = stat.S_IMODE(status.st_mode)
    told = f"{path.name} has mode {mode:04o}"
    if mode & 0o007:
        yield Finding("permissions", "trouble", f"{told}: everybody on this machine may use it", f"chmod 600 {path}")
    elif mode & 0o070:
        yield Finding("permissions", "note", f"{told}: its group may use it", f"chmod 600 {path} if that is not meant")
    else:
        yield Finding("permissions", "ok", told)
    for name, target in (("file", path), ("directory", path.parent)):
        if not os.access(target, os.R_OK | os.W_OK):
            yield Finding(
                "permissions",
                "trouble",
                f"this user may not write the {name} {target}, and SQLite needs to, readers included",
                f"run as the user of the service (uid {status.st_uid}), or give this one the right to write",
            )


def _file_system(path: Path) -> Finding:
    kind = _kind_of_file_system(path)
    if kind is None:
        return Finding("file system", "note", "its kind cannot be told here", "keep the file on a disk of this machine")
    if kind in _NETWORK or kind.startswith(_NETWORK_FUSE):
        return Finding(
            "file system",
            "trouble",
            f"{kind} is a network file system: SQLite's locks do not work there, and files get damaged",
            "put the file on a disk of this machine",
        )
    return Finding("file system", "ok", kind)


def _kind_of_file_system(path: Path) -> str | None:
    """That of the innermost mount; None where the system does not list them."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    real = os.path.realpath(path)
    found: tuple[str, str | None] = ("", None)
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        point = point.encode("utf-8", "surrogateescape").decode("unicode_escape") if "\\" in point else point
        if len(point) >= len(found[0]) and (real == point or real.startswith(point.rstrip("/") + "/")):
            found = point, kind
    return found[1]


def _room(path: Path) -> Finding:
    room = room_at(path)
    told = f"{room.free // _MEGABYTE} MB are free"
    if room.is_gone or room.is_low:
        return Finding("disk", "trouble", f"{told}: the file does not grow any more", "free some space")
    return Finding("disk", "ok", told)


def _contents(path: Path) -> Iterator[Finding]:
    try:
        with contextlib.closing(_read_only(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            ours = schema.is_ours(connection)
        said = f"version {version // 1_000}.{version % 1_000}"
        if ours:
            yield Finding("schema", "ok", said)
        else:
            told = f"it is a database of another program, or of another version of this one (it says {said})"
            yield Finding("schema", "trouble", told, "use the version that wrote it, or name another file")
        with contextlib.closing(_read_only(path)) as connection:
            yield _integrity(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        yield _unreadable(error)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)


def _integrity(connection: sqlite3.Connection) -> Finding:
    wrong = [text for (text,) in connection.execute("PRAGMA integrity_check(3)")]
    if wrong == ["ok"]:
        return Finding("integrity", "ok", "every page was read")
    return Finding("integrity", "trouble", "; ".join(wrong).replace("\n", " "), _REPAIR)


_REPAIR = "stop the service, copy the file, save what can be read with 'observabilipy export', and begin a new file"


def _unreadable(error: Exception) -> Finding:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return Finding(
            "integrity", "note", f"it cannot be read by this user: {error}", "run as the user of the service"
        )
    if name.startswith("SQLITE_BUSY"):
        return Finding("integrity", "note", "another process holds the file", "ask again")
    return Finding("integrity", "trouble", str(error), _REPAIR)


def _wal(path: Path) -> Finding:
    try:
        size = Path(f"{os.path.realpath(path)}-wal").stat().st_size
    except OSError:
        size = 0
    told = f"{size / _MEGABYTE:.1f} MB wait in the WAL"
    if size <= _LONG_WAL:
        return Finding("WAL", "ok", told)
    remedy = "look for a process that reads without end, or keeps the file open while no service maintains it"
    return Finding("WAL", "trouble", f"{told}: nobody copies it into the database", remedy)


def _leftovers(path: Path) -> Iterator[Finding]:
    """Damaged files that were set aside."""
    try:
        names = sorted(file.name for file in path.parent.iterdir() if file.name.startswith(f"{path.name}.corrupt-"))
    except OSError:
        return
    if names:
        yield Finding(
            "set aside",
            "note",
            f"damaged before: {', '.join(names)}",
            "look into them, then delete them; at most 3 are kept",
        )
