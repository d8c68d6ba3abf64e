"""A tail sees each entry once and in order, while four processes write, two seal, and two drop what was read already.

Run it: uv run python -m tests.soak.tail [--seconds 10]
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.batches import Verdict, batch, machine, quick_check, started

from observabilipy.models import LogQuery
from observabilipy_sqlite import SQLiteStorage

WRITERS, SEALERS = 4, 2
ENTRIES = 200
KEPT = 20_000
"""Entries that the droppers leave behind the tail, so that there is something to seal."""


def write(path: str, worker: str, seconds: float) -> None:
    """One writer: prints how many batches it committed, and drops DEBUG of its own accord."""
    storage = SQLiteStorage(path)
    began = time.monotonic()
    sequence = 0
    while time.monotonic() < began + seconds:
        sequence += 1
        storage.commit(batch(worker, sequence, ENTRIES))
    storage.close()
    print(sequence)


def seal(path: str, seconds: float) -> None:
    """One sealer: no lease keeps it from doing what the other one does."""
    storage = SQLiteStorage(path)
    began = time.monotonic()
    rounds = 0
    while time.monotonic() < began + seconds:
        storage.maintain()
        rounds += 1
    storage.close()
    print(rounds)


async def follow(path: Path, running: "asyncio.Event") -> tuple[list[str], int, int]:
    """What was wrong with what the tail saw, how many entries it saw, and how many were dropped behind it."""
    storage, dropping, by_level = SQLiteStorage(path), SQLiteStorage(path), SQLiteStorage(path)
    upcoming: dict[str, tuple[int, int]] = {}
    wrong: list[str] = []
    seen = last = 0
    dropped = [0, 0]

    async def drop(storage: SQLiteStorage, place: int, level: str | None) -> None:
        while not running.is_set():
            # What lies behind the tail, and a quarter less: the other one drops meanwhile, and reaches further for it.
            facts = await storage.log_facts()
            share, has = (1, facts.count) if level is None else (8, facts.levels[level].count if facts.levels else 0)
            behind = has - (facts.upcoming - last + KEPT) // share
            gone = await storage.delete_oldest_logs(behind * 3 // 4, level) if behind > 0 else 0
            dropped[place] += gone
            await asyncio.sleep(0.02)

    droppers = [asyncio.create_task(drop(dropping, 0, None)), asyncio.create_task(drop(by_level, 1, "DEBUG"))]
    after = None
    is_over = False
    while not is_over:
        is_over = running.is_set()  # then what is there is all
        async for page in storage.read_ndjson(LogQuery(after=after)):
            for line in page.lines.splitlines():
                entry = json.loads(line)
                worker, *numbers = entry["message"].split()
                sequence, number = map(int, numbers)
                position = int(entry["cursor"].rpartition("-")[2])
                if position <= last or upcoming.get(worker, (1, 0)) != (sequence, number):
                    wrong.append(f"{entry['message']} at {position} after {last}, {upcoming.get(worker)} was to come")
                upcoming[worker] = (sequence, number + 1) if number + 1 < ENTRIES else (sequence + 1, 0)
                last = position
                seen += 1
            after = page.last
            await asyncio.sleep(0)
    await asyncio.gather(*droppers)
    if (sound := quick_check(storage)) != "ok":
        wrong.append(f"quick_check: {sound}")
    for one in (storage, dropping, by_level):
        await one.aclose()
    return wrong, seen, sum(dropped)


async def soak(seconds: float) -> int:
    """Let them work; print the figures and give the exit status."""
    verdict = Verdict()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "obs.db")
        common = ("--seconds", seconds, "--path", path, "--worker")
        writers = [started("tests.soak.tail", *common, f"w{number}") for number in range(WRITERS)]
        sealers = [started("tests.soak.tail", *common, "") for _ in range(SEALERS)]
        over = asyncio.Event()
        following = asyncio.create_task(follow(path, over))
        ended = await asyncio.gather(*[asyncio.to_thread(one.communicate) for one in (*writers, *sealers)])
        over.set()
        wrong, seen, dropped = await following
    verdict.nothing_wrong("processes that failed", [err for _, err in ended if err])
    written = sum(int(out) for out, _ in ended[:WRITERS]) * ENTRIES
    rounds = sum(int(out) for out, _ in ended[WRITERS:])
    print(f"{seconds:g} s, {written:,} written, {seen:,} seen, {dropped:,} dropped behind the tail, {rounds} x sealed")
    verdict.promise("all that was written was seen", seen == written)
    verdict.promise("there was something to drop", dropped > 0)
    verdict.nothing_wrong("entries out of order, missed or seen twice", wrong)
    return verdict.status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is None:
        return asyncio.run(soak(given.seconds))
    if given.worker:
        write(given.path, given.worker, given.seconds)
    else:
        seal(given.path, given.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
