"""A process that logs and ends in one of many ways; ``endings.py`` starts it and counts what is left.

It tells how much it logged on its standard output before it ends.
Run it: python -m benchmarks.ending_program library ending path
"""

import atexit
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from logging import FileHandler, Formatter
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from typing import TypeAlias

from benchmarks.peers import (
    TEXT_FORMAT,
    Sink,
    loguru_json,
    opentelemetry_batch,
    standard_logger,
    structlog_orjson,
    text_calls,
)

__all__ = ["ENDINGS", "FORKING", "LINES", "OURS_CRASH", "OURS_MEMORY", "STORES", "WRITERS"]

LINES = 5_000
FORKS = 100
HUNG_SECONDS = 15.0
HUNG_ENOUGH = 3

OURS_MEMORY, OURS_CRASH = "ours, memory", "ours, crash"
STORES = {OURS_MEMORY: "memory", OURS_CRASH: "crash"}
"""Those whose path is a database, with their durability; the others write a file of lines."""

Log: TypeAlias = Callable[..., object]


def ours(durability: str) -> Callable[[Path], Log]:
    """Observability as shipped: nothing is done for the end."""

    def build(path: Path) -> Log:
        from observabilipy import Observability

        return Observability(f"sqlite:///{path}", log_durability=durability).info  # type: ignore[arg-type] # a literal

    return build


def stdlib_file(path: Path) -> Log:
    """Text by a FileHandler."""
    handler = FileHandler(path, encoding="utf-8")
    handler.setFormatter(Formatter(TEXT_FORMAT))
    return text_calls(standard_logger("file", handler)).log


def queue_file(path: Path, *, stop: bool = False) -> Log:
    """Text by a QueueHandler, whose listener has a FileHandler."""
    handler = FileHandler(path, encoding="utf-8")
    handler.setFormatter(Formatter(TEXT_FORMAT))
    waiting: queue.Queue[object] = queue.Queue(-1)
    listener = QueueListener(waiting, handler)
    listener.start()
    if stop:
        atexit.register(listener.stop)
    return text_calls(standard_logger("queue", QueueHandler(waiting))).log


WRITERS: Mapping[str, Callable[[Path], Log]] = {
    **{name: ours(durability) for name, durability in STORES.items()},
    "stdlib FileHandler": stdlib_file,
    "QueueHandler, not stopped": queue_file,
    "QueueHandler, stopped at exit": lambda path: queue_file(path, stop=True),
    "structlog, BytesLogger": lambda path: structlog_orjson(Sink.file(path)).log,
    "loguru": lambda path: loguru_json(Sink.file(path)).log,
    "loguru, enqueue": lambda path: loguru_json(Sink.file(path), enqueue=True).log,
    # Its queue of 2,048 would overflow; what is looked at here is the end.
    "OpenTelemetry, batch": lambda path: opentelemetry_batch(Sink.file(path), queue_size=2 * LINES).log,
}


def lines(log: Log, numbers: range = range(LINES)) -> None:
    """Log them."""
    for number in numbers:
        log(f"order {number} placed", tier="gold", amount=19.99, paid=True)


def tell(what: object) -> None:
    """Past every buffer: the process may end at once."""
    os.write(1, f"{what}\n".encode())


def log_all(log: Log) -> None:
    """Log, and tell how much."""
    lines(log)
    tell(LINES)


def returns(log: Log) -> None:
    """The main module is over."""
    log_all(log)


def raises(log: Log) -> None:
    """An exception that nobody catches."""
    log_all(log)
    raise RuntimeError("an error that nobody catches")


def terminated(log: Log) -> None:
    """SIGTERM, which the application does not handle."""
    log_all(log)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def terminated_and_exits(log: Log) -> None:
    """SIGTERM, which the application handles by ``sys.exit``."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    terminated(log)


def leaves(log: Log) -> None:
    """``os._exit``."""
    log_all(log)
    os._exit(0)


def killed(log: Log) -> None:
    """SIGKILL."""
    log_all(log)
    os.kill(os.getpid(), signal.SIGKILL)


def forked(log: Log, end: Callable[[int], object]) -> None:
    """A child logs and ends in this way."""
    child = os.fork()
    if not child:
        log_all(log)
        end(0)
    os.waitpid(child, 0)


def in_child(writer: str, path: Path) -> None:
    """What a process of multiprocessing does; one that was not forked has no logger yet."""
    log_all(inherited or WRITERS[writer](path))


def by_multiprocessing(method: str) -> None:
    """A child that returns from its target."""
    context = multiprocessing.get_context(method)
    child = context.Process(target=in_child, args=(sys.argv[1], Path(sys.argv[3])))  # type: ignore[attr-defined] # all have it
    child.start()
    child.join()


def in_pool(log: Log) -> None:
    """Threads of an executor that is shut down."""
    with ThreadPoolExecutor(4) as executor:
        list(executor.map(lambda number: lines(log, range(number, number + 1)), range(LINES)))
    tell(LINES)


def threads_go_on(log: Log) -> None:
    """The main module is over while four threads log."""
    quarter = LINES // 4

    def work(number: int) -> None:
        time.sleep(0.2)  # until the main thread waits for this one
        lines(log, range(number * quarter, (number + 1) * quarter))
        tell(quarter)

    for number in range(4):
        threading.Thread(target=work, args=(number,)).start()


ENDINGS: Mapping[str, Callable[[Log], None]] = {
    "return": returns,
    "exception": raises,
    "SIGTERM": terminated,
    "SIGTERM, sys.exit": terminated_and_exits,
    "os._exit": leaves,
    "SIGKILL": killed,
    "fork, sys.exit": lambda log: forked(log, sys.exit),
    "fork, os._exit": lambda log: forked(log, os._exit),
    "multiprocessing fork": lambda log: by_multiprocessing("fork"),
    "multiprocessing spawn": lambda log: by_multiprocessing("spawn"),
    "multiprocessing forkserver": lambda log: by_multiprocessing("forkserver"),
    "thread pool": in_pool,
    "threads at shutdown": threads_go_on,
}

FORKING = "forks while two threads log"


def forks(log: Log) -> None:
    """Fork while two threads log; each child logs and ends. Tells how many hung, and of how many."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.001):
            lines(log, range(20))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    hung = tries = 0
    while tries < FORKS and hung < HUNG_ENOUGH:
        tries += 1
        child = os.fork()
        if not child:
            lines(log, range(10))
            sys.exit(0)
        hung += not ends(child)
    tell(hung)
    tell(tries)
    over.set()
    for thread in threads:
        thread.join()


def ends(child: int) -> bool:
    """Whether a process ends within its time; one that does not is killed."""
    give_up = time.monotonic() + HUNG_SECONDS
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > give_up:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.005)
    return True


inherited: Log | None = None

if __name__ == "__main__":
    inherited = WRITERS[sys.argv[1]](Path(sys.argv[3]))
    inherited("service started", pid=os.getpid())
    (forks if sys.argv[2] == FORKING else ENDINGS[sys.argv[2]])(inherited)
