"""The lock that tells whether the owner of a file lives: the kernel lets go of it when a process dies, however it dies.

It belongs to the *open file*: a forked child holds it, too, until it has closed what it inherited, and unlocking in
one of them unlocks for both.
"""

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["LOCKS", "lock", "unlock"]

LOCKS = fcntl is not None
"""Whether this system has such locks."""


def lock(descriptor: int) -> bool:
    """Take the lock of an open file; False when somebody has it.

    Raises:
        OSError: the file system knows no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Let go of it, also for those who inherited the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
