"""Leftover: a ring whose process is gone, and what lies in it."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from observabilipy.logs.file_lock import LOCKS, lock, unlock
from observabilipy.logs.ring_format import (
    FIRST_PAGE,
    RING_SUFFIX,
    UNBORN_SUFFIX,
    area_begin,
    latest_state,
    read_head,
    record_size,
    records,
)

__all__ = ["REST", "Leftover", "leftovers"]

REST = 1 << 32
"""Batches that the dead process did not begin have numbers from its last plus this: beyond all it can have used itself
for batches without entries, of which the ring does not know."""


class Leftover:
    """The ring of a dead process, claimed: nobody else recovers it until it is removed or released.

    Use it in a ``with`` statement, which releases it. Reading never changes the file.
    """

    __slots__ = ("_description", "_descriptor", "_holes", "_layout", "_path", "_state")

    def __init__(self, path: Path, descriptor: int) -> None:
        """Of a file that is locked.

        Raises:
            OSError, ValueError: it cannot be read, or holds something else.
        """
        head = _read(descriptor, area_begin(_read(descriptor, FIRST_PAGE)))
        self._layout, self._description = read_head(head)
        self._state = latest_state(head, self._layout)
        self._path = path
        self._descriptor: int | None = descriptor
        self._holes = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def worker_id(self) -> str:
        """In whose name the batches are committed."""
        return self._description.worker_id

    @property
    def host(self) -> str:
        """Where it was."""
        return self._description.host

    @property
    def pid(self) -> int:
        """Which process it was."""
        return self._description.pid

    @property
    def base(self) -> Mapping[str, object]:
        """Attributes of every entry."""
        return self._description.base

    @property
    def holes(self) -> int:
        """How many places between or before whole records hold none, once ``batches`` was read to its end."""
        return self._holes

    def batches(self, max_records: int) -> Iterator[tuple[int, list[bytes]]]:
        """The payloads that may not be committed yet, as batches with their sequence numbers.

        First the batch that was under way when the process died, if there was one, under its own number; then the rest.
        The same file gives the same batches as long as ``max_records`` is the same, so a store that has some of them
        recognises them.

        Raises:
            OSError: the file cannot be read.
        """
        _, tail, sequence, intended = self._state
        found = self._records(tail)
        begun = [payload for offset, payload in found if offset < intended]
        if begun:
            yield sequence, begun
        rest = [payload for offset, payload in found if offset >= intended]
        for number, begin in enumerate(range(0, len(rest), max_records), 1):
            yield sequence + REST + number, rest[begin : begin + max_records]

    def remove(self) -> None:
        """Everything is stored: remove the file, and release it.

        Raises:
            OSError: it cannot be removed.
        """
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            self.release()

    def release(self) -> None:
        """Leave the file as it is: whoever looks for leftovers finds it again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            unlock(descriptor)  # also for a child that was forked meanwhile
            os.close(descriptor)

    def __enter__(self) -> "Leftover":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _records(self, tail: int) -> list[tuple[int, bytes]]:
        if self._descriptor is None:
            return []
        file = _read(self._descriptor, self._layout.file_bytes)
        found = list(records(file, self._layout, tail, tail + self._layout.capacity))
        ends = [tail, *(offset + record_size(len(payload)) for offset, payload in found)]
        self._holes = sum(offset != end for (offset, _), end in zip(found, ends, strict=False))
        return found


def leftovers(directory: Path, report: Callable[[Exception], object] | None = None) -> Iterator[Leftover]:
    """Claim the rings in this directory whose owners are gone, one after another, in the order of their names.

    Rings of the living are passed over, and so is one that somebody else recovers. Other files do not count, but what
    is left of a ring whose maker was killed is removed.

    Args:
        directory: need not be there.
        report: told why a ring of the dead cannot be recovered: it belongs to another user, cannot be read, or is
            damaged. It is left alone.
    """
    if not LOCKS:
        return
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208 - names alone, in half the time of paths
    except FileNotFoundError:
        return
    except OSError as error:
        _tell(report, error)
        return
    for name in names:
        if not name.endswith((RING_SUFFIX, UNBORN_SUFFIX)):
            continue
        path = directory / name
        try:
            leftover = _leftover(path)
        except (OSError, ValueError) as error:
            _tell(report, error)
            continue
        if leftover is not None:
            yield leftover


def _tell(report: Callable[[Exception], object] | None, error: Exception) -> None:
    if report is not None:
        report(error)


def _leftover(path: Path) -> Leftover | None:
    descriptor = _claim(path)
    if descriptor is None:
        return None
    try:
        if path.name.endswith(RING_SUFFIX):
            return Leftover(path, descriptor)
        path.unlink(missing_ok=True)
    except ValueError as error:
        _release(descriptor)
        raise ValueError(f"cannot recover {path}: {error}") from error
    except BaseException:
        _release(descriptor)
        raise
    _release(descriptor)
    return None


def _release(descriptor: int) -> None:
    unlock(descriptor)
    os.close(descriptor)


def _claim(path: Path) -> int | None:
    """The locked file; None when its owner lives, or it is gone.

    Whoever had the lock may have removed the file before letting go, so the name is looked at once more.
    """
    try:
        # Non-blocking: opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    claimed = False
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"cannot recover {path}: it is no file; remove it")
        if about.st_uid != os.geteuid():
            raise ValueError(
                f"cannot recover {path}: it belongs to user {about.st_uid} and this is user {os.geteuid()}:"
                " run as that user, or remove the file"
            )
        claimed = lock(descriptor) and _is_still_at(path, about)
    finally:
        if not claimed:
            os.close(descriptor)
    return descriptor if claimed else None


def _is_still_at(path: Path, about: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), about)
    except FileNotFoundError:
        return False


def _read(descriptor: int, size: int) -> bytes:
    """The first so many bytes of a file, or all that it has."""
    pieces = []
    offset = 0
    while offset < size:
        piece = os.pread(descriptor, size - offset, offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)
