"""This process: what lives in it, and what forks and its end do to that.

Runtimes come before the files that storages hold open, so that they find them open for what they still have to write.
A runtime sleeps until the first record. Hot paths look at ``asleep`` and nothing else: the name is read from this
module in a few nanoseconds, and is True only before the first record and after a fork. The hottest have a name of their
own that says the same, see ``mirrors``.
"""

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Protocol

from observabilipy import uwsgi

__all__ = [
    "Lasting",
    "Sleeper",
    "asleep",
    "close_all",
    "dismiss",
    "enrol",
    "hurry",
    "is_child",
    "mirrors",
    "no_fork",
    "sleep",
    "threads_run",
    "wake",
    "watch",
]

asleep = True
"""True when a runtime of this process may have no thread, so that the next record has to wake it."""

mirrors: tuple[ModuleType, ModuleType, ModuleType]
"""Modules whose ``asleep`` is kept the same: one look-up instead of two is 5 ns of the 70 that counting takes.

There it is None instead of False, so that ``exemplar is not asleep`` looks for two rare things at once.
"""


class Sleeper(Protocol):
    """What this module does to a runtime."""

    def wake(self) -> None:
        """Start the thread if there is none."""

    def pause(self, timeout: float) -> None:
        """Write out what there is and end the thread, within so many seconds."""

    def hurry(self, timeout: float) -> None:
        """The process will end soon: commit now, within so many seconds, and often from here on."""

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
mirrors = (sys.modules[__name__],) * 3


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
    """Start every runtime of this process that has no thread. Where threads do not run, let it do their work."""
    global asleep  # noqa: PLW0603 - one flag for the whole process is the point of this module
    one, two, three = mirrors
    # First: what starts a thread may record, too. No call between the four, so that they change together.
    asleep = not threads_run()
    one.asleep = two.asleep = three.asleep = asleep or None  # type: ignore[attr-defined]
    _close_with_worker()
    for sleeper in list(_living):
        sleeper.wake()
    if uwsgi.will_fork():  # nobody says when: nothing may be open then
        for lasting in _files():
            lasting.pause()
            lasting.resume()


def sleep() -> None:
    """A runtime rests: the next record wakes it."""
    global asleep  # noqa: PLW0603 - see wake
    one, two, three = mirrors
    asleep = one.asleep = two.asleep = three.asleep = True  # type: ignore[attr-defined]  # together, see wake


def hurry(timeout: float) -> None:
    """The process will end soon: commit what there is, within so many seconds together."""
    deadline = time.monotonic() + timeout
    for sleeper in list(_living):
        with suppress(Exception):
            sleeper.hurry(max(0.0, deadline - time.monotonic()))


def threads_run() -> bool:
    """False where a thread of ours would stand still, or be lost: whoever records does its work."""
    return uwsgi.threads_run() and not uwsgi.will_fork()


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


def _close_with_worker() -> None:
    """Workers of multiprocessing and of Celery leave by ``os._exit``, past atexit; they have hooks of their own.

    It cannot be done at the fork: multiprocessing empties the list of finalizers once more afterwards.
    """
    global _finalized  # noqa: PLW0603 - see wake
    if _finalized or not is_child():
        return
    _finalized = True
    if _by_multiprocessing():
        from multiprocessing.util import Finalize

        Finalize(None, close_all, exitpriority=0)
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.connect(_close_with_celery, weak=False)


def _close_with_celery(**_about: object) -> None:
    close_all()


def _install_hooks() -> None:
    global _hooked  # noqa: PLW0603 - see wake
    if _hooked:
        return
    _hooked = True
    atexit.register(close_all)
    uwsgi.after_fork(_in_foreign_child)
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)


def _files() -> list[Lasting]:
    found = (reference() for reference in list(_watched.values()))
    return [lasting for lasting in found if lasting is not None]


def close_all() -> None:
    """Close every runtime, and then what holds files open."""
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
    for lasting in _paused:
        with suppress(Exception):
            lasting.forget()
    _paused.clear()
    _forking.release()
    _begin_anew()


def _in_foreign_child(is_heir: bool) -> None:
    """After a fork that Python was not told of before. The heir goes on with what was recorded before it."""
    for lasting in _files():
        with suppress(Exception):
            lasting.forget()
    if not is_heir:
        _begin_anew()
    elif any(sleeper.has_news() for sleeper in list(_living)):
        wake()


def _begin_anew() -> None:
    global _forked, _finalized
    _forked, _finalized = True, False
    sleep()
    for sleeper in list(_living):
        with suppress(Exception):
            sleeper.begin_anew()
