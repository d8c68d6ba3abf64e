"""What the writers of a soak commit, and how it is looked for afterwards."""

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from observabilipy.encoding.encoded_entries import EncodedEntries
from observabilipy.models import LogQuery
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage

__all__ = ["ROOT", "Verdict", "batch", "machine", "quick_check", "started", "strays", "upkeep"]

ROOT = Path(__file__).parents[2]
_LEVELS = ("INFO", "INFO", "INFO", "DEBUG", "INFO", "INFO", "WARNING", "INFO")


def batch(worker: str, sequence: int, count: int) -> Batch:
    """So many entries, each of which says whose it is and which one: ``worker sequence number``."""
    bits = random.Random(sequence).getrandbits
    entries = [
        (
            1_763_000_000_000_000 + sequence * 1_000 + number,
            _LEVELS[number % len(_LEVELS)],
            f"{worker} {sequence} {number}",
            f'{{"request_id":"{bits(128):032x}","ms":{bits(16) / 64},"route":"/orders/{{id}}","tier":"gold"}}',
        )
        for number in range(count)
    ]
    return Batch(Worker(worker), sequence, EncodedEntries(entries))


def upkeep(storage: SQLiteStorage, worker: str) -> None:
    """What the runtime of a worker does each second: maintain, if nobody else does."""
    if storage.acquire_lease(Worker(worker), 5.0):
        storage.maintain()


async def strays(storage: SQLiteStorage, count: int, committed: dict[str, int]) -> list[str]:
    """What is wrong with the log: each worker's batches, from 1 to its last, must be there as a whole and in order.

    One more than the last is right, too: a commit may be done whose writer was killed before it could tell.
    """
    upcoming = dict.fromkeys(committed, (1, 0))
    wrong: list[str] = []
    async for page in storage.read_ndjson(LogQuery()):
        for line in page.lines.splitlines():
            worker, sequence, number = json.loads(line)["message"].split()
            if upcoming[worker] != (int(sequence), int(number)):
                wrong.append(f"{worker} {sequence} {number} where {upcoming[worker]} was to come")
            upcoming[worker] = (int(sequence), int(number) + 1) if int(number) + 1 < count else (int(sequence) + 1, 0)
    for worker, last in committed.items():
        if upcoming[worker] not in {(last + 1, 0), (last + 2, 0)}:
            wrong.append(f"{worker} acknowledged {last}, and the log goes on with {upcoming[worker]}")
    return wrong


def quick_check(storage: SQLiteStorage) -> str:
    """What SQLite says of the file, on a connection of the storage: another one might checkpoint as it closes."""

    def check(connection: sqlite3.Connection) -> str:
        return str(connection.execute("PRAGMA quick_check").fetchone()[0])

    return storage._database.read(check)


def started(module: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process of a soak, whose output is read."""
    command = [sys.executable, "-W", "error", "-m", module, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def machine() -> str:
    """Where and how busy: a time by the wall clock says nothing without it."""
    return (
        f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f}"
    )


class Verdict:
    """Promises, each printed as it is looked at; ``status`` is that of the program."""

    def __init__(self) -> None:
        self.status = 0

    def promise(self, text: str, kept: bool) -> None:
        """Print whether it was kept."""
        print(f"{text}: {'met' if kept else 'MISSED'}", flush=True)
        if not kept:
            self.status = 1

    def nothing_wrong(self, what: str, wrong: Iterable[str]) -> None:
        """Promise that there is nothing of it; print the first of what there is."""
        found: Sequence[str] = list(wrong)
        self.promise(f"{what}: {len(found)}", not found)
        for text in found[:5]:
            print(f"    {text}")
