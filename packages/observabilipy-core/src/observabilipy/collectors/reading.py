"""What the operating system and Python tell about this process, as far as they do."""

import os
import sys
import time
from typing import NamedTuple

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["ProcessReading", "ProcessSource", "python_labels"]

_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}


class ProcessReading(NamedTuple):
    """One look at this process; None is what this system does not tell.

    ``cpu_seconds`` is user and system time of all its threads since it began, ``start_time`` unix seconds.
    """

    cpu_seconds: float
    resident_bytes: int | None = None
    virtual_bytes: int | None = None
    open_fds: int | None = None
    max_fds: int | None = None
    start_time: float | None = None


class ProcessSource:
    """Reads ``/proc`` where there is one; elsewhere what the standard library knows.

    Source: Linux, proc_pid_stat(5), fields 22 to 24, and proc_stat(5), "btime".

    Args:
        proc: where the system tells about its processes.
    """

    # Paths are texts, because pathlib would be a fifth of what importing the collectors takes.

    def __init__(self, proc: str = "/proc") -> None:
        self._stat = f"{proc}/self/stat"
        self._fds = f"{proc}/self/fd"
        self._boot_time = _boot_time(f"{proc}/stat")
        self._page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
        self._ticks = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

    def __call__(self) -> ProcessReading:
        """Read once. Never raises for what cannot be read."""
        virtual = resident = start = None
        try:
            with open(self._stat, "rb") as stat:  # noqa: PTH123 - see above
                # The name of the program is in parentheses, and may hold some itself: what counts is behind the last.
                fields = stat.read().rpartition(b")")[2].split()
            virtual, resident = int(fields[20]), int(fields[21]) * self._page
            if self._boot_time is not None:
                start = self._boot_time + int(fields[19]) / self._ticks
        except (OSError, ValueError, IndexError):
            pass
        return ProcessReading(time.process_time(), resident, virtual, self._open_fds(), _max_fds(), start)

    def _open_fds(self) -> int | None:
        try:
            # From Linux 6.2 on the size of the directory is the number of open files; listing 10,000 takes 3 ms.
            size = os.stat(self._fds).st_size  # noqa: PTH116 - see above
            return size or len(os.listdir(self._fds)) - 1  # noqa: PTH208 - less the one that lists
        except OSError:
            return None


def python_labels() -> dict[str, str]:
    """Which Python this is, in the words of the module ``platform``, which is too heavy to import for it."""
    version = sys.version.split()[0]
    major, minor, patchlevel = version.split(".", 2)
    name = sys.implementation.name
    return {
        "version": version,
        "implementation": _IMPLEMENTATIONS.get(name, name),
        "major": major,
        "minor": minor,
        "patchlevel": patchlevel,
    }


def _max_fds() -> int | None:
    if resource is None:
        return None
    try:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    except (OSError, ValueError):
        return None
    return None if limit == resource.RLIM_INFINITY else limit


def _boot_time(path: str) -> int | None:
    try:
        with open(path, "rb") as lines:  # noqa: PTH123 - see above
            return next(int(line.split()[1]) for line in lines if line.startswith(b"btime "))
    except (OSError, ValueError, StopIteration, IndexError):
        return None
