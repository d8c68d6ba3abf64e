"""Terminal: text that cannot drive it, and output that its reader may have had enough of."""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["output", "printable"]

# C0 and C1 controls, and what turns the direction of writing.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The same text on one line, with what could drive a terminal shown as escapes."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@contextmanager
def output() -> Iterator[None]:
    """For what prints: a terminal may know fewer characters than a log, and a reader such as ``head`` may go away."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
