"""Connection: one connection to the file, and what is known of the file as long as it is on it."""

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["BUSY_SECONDS", "Connection", "connect"]

BUSY_SECONDS = 5.0
"""How long a connection waits for another one's lock before it gives up."""


class Connection(sqlite3.Connection):
    """``known_series`` are ids of series in this very file (see ``writer.Known``)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known_series: dict[tuple[Any, ...], int] = {}


def connect(path: Path) -> Connection:
    """A connection to a file that is there, for any thread."""
    # mode=rw: SQLite itself must never create the file, it would be readable by others. The timeout holds from the
    # first statement on. No isolation level: transactions are begun here, none by the module's guess.
    return sqlite3.connect(
        f"file:{quote(os.fspath(path))}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )
