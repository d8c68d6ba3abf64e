"""Database: one connection to the file, opened when it is needed, and again when it must be."""

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

from observabilipy import process
from observabilipy.errors import ObservabilityError, StorageRefused, StorageUnavailable
from observabilipy_sqlite import schema
from observabilipy_sqlite.aside import set_aside
from observabilipy_sqlite.cap import Evicted, bound, evict, missing_pages
from observabilipy_sqlite.connection import Connection, connect
from observabilipy_sqlite.damage import Damage
from observabilipy_sqlite.file import Identity, create_if_missing, forget_wal, identity, is_still
from observabilipy_sqlite.refusal import as_damage, explained, is_damage, is_full, is_harmless, is_misunderstanding
from observabilipy_sqlite.room import drop_ballast, hold_ballast, room_at

__all__ = ["Database"]

T = TypeVar("T")

_PATIENCE_SECONDS = 5.0
_SLICE_SECONDS = 0.1  # of giving up, then whoever called has other things to do
_DOUBT_SECONDS = 60.0  # two errors that are further apart are no evidence of a damaged file

# Connections of a parent process that could not be closed before the fork. Closing one here, or letting it be
# collected, could delete files that the parent works with, so they are kept for ever.
_INHERITED: list[sqlite3.Connection] = []


class Database:
    """Runs transactions on a connection of its own, one at a time, from any thread.

    The connection is opened at the first transaction, and anew after an error that may have broken it, after the file
    was replaced or deleted, and in a forked child.
    """

    def __init__(
        self,
        path: Path,
        synchronous: schema.Synchronous = "normal",
        max_bytes: int | None = None,
        damage: Damage | None = None,
    ) -> None:
        self.path = path
        self._synchronous = synchronous
        self._max_bytes = max_bytes
        self.damage = damage or Damage()
        self._begin_anew()
        process.watch(self)  # pauses it around forks, closes it at exit

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()  # guards the connection: one transaction at a time
        self._connection: Connection | None = None
        self._identity: Identity | None = None  # of the file that the connection is on
        self._wal: Identity | None = None  # of its -wal
        self._real_path = os.fspath(self.path)  # without symbolic links: where SQLite puts the -wal
        self._tried: Identity | None = None  # the file that was last opened, or tried to
        self._ours: Identity | None = None  # the file that was last read as one of ours
        self._doubted: tuple[Identity | None, float] | None = None  # the file that seemed damaged, and when (monotonic)
        self.damage.forget()
        self._evicted: deque[Evicted] = deque()
        self._paused = False

    def read(self, function: Callable[[Connection], T]) -> T:
        """Run a function on one consistent snapshot.

        Raises:
            StorageUnavailable: the file cannot be reached, read or written now.
        """
        with self._owned_lock():
            return self._transaction("BEGIN", function)

    def search(self, function: Callable[[Connection], T]) -> T:
        """``read`` in search of what shall be deleted: damage found here counts like damage found in writing.

        A file whose old entries cannot be read would else never be set aside, and grow without end.
        """
        try:
            return self._searched(function)
        except StorageUnavailable as error:
            if not is_damage(error):
                raise
        return self._searched(function)  # on a second connection: retention comes back too late to be evidence

    def write(self, function: Callable[[Connection], T]) -> T:
        """Run a function in a transaction that holds the write lock from its first moment.

        One that began with reading could not wait for the lock: SQLite fails it at once (SQLITE_BUSY_SNAPSHOT).

        A file at its cap gives up the oldest of what it holds until the rest fits (``evicted``); the function is then
        called again.

        Raises:
            StorageUnavailable: nothing was written; the message says why.
            ObservabilityError: not even an empty file would have room for it, or it is a defect.
        """
        with self._owned_lock():
            result = self._with_ballast(lambda: self._within_cap(function))
            if self._wal_bytes() > room_at(self.path).share:  # nobody maintains the store, or much is written
                self._is_checkpointed()  # or not: the write is done, and the next one tries again
            return result

    def keep_reserve(self) -> None:
        """Give up so much of the oldest that a file at its cap has free pages for what comes, for a tenth of a second.

        Raises:
            StorageUnavailable: see ``write``.
        """
        if self._max_bytes is None:
            return
        max_bytes, give_up = self._max_bytes, time.monotonic() + _SLICE_SECONDS
        while time.monotonic() < give_up:
            if not self.read(partial(missing_pages, max_bytes=max_bytes, grows=self._has_room())):
                return
            with self._owned_lock():
                if not self._with_ballast(lambda: self._evicts(max_bytes)):
                    return

    def evicted(self) -> Evicted:
        """What this process gave up since it was last asked, so that the file stayed below its cap."""
        together = Evicted()
        while self._evicted:
            gone = self._evicted.popleft()
            together.entries.update(gone.entries)
            together.points += gone.points
        return together

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the database, as far as no reader needs it, and see to the ballast.

        Raises:
            StorageUnavailable: see ``write``.
        """
        with self._owned_lock():
            self._with_ballast(self._copy_wal)
            hold_ballast(self.path, self._wal_bytes())

    def close(self) -> None:
        """Close the connection, unless a transaction runs for longer than anybody should wait. May be called again."""
        lock = self._owned_lock()
        if lock.acquire(timeout=_PATIENCE_SECONDS):
            try:
                self._close()
            finally:
                lock.release()

    def pause(self) -> None:
        """Before a fork: finish what runs, close, and begin nothing before ``resume``.

        SQLite keeps a list of its open files, and of the locks that it holds on them, in the memory of the process. A
        child would inherit the list without the locks, believe that it holds them, and work on while another process,
        which sees no lock, deletes the WAL under it: its commits would be lost in silence, however new its connection
        is. What is closed before the fork leaves nothing in that list.
        """
        self._paused = self._owned_lock().acquire(timeout=_PATIENCE_SECONDS)
        if self._paused:
            self._close()

    def resume(self) -> None:
        """After a fork, in the parent."""
        if self._paused:
            self._paused = False
            self._lock.release()

    def forget(self) -> None:
        """In a forked child: let go of what was inherited without closing it."""
        if self._pid != os.getpid():
            if self._connection is not None:
                _kept_for_ever(self._connection)
            self._begin_anew()

    def _owned_lock(self) -> threading.Lock:
        self.forget()
        return self._lock

    def _write(self, function: Callable[[Connection], T]) -> T:
        try:
            return self._transaction("BEGIN IMMEDIATE", lambda connection: function(self._bounded(connection)))
        except StorageUnavailable as error:
            if is_damage(error):
                self._doubt(error)
            raise

    def _bounded(self, connection: Connection) -> Connection:
        """Let the file grow up to its cap, and only while the disk has room for that.

        At every write: the pragma is the connection's, and a file that another worker's larger cap let grow has pages
        beyond ours, which may be used.
        """
        bound(connection, self._max_bytes, grows=self._has_room())
        return connection

    def _has_room(self) -> bool:
        return not room_at(self.path).is_low

    def _within_cap(self, function: Callable[[Connection], T]) -> T:
        for attempt in count():
            try:
                return self._write(function)
            except StorageUnavailable as error:
                if self._max_bytes is None or not is_full(error):
                    raise
                if not self._evicts(self._max_bytes, attempt):
                    if not self._has_room():
                        raise
                    raise ObservabilityError(
                        f"what is to be written does not fit into {self.path} with max_bytes={self._max_bytes}, even"
                        " without any older log and history: raise max_bytes, or record less at once"
                    ) from error
        raise AssertionError  # pragma: no cover - count() does not end

    def _evicts(self, max_bytes: int, attempt: int = 0) -> bool:
        gone = self._write(partial(evict, max_bytes=max_bytes, grows=self._has_room(), attempt=attempt))
        if gone:
            self._evicted.append(gone)
        return bool(gone)

    def _with_ballast(self, work: Callable[[], T]) -> T:
        """Do it; if that fails for the lack of room, once more without the ballast."""
        try:
            return work()
        except StorageUnavailable as error:
            if not self._gains_room(error):
                raise
        return work()

    def _gains_room(self, error: StorageUnavailable) -> bool:
        room = room_at(self.path)
        if not (room.is_low and (room.is_gone or is_full(error))):
            return False
        # Where the WAL can still be copied, its own blocks are room enough for what makes the database no larger.
        if (self._is_checkpointed() and not room.is_gone) or not drop_ballast(self.path):
            return False
        self._is_checkpointed()
        return True

    def _is_checkpointed(self) -> bool:
        try:
            self._copy_wal()
        except StorageUnavailable:
            return False
        return True

    def _searched(self, function: Callable[[Connection], T]) -> T:
        try:
            return self.read(function)
        except StorageUnavailable as error:
            if is_damage(error):
                with self._owned_lock():
                    self._doubt(error)
            raise

    def _doubt(self, error: StorageUnavailable) -> None:
        """A file of which two connections, one after the other, say that it is damaged is set aside.

        Only writing and deleting lead here: a page that nobody but readers need does not stop anything.
        """
        file, now = self._tried, time.monotonic()
        doubted, self._doubted = self._doubted, (file, now)
        if file is None or doubted is None or doubted[0] != file or now - doubted[1] > _DOUBT_SECONDS:
            return
        self._close()
        target = set_aside(self.path, file, known=file == self._ours)
        if target is not None:
            logging.getLogger("observabilipy").warning(
                "%s is damaged and was set aside as %s; a new one is made: %s", self.path, target.name, error.__cause__
            )

    def _transaction(self, begin: str, function: Callable[[Connection], T]) -> T:
        try:
            connection = self._current()
            connection.execute(begin)
            try:
                result = function(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                raise
            return result
        except UnicodeDecodeError as error:  # SQLite's message quotes what is damaged
            damage = as_damage(f"what it holds is no text: {error}")
            raise self._trouble(damage) from damage
        except sqlite3.Error as error:
            cause = as_damage(str(error)) if self._lacks_columns(error) else error
            raise self._trouble(cause) from cause

    def _lacks_columns(self, error: sqlite3.Error) -> bool:
        if self._connection is None or not is_misunderstanding(error):
            return False
        try:
            return schema.lacks_columns(self._connection)
        except sqlite3.Error:
            return False

    def _current(self) -> Connection:
        """The connection, on the file that the path names now."""
        if self._connection is not None and not is_still(self.path, self._identity):
            if self._wal is not None:
                forget_wal(self.path, self._wal)  # while it is open: afterwards another file may have its inode
            self._close()  # SQLite sees that the file moved, and leaves the files of the new one alone
        if self._connection is None:
            create_if_missing(self.path)
            self._tried = identity(self.path)
            self._real_path = os.path.realpath(self.path)
            self._connection = self._open()
            self._identity = self._ours = self._tried
            self._wal = identity(Path(f"{self.path}-wal"))
            if identity(self.path) != self._identity:  # its -wal may be that of another file
                self._close()
                raise StorageUnavailable(f"{self.path} was replaced while it was opened: repeat the call")
        return self._connection

    def _open(self) -> Connection:
        connection = connect(self.path)
        try:
            schema.prepare(connection, self._synchronous)
        except StorageRefused as error:
            connection.close()
            raise StorageRefused(f"cannot use {self.path}: {error}") from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _copy_wal(self) -> None:
        """Checkpoint on a second connection while the first one holds the write lock.

        No commit can then begin the WAL anew while the checkpoint runs, which is the race of the WAL reset bug
        (sqlite.org/wal.html; every SQLite before 3.51.3 has it). It is also the quickest way to a short WAL. The one
        checkpoint outside this function is SQLite's own when the last connection closes; that one holds the whole file
        exclusively, so there is no second connection to race with.
        """
        # The first one finds out whether the file was replaced, and deletes the -wal of the other before the second one
        # can take it for that of the newcomer, and copy it.
        self._transaction("BEGIN", lambda _connection: None)
        file = self._identity
        with contextlib.closing(self._second()) as second:
            # It opens its files now: beside a busy thread that takes many times five milliseconds, and others would
            # wait for the lock meanwhile.
            with contextlib.suppress(sqlite3.Error):
                second.execute("PRAGMA schema_version").fetchall()

            def copy(_locked: sqlite3.Connection) -> None:
                if self._identity == file:
                    second.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

            self._write(copy)

    def _second(self) -> Connection:
        try:
            return connect(self.path)
        except sqlite3.Error as error:  # no descriptor is left, say
            raise explained(self.path, error) from error

    def size_bytes(self) -> int:
        """Of the database and its WAL, as they are now."""
        return _file_bytes(self._real_path) + self._wal_bytes()

    def _wal_bytes(self) -> int:
        return _file_bytes(f"{self._real_path}-wal")

    def _close(self) -> None:
        connection, self._connection, self._identity = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _trouble(self, error: sqlite3.Error) -> ObservabilityError:
        """The error to raise instead, and a fresh connection next time if this one may be broken."""
        if not is_harmless(error):
            self._close()
        return explained(self.path, error)


def _file_bytes(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - runs after each commit; a Path would cost more
    except OSError:
        return 0


def _kept_for_ever(connection: sqlite3.Connection) -> None:
    _INHERITED.append(connection)
    with contextlib.suppress(ImportError, AttributeError):  # other Pythons than CPython
        import ctypes

        # One reference more than there are: the end of the interpreter empties the list, and must not close it either.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
