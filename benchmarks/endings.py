"""What is left of 5,000 lines by way of ending, beside the other libraries; and children that hang after a fork.

Each ending is a real process, which tells how much it logged before it ends. Then the file is read: for ours as the
next start of the application would, which recovers what ``log_durability="crash"`` kept.

Run it: uv run --group peers python -m benchmarks.endings [library ...]
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.ending_program import ENDINGS, FORKING, LINES, STORES, WRITERS
from benchmarks.measure import heading
from benchmarks.ours import opened

from observabilipy import LogQuery, Observability

__all__ = ["ORDERLY", "Outcome", "hung_children", "outcome"]

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 90.0
FORKS_PATIENCE_SECONDS = 300.0

ORDERLY = tuple(ending for ending in ENDINGS if ending not in {"os._exit", "SIGKILL", "fork, os._exit"})
"""Endings that give a process a moment."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many lines were logged, how many different ones are left, and how many were left more than once."""

    logged: int
    kept: int
    repeated: int = 0
    hung: bool = False

    def __str__(self) -> str:
        """For a table."""
        marks = f" {self.repeated} twice" * bool(self.repeated) + " hung" * self.hung
        return f"{self.kept}{marks}" if self.logged else f"none logged{marks}"


def outcome(writer: str, ending: str, directory: Path) -> Outcome:
    """Let a process log and end, and look at what is left in this empty directory."""
    told, hung = ran(writer, ending, directory)
    path = directory / "log"
    found = orders_in_store(path, STORES[writer]) if writer in STORES else orders_in_file(path)
    different = len(set(found))
    return Outcome(sum(told), different, len(found) - different, hung)


def hung_children(writer: str, directory: Path) -> tuple[int, int]:
    """How many children hung, and of how many; the process stops trying after three."""
    told, _ = ran(writer, FORKING, directory)
    return (told[0], told[1]) if len(told) == 2 else (0, 0)  # it did not come so far


def ran(writer: str, ending: str, directory: Path) -> tuple[list[int], bool]:
    """The numbers that a process told, and whether it had to be killed, with all that it started."""
    command = [sys.executable, "-m", "benchmarks.ending_program", writer, ending, str(directory / "log")]
    told = directory / "told"
    with told.open("wb") as stdout, (directory / "errors").open("wb") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, stdout=stdout, stderr=stderr, start_new_session=True)
        try:
            process.wait(FORKS_PATIENCE_SECONDS if ending == FORKING else PATIENCE_SECONDS)
            hung = False
        except subprocess.TimeoutExpired:
            hung = True
        with suppress(ProcessLookupError):  # what it left behind, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return [int(line) for line in told.read_text(encoding="ascii").split()], hung


def orders_in_file(path: Path) -> list[str]:
    """Numbers of orders, one of each line: a library may repeat the message in it."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return [found[1] for line in lines if (found := re.search(r"order (\d+) placed", line))]


def orders_in_store(path: Path, durability: str) -> list[str]:
    """Numbers of orders, after another start of the application, which recovers what it can."""
    with opened(path, log_durability=durability) as obs:
        obs.info("service started again")
        obs.flush()
        return asyncio.run(numbers(obs))


async def numbers(obs: Observability) -> list[str]:
    """Of all orders in the store."""
    messages = [entry.message async for entry in obs.storage.read_logs(LogQuery(text="order "))]
    return re.findall(r"^order (\d+) placed$", "\n".join(messages), re.MULTILINE)


def main() -> None:
    """Print the table."""
    print(heading("structlog", "orjson", "loguru", "opentelemetry-sdk"))
    writers = [name for name in WRITERS if not sys.argv[1:] or name in sys.argv[1:]]
    print()
    show(f"lines left of {LINES:,}", writers)
    show("---", ["---"] * len(writers))
    for ending in ENDINGS:
        show(ending, (str(in_new_directory(outcome, writer, ending)) for writer in writers))
    hung = (in_new_directory(lambda writer, _, path: hung_children(writer, path), writer, "") for writer in writers)
    show(f"children hung, {FORKING}", (f"{one} of {tries}" if tries else "the program hung" for one, tries in hung))


def in_new_directory(function: Callable[[str, str, Path], T], writer: str, ending: str) -> T:
    """Call it with a directory that is gone afterwards."""
    with TemporaryDirectory() as directory:
        return function(writer, ending, Path(directory))


def show(name: str, cells: Iterable[str]) -> None:
    """Print one row of a table in Markdown, cell by cell, as they come."""
    print(f"| {name} |", end="", flush=True)
    for cell in cells:
        print(f" {cell} |", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
