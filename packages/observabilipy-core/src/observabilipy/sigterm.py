"""SIGTERM: what was recorded is committed before the process ends, whoever handles the signal.

Where nobody handles it, everything is closed and the process ends as if nobody had caught it. Where somebody does, as
servers do, what there is is committed first and then their handler is called. From then on commits come quickly, and
``stopping()`` tells long answers to end: some servers wait for them without a limit, and some end without another sign.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeAlias

from observabilipy import process

__all__ = ["at_stop", "finishing", "look_again", "stopping", "watch"]

_Handler: TypeAlias = Callable[[int, FrameType | None], object]

_FLUSH_SECONDS = 1.0  # that a server's own handler is held up at most

_wanted = _hooked = False
_callbacks: list[Callable[[], None]] = []
_since: float | None = None  # monotonic seconds of the first SIGTERM
_finishing = 0  # blocks of ``finishing``, and forks, that the main thread is in
_deadly: int | None = None  # a signal that came meanwhile
_late = False  # a chained handler was called meanwhile


def watch() -> None:
    """Handle SIGTERM from now on. Does nothing outside the main thread, or where it is ignored."""
    global _wanted, _hooked  # noqa: PLW0603 - signals belong to the whole process
    _wanted = True
    if not _hooked and hasattr(os, "register_at_fork"):  # not on Windows
        _hooked = True
        # Made after those of ``process``, and so around them: what they hold must not be waited for.
        os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
    look_again()


def look_again() -> None:
    """Servers set their handlers when they like: take in one that came after ours."""
    if not _wanted or threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGTERM)
    with suppress(ValueError):  # a subinterpreter, whose main thread may set none
        if handler is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _close_and_end)
        elif callable(handler) and handler is not _close_and_end and not isinstance(handler, _Chained):
            signal.signal(signal.SIGTERM, _Chained(handler))


def stopping(seconds: float = 0) -> bool:
    """Whether this process was asked to end, so many seconds ago or earlier."""
    return _since is not None and time.monotonic() - _since >= seconds


def at_stop(callback: Callable[[], None]) -> None:
    """Call this when the process is told to end: in a signal handler, so it must be short and take no lock."""
    _callbacks.append(callback)


class _Chained:
    """Commits, then calls the handler that was there."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler

    def __call__(self, number: int, frame: FrameType | None) -> object:
        global _late  # noqa: PLW0603 - see watch
        _note()
        if _finishing:  # the main thread holds what a commit may need
            _late = True
        else:
            process.hurry(_FLUSH_SECONDS)
        return self._handler(number, frame)


@contextmanager
def finishing() -> Iterator[None]:
    """A SIGTERM that would end the process during this block, in the main thread, does so when the block is over."""
    global _finishing  # noqa: PLW0603 - see watch
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _finishing += 1
    try:
        yield
    finally:
        _finishing = max(0, _finishing - 1)
        _catch_up()


def _close_and_end(number: int, _frame: FrameType | None) -> None:
    global _deadly  # noqa: PLW0603 - see watch
    _note()
    if _finishing:
        _deadly = number
        return
    process.close_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the first process of a container outlives a signal that nobody handles


def _note() -> None:
    global _since  # noqa: PLW0603 - see watch
    if _since is None:
        _since = time.monotonic()
        for callback in _callbacks:
            with suppress(Exception):
                callback()


def _before_fork() -> None:
    """While the main thread forks, a signal handler in it would wait for what the fork holds, for ever."""
    global _finishing  # noqa: PLW0603 - see watch
    if threading.current_thread() is threading.main_thread():
        _finishing += 1


def _in_parent() -> None:
    global _finishing  # noqa: PLW0603 - see watch
    if threading.current_thread() is threading.main_thread():
        _finishing = max(0, _finishing - 1)
        _catch_up()


def _catch_up() -> None:
    """Do what a signal asked for while the main thread was closing or forking."""
    global _late  # noqa: PLW0603 - see watch
    if _finishing:
        return
    if _late:
        _late = False
        process.hurry(_FLUSH_SECONDS)
    if _deadly is not None:
        _close_and_end(_deadly, None)


def _in_child() -> None:
    """Nobody in a forked child will leave the parent's blocks, and the parent's signal was not for it."""
    global _since, _finishing, _deadly, _late
    _since, _finishing, _deadly, _late = None, 0, None, False
