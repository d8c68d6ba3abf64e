"""Ring: records in a file that outlives the process, until they are committed. The side of its owner."""

import errno
import mmap
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from observabilipy.logs.file_lock import LOCKS, lock, unlock
from observabilipy.logs.ring_format import (
    RECORD,
    RING_SUFFIX,
    STATE_BYTES,
    UNBORN_SUFFIX,
    Description,
    Layout,
    State,
    bytes_of_state,
    new_head,
    next_record,
    place_of_state,
    record_at,
    record_size,
)

__all__ = ["Ring"]

_CAPACITY = 8 * 1024 * 1024
_TRIES = 10  # to make a file before somebody tidies it away
_ZEROS = 1024 * 1024
_NO_FALLOCATE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)  # a file system that cannot says one of these


class Ring:
    """A file in which payloads wait, in the order of their appends; the process may be killed at any moment.

    ``append`` is for any thread and any signal handler, without a lock; everything else is for one thread, the one that
    delivers. The file is locked for as long as this process lives: a ring whose lock is free is a leftover. Nothing is
    synced to the disk, so a power failure may tear what was appended last.

    It needs CPython with the GIL, as the counters do. Nobody else may cut the file: a store beyond its end is a SIGBUS.
    """

    __slots__ = (
        "_bound",
        "_closed",
        "_descriptor",
        "_file",
        "_head",
        "_holes",
        "_layout",
        "_path",
        "_position",
        "_read_end",
        "_sealed",
        "_state",
        "append",
    )

    append: Callable[[bytes], bool]
    """Keep a payload. False, and nothing is kept, when there is no room for it, it is longer than a quarter of the
    capacity, or the ring is closed."""

    def __init__(self, path: Path, descriptor: int, file: mmap.mmap, layout: Layout) -> None:
        """For ``create``, which knows how to make the file."""
        self._path = path
        self._descriptor = descriptor
        self._file = file
        self._layout = layout
        self._state = State(1, 0, 0, 0)
        self._position = 0
        self._read_end = 0  # from here to the position nothing was read but holes
        self._holes = 0
        self._closed = False
        self._sealed = False
        self.append, self._head, self._bound = _appending(file, layout)

    @classmethod
    def create(
        cls,
        directory: Path,
        worker_id: str,
        host: str,
        pid: int,
        base: Mapping[str, object],
        *,
        capacity: int = _CAPACITY,
    ) -> "Ring":
        """Make the ring of a worker, ``<worker id>.ring``, in a directory that is made when it is missing.

        Args:
            directory: of this machine; only this user gets access when it is made here.
            worker_id: names the file.
            host: where the worker is; for people.
            pid: which process it is; for people.
            base: attributes of every entry. What JSON does not know comes back as text.
            capacity: bytes of records, a multiple of 8. They are really allocated: on a full disk this fails, and no
                later append does.

        Raises:
            OSError: the file cannot be made, or the system has no file locks.
            ValueError: the capacity or the id cannot be had.
        """
        if not LOCKS:
            raise OSError(
                errno.ENOTSUP, 'a ring needs file locks, which this system lacks: use log_durability="memory"'
            )
        if not worker_id or Path(worker_id).name != worker_id:
            raise ValueError(f"the id of a worker names a file, got {worker_id!r}")
        head, layout = new_head(Description(worker_id, host, pid, base), capacity)
        directory.mkdir(mode=0o700, exist_ok=True)
        directory = directory.absolute()  # the process may change its own one before it closes the ring
        path = directory / f"{worker_id}{RING_SUFFIX}"
        with ExitStack() as undoing:
            unborn, descriptor = _locked_file(directory, worker_id)
            undoing.callback(os.close, descriptor)
            undoing.callback(unborn.unlink, missing_ok=True)
            _allocate(descriptor, layout.file_bytes)
            file = undoing.enter_context(mmap.mmap(descriptor, layout.file_bytes))
            file[: len(head)] = head
            _give_name(unborn, path)
            undoing.pop_all()
        return cls(path, descriptor, file, layout)

    @property
    def head(self) -> int:
        """The offset at which the next record will begin."""
        return self._head()

    @property
    def position(self) -> int:
        """The offset at which the next ``read`` begins."""
        return self._position

    @property
    def is_empty(self) -> bool:
        """Whether everything that was appended is confirmed."""
        return self._head() == self._state.tail

    @property
    def is_lost(self) -> bool:
        """Whether somebody removed the file: nobody would recover it."""
        return not self._closed and os.fstat(self._descriptor).st_nlink == 0

    @property
    def pending_bytes(self) -> int:
        """How much of the capacity is taken."""
        return self._head() - self._state.tail

    @property
    def holes(self) -> int:
        """How many places were given up by ``read(skip_holes=True)``: each lost one record, or several neighbours."""
        return self._holes

    def read(self, max_records: int, *, skip_holes: bool = False) -> list[tuple[bytes, int]]:
        """The next payloads, at most so many, each with the offset where it ends.

        It stops at a hole: a place that is taken and not written, because its thread is interrupted, or was ended. The
        next call finds it filled; ``skip_holes`` gives it up.
        """
        found: list[tuple[bytes, int]] = []
        if self._closed:
            return found
        head = self._head()
        offset = self._position
        while offset < head and len(found) < max_records:
            payload = record_at(self._file, self._layout, offset, head)
            if payload is not None:
                offset += record_size(len(payload))
                found.append((payload, offset))
            elif skip_holes:
                self._holes += 1
                offset = next_record(self._file, self._layout, offset + 8, head)
            else:
                break
        self._position = offset
        if found:
            self._read_end = found[-1][1]
        elif self._state.tail == self._read_end:  # holes alone need no batch to be passed
            self._note(offset, self._state.sequence, offset)
        return found

    def rewind(self) -> None:
        """Read once more what is not confirmed."""
        self._position = self._read_end = self._state.tail

    def intend(self, sequence: int, end: int) -> None:
        """A batch is about to be committed: it holds the records from the tail to ``end``, none if that is not beyond.

        Raises:
            ValueError: ``end`` lies beyond what was read.
        """
        if end > self._read_end:
            raise ValueError(f"a batch ends where a record ends that was read, at most at {self._read_end}, got {end}")
        self._note(self._state.tail, sequence, max(end, self._state.tail))

    def confirm(self) -> None:
        """The batch was committed, or is given up: its room is free. Nothing happens when none was intended."""
        state = self._state
        if state.intended > state.tail:
            tail = self._position if state.intended == self._read_end else state.intended
            self._note(tail, state.sequence, tail)

    def seal(self) -> None:
        """Take nothing more; what is there can be read and confirmed."""
        self._sealed = True
        self._bound(-1)

    def close(self) -> None:
        """Let go of the file: it is removed when it is empty, else whoever looks for leftovers finds it."""
        if self._closed:
            return
        self._closed = True
        self._bound(-1)
        try:
            self._file.close()
            if self.is_empty:
                self._path.unlink(missing_ok=True)
        finally:
            unlock(self._descriptor)  # also for a child that is about to execute something else
            os.close(self._descriptor)

    def abandon(self) -> None:
        """In a forked child: forget the ring, which is the parent's and stays locked."""
        if not self._closed:
            self._closed = True
            self._bound(-1)
            self._file.close()
            os.close(self._descriptor)

    def _note(self, tail: int, sequence: int, intended: int) -> None:
        state = State(self._state.version + 1, tail, sequence, intended)
        if self._closed or state[1:] == self._state[1:]:
            return
        place = place_of_state(state)
        self._file[place : place + STATE_BYTES] = bytes_of_state(state, self._layout)
        self._state = state
        self._read_end = max(self._read_end, tail)
        if not self._sealed:
            # Last: what lies beyond the noted tail's capacity is never recovered.
            self._bound(tail + self._layout.capacity)


