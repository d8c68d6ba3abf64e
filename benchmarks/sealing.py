"""How fast the log is packed, and whether that keeps up with 20,000 entries a second.

First without anybody else, in CPU time: commits of 20, 250 and 1,000 entries, beside zlib alone over the columns that
come out; then retention of one level of four, which unpacks and packs each segment. Then an application logs 20,000
entries a second, and what waits to be packed is counted each second.

Run it: uv run --group peers python -m benchmarks.sealing [rounds]
"""

import asyncio
import random
import sqlite3
import statistics
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import heading

from observabilipy import Observability
from observabilipy.models import LogEntry
from observabilipy_sqlite import SQLiteStorage

ROUNDS = 3
ENTRIES = 50_000
BATCHES = (20, 250, 1_000)
PER_SECOND = 20_000
SECONDS = 15
LEAST_RETAINED = 80_000  # entries a CPU-second that retention by level looks at
MOST_WAITING = 2 * PER_SECOND  # two seconds' worth: a round of maintenance, and what comes during it


def entry(number: int) -> LogEntry:
    """One of an access log whose request ids nothing can compress."""
    noise = random.Random(number)
    return LogEntry(
        1_800_000_000 + number / PER_SECOND,
        ("DEBUG", "INFO", "WARNING", "ERROR")[number % 4],
        f"order {number} placed by customer {noise.randrange(5_000)} in {noise.randrange(900)} ms",
        {"request_id": f"{noise.getrandbits(128):032x}", "route": "/orders/{id}", "status": 200},
    )


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU."""
    began = time.process_time()
    work()
    return time.process_time() - began


async def filled(path: Path, batch: int) -> SQLiteStorage:
    """A storage with a log that is not packed yet."""
    storage = SQLiteStorage(path)
    for start in range(0, ENTRIES, batch):
        await storage.write_logs([entry(number) for number in range(start, start + batch)])
    return storage


def pack(storage: SQLiteStorage) -> None:
    """Until nothing is left to be packed."""
    while storage.maintain():
        pass


def compress(path: Path) -> None:
    """Unpack all columns, and pack them again."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT timestamps, codes, messages, attributes FROM body JOIN segment USING (first) WHERE codec = 1"
        )
        for row in rows:
            for column in row:
                zlib.compress(zlib.decompress(column), 6)


async def one_round(directory: Path) -> dict[str, float]:
    """Entries a CPU-second."""
    found: dict[str, float] = {}
    for batch in BATCHES:
        storage = await filled(directory / f"{batch}.db", batch)
        found[f"packing commits of {batch:,}"] = ENTRIES / cpu(lambda: pack(storage))  # noqa: B023 - called at once
        if batch == BATCHES[-1]:
            found["zlib alone, there and back"] = ENTRIES / cpu(lambda: compress(storage.path))  # noqa: B023
            began = time.process_time()
            await storage.delete_logs_before(2_000_000_000, "DEBUG")
            found["retention of one level of four"] = ENTRIES / (time.process_time() - began)
        await storage.aclose()
    return found


def waiting(path: Path) -> int:
    """Entries that are not packed yet."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT coalesce(sum(entries), 0) FROM segment WHERE codec = 0").fetchone()[0])


def keep_up(path: Path) -> tuple[list[int], float]:
    """What waited after each second, and the share of a core that everything took."""
    looks: list[int] = []
    number = 0
    with Observability(f"sqlite:///{path}") as obs:
        began, used = time.monotonic(), time.process_time()
        while (passed := time.monotonic() - began) < SECONDS:
            while number < passed * PER_SECOND:
                obs.info("order placed", tier="gold", number=number, request_id=f"{number * 2654435761:016x}")
                number += 1
            if passed > len(looks) + 1:
                looks.append(waiting(path))
            time.sleep(0.001)
        return looks, (time.process_time() - used) / SECONDS


def main() -> None:
    """Print the table, and which limits hold."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(heading("observabilipy-sqlite"))
    print(f"{ENTRIES:,} entries, {rounds} rounds, medians\n\nentries a CPU-second")
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        with TemporaryDirectory() as directory:
            for name, speed in asyncio.run(one_round(Path(directory))).items():
                taken.setdefault(name, []).append(speed)
    for name, speeds in taken.items():
        print(f"{name:<40}{statistics.median(speeds):>10,.0f}")
    retained = statistics.median(taken["retention of one level of four"])
    verdict = "met" if retained >= LEAST_RETAINED else "MISSED"
    print(f"\nretention by level: {retained:,.0f} entries a CPU-second, at least {LEAST_RETAINED:,}: {verdict}")
    with TemporaryDirectory() as directory:
        looks, cores = keep_up(Path(directory) / "obs.db")
    print(f"{PER_SECOND:,} entries a second, {cores:.2f} cores: not packed after each second: {looks}")
    most = max(looks[2:])
    verdict = "met" if most <= MOST_WAITING else "MISSED"
    print(f"not packed: {most:,} entries, at most {MOST_WAITING:,}: {verdict}")


if __name__ == "__main__":
    main()
