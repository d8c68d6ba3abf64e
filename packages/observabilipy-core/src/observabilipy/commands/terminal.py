"""Terminal: text that cannot drive it, colours and progress where there is one, and output whose reader may go away."""

import io
import os
import re
import select
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO, TypeVar

from observabilipy.errors import ObservabilityError

__all__ = [
    "BROKEN_PIPE",
    "INTERRUPTED",
    "coloured",
    "end_without_reader",
    "ended",
    "has_colours",
    "note",
    "printable",
    "progress",
    "write",
]

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as shells count."""

BROKEN_PIPE = 141
"""Exit code when the reader of the output went away: 128 and the number of SIGPIPE, as shells count."""

# C0 and C1 controls, and what turns the direction of writing.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SGR = {"dim": "2", "red": "31", "green": "32", "yellow": "33", "bold red": "1;31"}
_PROGRESS_SECONDS = 0.2

T = TypeVar("T")


def printable(text: str) -> str:
    """The same text on one line, with what could drive a terminal shown as escapes, which JSON reads as they were."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def has_colours(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether colours are wanted there: on a terminal that knows them, unless ``NO_COLOR`` is set (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def coloured(text: str, colour: str | None) -> str:
    """A text in a colour: "dim", "red", "green", "yellow" or "bold red"; None leaves it as it is."""
    return text if colour is None else f"\x1b[{_SGR[colour]}m{text}\x1b[0m"


def note(text: str) -> None:
    """Tell a person something beside the output, on stderr."""
    print(f"observabilipy: {printable(text)}", file=sys.stderr, flush=True)


def write(chunk: bytes) -> None:
    """Print whole lines of UTF-8, whatever the locale is; on a terminal without what could drive it."""
    if sys.stdout.isatty():
        text = chunk.decode(errors="backslashreplace")
        sys.stdout.write("\n".join(map(printable, text.split("\n"))))
    elif hasattr(sys.stdout, "buffer"):
        sys.stdout.buffer.write(chunk)
    else:  # somebody reads it in this process
        sys.stdout.write(chunk.decode())


def progress(items: Iterable[T], told: Callable[[T], int], what: str) -> Iterator[T]:
    """The same items, counted on stderr while they pass, if that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    count, last = 0, 0.0
    try:
        for item in items:
            yield item
            count += told(item)
            now = time.monotonic()
            if now - last >= _PROGRESS_SECONDS:
                print(f"\r{count:,} {what}", end="", file=sys.stderr, flush=True)
                last = now
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def ended(run: Callable[[], int]) -> int:
    """Run what prints, and give its exit code, also when it is interrupted or nobody reads on.

    Raises:
        ObservabilityError: what it raised, or the output could not be written.
    """
    _open_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer characters than a log
    try:
        with _interruptible():
            try:
                return run()
            finally:
                sys.stdout.flush()  # here and not at the end of the interpreter, which would print a traceback
    except KeyboardInterrupt:  # of a command with a handler of its own
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        return BROKEN_PIPE
    except OSError as error:
        _give_up_output()
        raise ObservabilityError(f"input or output failed: {error}: look at the disk and at the names given") from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once, unless the command takes the signal itself.

    A KeyboardInterrupt amid an event loop leaves things that cannot be closed any more, and a dozen lines about them. A
    storage survives worse than this end: what was committed is there.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end_at_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def end_without_reader() -> None:
    """End the process when the reader of the output goes away, although there may be nothing to write for hours."""
    try:
        descriptor = sys.stdout.fileno()
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode) or not hasattr(select, "poll"):
            return
    except (OSError, ValueError):  # it has no file descriptor
        return
    threading.Thread(target=_wait_for_reader, args=(descriptor,), daemon=True).start()


def _wait_for_reader(descriptor: int) -> None:
    gone = select.poll()
    gone.register(descriptor, 0)  # errors and hang-ups are told unasked
    gone.poll()
    os._exit(BROKEN_PIPE)


def _open_streams() -> None:
    """Give streams that were closed before the start (``>&-``) somewhere to lead, before a file takes their place."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.fstat(descriptor)
                continue
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number, which is this one
            mode = "w" if descriptor else "r"
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - to the end


def _end_at_once(*_: object) -> None:
    with suppress(Exception):  # it may be just writing
        sys.stdout.flush()
    os._exit(INTERRUPTED)


def _give_up_output() -> None:
    """What is left in the buffer must not be tried again at the end of the interpreter."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