class _Appending(NamedTuple):
    append: Callable[[bytes], bool]
    head: Callable[[], int]
    bound: Callable[[int], None]


def _appending(file: mmap.mmap, layout: Layout) -> _Appending:
    """The append of a ring, and how to ask for its head and to move its bound.

    Closures: the same as a method with attributes takes 200 ns more, and this 600 for a payload of 200 bytes.
    """
    area, area_end, capacity, mark, seed = layout.area, layout.area_end, layout.capacity, layout.mark, layout.seed
    longest = capacity // 4
    pack_into = RECORD.pack_into
    head = 0  # where the next record begins
    bound = capacity  # where it has to end

    def append(payload: bytes) -> bool:
        nonlocal head
        length = len(payload)
        if length > longest:
            return False
        checksum = crc32(payload, seed)
        size = length + 31 & -8
        # From here until the header is written CPython changes no threads and runs no signal handler, for it does that
        # only after calls and backward jumps. Two exceptions leave a hole for as long as they take: a debugger, which
        # stops at each line, so the place is checked and taken in one; and on 3.11 the garbage collector, when it runs
        # for a slice. 24 is the header's length, and 31 rounds up with it.
        head = end = (start := head) + (size if head + size <= bound else 0)
        if end == start:
            return False
        place = area + start % capacity
        begin = place + 24
        stop = begin + length
        if stop <= area_end:
            file[begin:stop] = payload
        elif begin >= area_end:
            file[begin - capacity : stop - capacity] = payload
        else:
            file[begin:area_end] = payload[: area_end - begin]
            file[area : stop - capacity] = payload[area_end - begin :]
        pack_into(file, place, start, length, checksum ^ start & 0xFFFFFFFF, mark)
        return True

    def move_bound(offset: int) -> None:
        nonlocal bound
        bound = offset

    return _Appending(append, lambda: head, move_bound)


def _locked_file(directory: Path, worker_id: str) -> tuple[Path, int]:
    """A new file, locked, under a name that does not count as a ring.

    Between making and locking it, somebody may take it for one whose maker was killed, and remove it.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(_TRIES):
        path = directory / f"{worker_id}.{os.urandom(4).hex()}{UNBORN_SUFFIX}"
        with ExitStack() as undoing:
            descriptor = os.open(path, flags, 0o600)
            undoing.callback(os.close, descriptor)
            undoing.callback(path.unlink, missing_ok=True)
            if lock(descriptor) and os.fstat(descriptor).st_nlink:
                undoing.pop_all()
                return path, descriptor
    raise OSError(errno.EAGAIN, "somebody removes or locks each new file: look who else works there", str(directory))


def _allocate(descriptor: int, size: int) -> None:
    """Give the file its blocks now. A store into a mapping that has none, on a full disk, kills the process."""
    if hasattr(os, "posix_fallocate"):
        try:
            return os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in _NO_FALLOCATE:
                raise
    while size:
        size -= os.write(descriptor, bytes(min(size, _ZEROS)))
    return None


def _give_name(unborn: Path, path: Path) -> None:
    """From now on it is a ring: whole, and locked.

    Not by a link, which FAT and some containers' mounts do not know. The look before is enough: ids are random.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, "this worker has a ring already: draw another id", str(path))
    unborn.rename(path)
