"""The embedded default storage of observabilipy: one SQLite file, shared by all workers."""

from observabilipy_sqlite.storage import SQLiteStorage
from observabilipy_sqlite.url import open_sqlite

__all__ = ["SQLiteStorage", "open_sqlite"]
