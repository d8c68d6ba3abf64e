"""This process: what lives in it, and what forks, SIGTERM and its end do to that.

Runtimes come before the files that storages hold open, so that they find them open for what they still have to write.
A runtime sleeps until the first record. Hot paths look at ``asleep`` and nothing else: the name is read from this
module in a few nanoseconds, and is True only before the first record and after a fork.
"""

import atexit
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Protocol

__all__ = [
    "Lasting",
    "Sleeper",
    "asleep",
    "close_on_sigterm",
    "dismiss",
    "enrol",
    "finishing",
    "is_child",
    "no_fork",
    "sleep",
    "wake",
    "watch",
]

asleep = True
"""True when a runtime of this process may have no thread, so that the next record has to wake it."""


class Sleeper(Protocol):
    """What this module does to a runtime."""

    def wake(self) -> None:
        """Start the thread if there is none."""

    def pause(self, timeout: float) -> None:
        """Write out what there is and end the thread, within so many seconds."""

    def has_news(self) -> bool:
        """Whether records wait for a thread."""

    def begin_anew(self) -> None:
        """This is a forked child: forget what belongs to the parent."""

    def close(self) -> None:
        """Write out what there is and end for good."""


class Lasting(Protocol):
    """What this module does to something that holds a file open."""

    def pause(self) -> None:
        """A fork comes: finish what runs, close, and begin nothing before ``resume``."""

    def resume(self) -> None:
        """After the fork, in the parent: go on."""

    def forget(self) -> None:
        """After the fork, in the child: let go of what was inherited, without closing it."""

    def close(self) -> None:
        """The process ends."""


# Copied by list() before each walk, which is one step for CPython: any thread may add to them.
_living: set[Sleeper] = set()
_watched: "dict[int, weakref.ref[Lasting]]" = {}
_paused: list[Lasting] = []
_forking = threading.RLock()  # guards _paused, from before a fork until after it: one thread forks at a time
_FORK_PATIENCE = 0.25  # seconds a fork may wait for a commit under way; then it goes on beside the thread
_forked = _hooked = _finalized = False


def enrol(sleeper: Sleeper) -> None:
    """A runtime was made: wake it at the next record, and close it when the process ends."""
    _install_hooks()
    _living.add(sleeper)
    sleep()


def dismiss(sleeper: Sleeper) -> None:
    """A runtime was closed."""
    _living.discard(sleeper)


def watch(lasting: Lasting) -> None:
    """Pause it around forks, and close it at exit, for as long as anybody else refers to it."""
    _install_hooks()
    key = id(lasting)
    _watched[key] = weakref.ref(lasting, lambda _: _watched.pop(key, None))


def wake() -> None:
    """Start every runtime of this process that has no thread."""
    global asleep  # noqa: PLW0603 - one flag for the whole process is the point of this module
    asleep = False  # first: what starts a thread may record, too
    _finalize_in_worker()
    for sleeper in list(_living):
        sleeper.wake()


def sleep() -> None:
    """A runtime rests: the next record wakes it."""
    global asleep  # noqa: PLW0603 - see wake
    asleep = True


def is_child() -> bool:
    """True in a process that was forked from one of ours, or started by multiprocessing, as uvicorn's workers are."""
    return _forked or _by_multiprocessing()


@contextmanager
def no_fork() -> Iterator[None]:
    """Forks by other threads wait until this block is over. For moments that a child could not bear to inherit."""
    with _forking:
        yield


def _by_multiprocessing() -> bool:
    started_by = sys.modules.get("multiprocessing.process")
    return started_by is not None and started_by.parent_process() is not None


def _finalize_in_worker() -> None:
    """Processes of multiprocessing leave by ``os._exit``, past atexit; they run finalizers of their own instead.

    It cannot be done at the fork: multiprocessing empties the list of finalizers once more afterwards.
    """
    global _finalized  # noqa: PLW0603 - see wake
    if not _finalized and _by_multiprocessing():
        _finalized = True
        from multiprocessing.util import Finalize

        Finalize(None, _close_all, exitpriority=0)


def _install_hooks() -> None:
    global _hooked  # noqa: PLW0603 - see wake
    if _hooked:
        return
    _hooked = True
    atexit.register(_close_all)
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)


def _files() -> list[Lasting]:
    found = (reference() for reference in list(_watched.values()))
    return [lasting for lasting in found if lasting is not None]


def _close_all() -> None:
    endings = [*(sleeper.close for sleeper in list(_living)), *(lasting.close for lasting in _files())]
    for close in endings:
        with suppress(Exception):
            close()


def _before_fork() -> None:
    """A thread that runs while its process forks may hang the child, and Python 3.12 warns about it."""
    _forking.acquire()
    for sleeper in list(_living):
        with suppress(Exception):
            sleeper.pause(_FORK_PATIENCE)
    _paused[:] = _files()
    for lasting in _paused:
        with suppress(Exception):
            lasting.pause()


def _in_parent() -> None:
    sleep()
    for lasting in _paused:
        with suppress(Exception):
            lasting.resume()
    _paused.clear()
    _forking.release()
    # Nobody but other threads can have recorded during the fork. An idle parent is left asleep: a thread started here
    # would be counted by the warning of Python 3.12.
    if any(sleeper.has_news() for sleeper in list(_living)):
        wake()


def _in_child() -> None:
    global _forked, _finalized, _finishing, _deadly
    _forked, _finalized = True, False
    _finishing, _deadly = 0, None  # nobody in this process will leave the parent's block
    sleep()
    for lasting in _paused:
        with suppress(Exception):
            lasting.forget()
    _paused.clear()
    _forking.release()
    for sleeper in list(_living):
        with suppress(Exception):
            sleeper.begin_anew()


_finishing = 0  # blocks of ``finishing`` that the main thread is in
_deadly: int | None = None  # a signal that came meanwhile


def close_on_sigterm() -> None:
    """Close every runtime at SIGTERM, and end as if nobody had caught it.

    Does nothing outside the main thread, or where somebody handles SIGTERM already: they decide how the process ends.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


@contextmanager
def finishing() -> Iterator[None]:
    """A SIGTERM that comes during this block, in the main thread, takes effect when the block is over."""
    global _finishing  # noqa: PLW0603 - see wake
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _finishing += 1
    try:
        yield
    finally:
        _finishing = max(0, _finishing - 1)
        if _deadly is not None:
            _on_sigterm(_deadly, None)


def _on_sigterm(number: int, _frame: FrameType | None) -> None:
    global _deadly  # noqa: PLW0603 - see wake
    if _finishing:
        _deadly = number
        return
    _close_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the first process of a container outlives a signal that nobody handles
