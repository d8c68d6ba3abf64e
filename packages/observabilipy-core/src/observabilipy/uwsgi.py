"""uWSGI: the one server that forks, and holds the interpreter, without Python being told.

Sources: its plugins/python/python_plugin.c (``post_fork_hook``), and its documentation of ``enable-threads``.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

__all__ = ["after_fork", "threads_run", "will_fork"]

_NO = (None, False, b"false", b"0", b"no", b"off")  # how it gives an option that is not set
_forked = False


def threads_run() -> bool:
    """False without ``enable-threads``: it keeps the interpreter to itself while no request is served."""
    uwsgi = _module()
    options = getattr(uwsgi, "opt", {})
    return uwsgi is None or "threads" in options or options.get("enable-threads") not in _NO


def will_fork() -> bool:
    """True where it loads the application, before it forks the workers in C, past Python's hooks."""
    uwsgi = _module()
    return uwsgi is not None and not _forked and uwsgi.worker_id() == 0


def after_fork(in_child: Callable[[bool], None]) -> None:
    """Call this in each process that is forked, before it serves; what the application hooked in there is called, too.

    Whoever loaded the application never runs it again. ``in_child`` is told whether it is the one that goes on with
    what was recorded there: the first life of worker 1.
    """
    uwsgi = _module()
    if uwsgi is None:
        return
    loader = os.getpid()

    def hook() -> None:
        global _forked  # noqa: PLW0603 - of this process
        if os.getpid() != loader:
            _forked = True
            first_lives = [worker["id"] for worker in uwsgi.workers() if worker["respawn_count"] == 0]
            in_child(uwsgi.worker_id() == 1 and 1 in first_lives)

    with suppress(ImportError):
        from uwsgidecorators import postfork_chain

        postfork_chain.append(hook)
        return
    earlier = getattr(uwsgi, "post_fork_hook", None)

    def both() -> None:
        hook()
        if earlier is not None:
            earlier()

    uwsgi.post_fork_hook = both  # type: ignore[attr-defined]  # which is where it looks


def _module() -> ModuleType | None:
    return sys.modules.get("uwsgi")
