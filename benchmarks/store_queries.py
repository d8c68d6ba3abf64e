"""What questions to a large log cost in the SQLite store, and what retention does: CPU of the process, all threads.

The file is filled with sealed entries (see store_corpus). ``--path`` names one that is kept: it is filled if it is not
there, used as it is otherwise. Retention deletes from a copy. The limits are those for ten million entries.

Run it: uv run python -m benchmarks.store_queries [--entries N] [--path FILE] [--rounds N]
"""

import argparse
import asyncio
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.measure import heading
from benchmarks.store_corpus import BEGIN_MICROS, BLOCK, GAP_MICROS, block, fill, request_of

from observabilipy.models import LogQuery
from observabilipy.storage.volume import log_volume
from observabilipy_sqlite import SQLiteStorage

ENTRIES = 1_000_000
TICK_SECONDS = 0.001
TICKED = {"nothing", "ERROR of an hour", "text in an hour, nothing matches", "a request id that is not there"}
HOUR = 3_600
MINUTE = 60

Ask: TypeAlias = Callable[[], Awaitable[int]]
"""Asks once, and gives how much was found."""


def questions(storage: SQLiteStorage, entries: int) -> dict[str, tuple[Ask, float]]:
    """By name, what is asked and how many milliseconds it may take."""
    middle = BEGIN_MICROS / 1e6 + entries // 2 * GAP_MICROS / 1e6
    hour = LogQuery(since=middle, until=middle + HOUR)
    request = request_of(block(entries // 2 // BLOCK)[0])
    cursor = f"{generation(storage.path)}-{entries // 2}"

    def lines(query: LogQuery) -> Ask:
        async def ask() -> int:
            return sum([page.count async for page in storage.read_ndjson(query)])

        return ask

    def number(query: LogQuery) -> Ask:
        return lambda: storage.count_logs(query)

    def volume(step: float, query: LogQuery) -> Ask:
        async def ask() -> int:
            return sum([sum(bucket.counts.values()) async for bucket in log_volume(storage, query, step)])

        return ask

    return {
        "newest 100": (lines(LogQuery(order="desc", limit=100)), 3),
        "a page of 1,000 after a cursor": (lines(LogQuery(after=cursor, limit=1_000)), 8),
        "newest 100 ERROR": (lines(LogQuery(levels={"ERROR"}, order="desc", limit=100)), 10),
        "ERROR of an hour": (lines(replace(hour, levels={"ERROR"})), 300),
        "text in an hour, 1 in 200 matches": (lines(replace(hour, text="Invoice 9")), 0),
        "text in an hour, nothing matches": (lines(replace(hour, text="refunded")), 150),
        "count of ERROR in an hour": (number(replace(hour, levels={"ERROR"})), 0),
        "level histogram of an hour by minute": (volume(MINUTE, hour), 30),
        "level histogram of all by 15 minutes": (volume(15 * MINUTE, LogQuery()), 0),
        "count": (number(LogQuery()), 10),
        "one request id over everything": (lines(LogQuery(attributes={"request_id": request})), 1_000),
        "a request id that is not there": (lines(LogQuery(attributes={"request_id": "nobody"})), 1_000),
    }


def generation(path: Path) -> str:
    """Of the store, for a cursor."""
    with sqlite3.connect(path) as connection:
        return str(connection.execute("SELECT generation FROM meta").fetchone()[0])


async def ask_all(path: Path, entries: int, rounds: int) -> None:
    """Print what each question takes."""
    storage = SQLiteStorage(path)
    print(f"\n{'milliseconds of CPU':40}{'found':>9}{'median':>9}{'at most':>9}")
    try:
        asked = questions(storage, entries)
        taken: dict[str, list[float]] = {name: [] for name in asked}
        found: dict[str, int] = {}
        for turn in range(rounds + 1):
            for name, (ask, _) in asked.items():
                began = time.process_time_ns()
                found[name] = await ask()
                if turn:  # the first round warms the page cache
                    taken[name].append((time.process_time_ns() - began) / 1e6)
        for name, (_, limit) in asked.items():
            show(name, f"{found[name]:,}", statistics.median(taken[name]), limit)
    finally:
        await storage.aclose()


async def lateness(path: Path, entries: int) -> None:
    """Print how late a task in the loop is that wants to run every millisecond, while something is asked."""
    storage = SQLiteStorage(path)
    print(f"\n{'late by milliseconds, beside':40}{'p50':>9}{'p99':>9}{'max':>9}")

    async def nothing() -> int:
        await asyncio.sleep(1)
        return 0

    asked = {"nothing": nothing} | {name: ask for name, (ask, _) in questions(storage, entries).items()}
    for name, ask in asked.items():
        if name not in TICKED:
            continue
        late: list[float] = []
        task = asyncio.ensure_future(repeated(ask))
        while not task.done():
            began = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            late.append((time.perf_counter() - began - TICK_SECONDS) * 1e3)
        late.sort()
        print(f"{name:40}{late[len(late) // 2]:9.2f}{late[len(late) * 99 // 100]:9.2f}{late[-1]:9.2f}")
    await storage.aclose()


async def repeated(ask: Ask) -> None:
    """Ask for a second at least."""
    began = time.monotonic()
    while time.monotonic() < began + 1:
        await ask()


def show(name: str, found: str, value: float, limit: float) -> None:
    """One line of the table; a limit of 0 is none."""
    verdict = f"{limit:9,.0f}  {'met' if value <= limit else 'MISSED'}" if limit else ""
    print(f"{name:40}{found:>9}{value:9,.1f}{verdict}", flush=True)


class Locks:
    """How long transactions that write held the lock, of the connection that deletes: seconds of CPU.

    Checkpoints, which hold it too, are told apart: one comes when the WAL is long, whoever writes then.
    """

    def __init__(self, storage: SQLiteStorage) -> None:
        self.steps: list[float] = []
        self.checkpoints: list[float] = [0.0]
        database: Any = storage._async_database  # noqa: SLF001 - Any: a method of it is replaced
        plain, copy = database._transaction, database._copy_wal  # noqa: SLF001
        self._into = self.steps

        def transaction(begin: str, function: Callable[[sqlite3.Connection], object]) -> object:
            if begin == "BEGIN":
                return plain(begin, function)
            began = time.thread_time()
            try:
                return plain(begin, function)
            finally:
                self._into.append(time.thread_time() - began)

        def copied() -> None:
            self._into = self.checkpoints
            try:
                copy()
            finally:
                self._into = self.steps

        database._transaction, database._copy_wal = transaction, copied  # noqa: SLF001

    def show(self) -> None:
        """Print the longest ones, and begin anew."""
        show("  longest lock of a step", "", max(self.steps) * 1e3, 10)
        show("  longest lock of a checkpoint", "", max(self.checkpoints) * 1e3, 0)
        self.steps.clear()


async def retain(path: Path, entries: int) -> None:
    """Delete the oldest tenth, then DEBUG of the next tenth (no more than a million), and print what that took."""
    storage = SQLiteStorage(path)
    locks = Locks(storage)
    try:
        tenth = entries // 10 * GAP_MICROS / 1e6
        oldest = BEGIN_MICROS / 1e6
        await storage.count_logs(LogQuery())  # opens the file
        began = time.process_time()
        gone = await storage.delete_logs_before(oldest + tenth)
        show(
            "retention of the oldest tenth",
            f"{gone:,}",
            (time.process_time() - began) * 1e3,
            50 * max(1, entries / 1e7),
        )
        locks.show()
        looked_at = min(entries // 10, 1_000_000)
        began = time.process_time()
        await storage.delete_logs_before(oldest + tenth + looked_at * GAP_MICROS / 1e6, "DEBUG")
        speed = looked_at / (time.process_time() - began)
        verdict = "met" if speed >= 80_000 else "MISSED"
        print(f"{'retention of DEBUG alone, entries/s':40}{looked_at:>9,}{speed:9,.0f}   80,000  {verdict}")
        locks.show()
    finally:
        await storage.aclose()


def main() -> None:
    """Fill a file if there is none, ask, and delete from a copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--path", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = given.path or Path(directory, "log.db")
        if not path.exists():
            fill(path, given.entries)
        print(heading("observabilipy-sqlite"))
        entries = asyncio.run(number_of_entries(path))
        size = path.stat().st_size
        print(f"SQLite {sqlite3.sqlite_version}, {entries:,} entries, {size / entries:.1f} bytes of the file each")
        asyncio.run(ask_all(path, entries, given.rounds))
        copy = Path(directory, "copy.db")
        shutil.copy(path, copy)
        asyncio.run(retain(copy, entries))
        asyncio.run(lateness(path, entries))


async def number_of_entries(path: Path) -> int:
    """How many a file has."""
    storage = SQLiteStorage(path)
    number = await storage.count_logs(LogQuery())
    await storage.aclose()
    return number


if __name__ == "__main__":
    main()
