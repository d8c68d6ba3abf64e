"""Refusal: what it means that SQLite refused something, for people and for the database."""

import sqlite3
from pathlib import Path

from observabilipy.errors import ObservabilityError, StorageUnavailable

__all__ = ["as_damage", "explained", "is_damage", "is_full", "is_harmless", "is_misunderstanding"]

_HARMLESS = ("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_INTERRUPT")  # a full disk must not cost the readers their connection
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_DEFECTS = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
_REMEDIES = {
    "SQLITE_BUSY": "another process holds the file for long",
    "SQLITE_FULL": "the disk is full, free some space",
    "SQLITE_READONLY": "make the file and its directory writable",
    "SQLITE_CANTOPEN": "make the file and its directory readable and writable",
    "SQLITE_IOERR": "look at the disk, it may be full or failing",
    "SQLITE_CORRUPT": "move the file away together with its -wal and -shm, a new one is made",
    "SQLITE_NOTADB": "move the file away, a new one is made",
}


def explained(path: Path, error: sqlite3.Error) -> ObservabilityError:
    """The error to raise instead, with a remedy if one is known."""
    if isinstance(error, _DEFECTS):
        return ObservabilityError(f"{path} refused a statement: {error}. This is a defect: please report it")
    name = _name(error)
    if name.startswith("SQLITE_CANTOPEN") and path.is_dir():
        return StorageUnavailable(f"cannot use {path}: it is a directory: name a file in it")
    remedy = next((f": {text}" for prefix, text in _REMEDIES.items() if name.startswith(prefix)), "")
    return StorageUnavailable(f"cannot use {path}: {error}{remedy}")


def as_damage(message: str) -> sqlite3.DatabaseError:
    """An error as SQLite's own for a damaged file."""
    damage = sqlite3.DatabaseError(message)
    damage.sqlite_errorname = "SQLITE_CORRUPT"
    return damage


def is_misunderstanding(error: sqlite3.Error) -> bool:
    """Whether SQLite does not know what a statement speaks of."""
    return _name(error) == "SQLITE_ERROR"


def is_harmless(error: sqlite3.Error) -> bool:
    """Whether the connection is as good as before."""
    return _name(error).startswith(_HARMLESS)


def is_full(error: StorageUnavailable) -> bool:
    """Whether there was no room, in the file or on the disk."""
    return _name(error.__cause__).startswith("SQLITE_FULL")


def is_damage(error: StorageUnavailable) -> bool:
    """Whether SQLite found the file damaged."""
    return _name(error.__cause__).startswith(_DAMAGED)


def _name(error: BaseException | None) -> str:
    return str(getattr(error, "sqlite_errorname", ""))
