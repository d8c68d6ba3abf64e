"""Eight processes write to one file, by batches as services do, or as fast as they can; one of them maintains it.

Run it: uv run python -m tests.soak.writers [--seconds 60] [--saturating]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.soak.batches import Verdict, batch, machine, quick_check, started, strays, upkeep

from observabilipy_sqlite import SQLiteStorage

WRITERS = 8
PERIOD_SECONDS, ENTRIES = 0.175, 550
SATURATING_ENTRIES = 100
UPKEEP_SECONDS = 1.0
WAL_BYTES, SATURATED_WAL_BYTES = 8 * 2**20, 32 * 2**20
FLUSH_SECONDS = 0.025  # p99, on a machine that has nothing else to do


def write(path: str, worker: str, seconds: float, saturating: bool) -> None:
    """One writer: prints what it committed and how long each commit took."""
    storage = SQLiteStorage(path)
    count = SATURATING_ENTRIES if saturating else ENTRIES
    flushes: list[float] = []
    errors: list[str] = []
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    maintained = began
    sequence = 1
    while time.monotonic() < began + seconds:
        new = batch(worker, sequence, count)
        before = time.perf_counter()
        try:
            storage.commit(new)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            errors.append(repr(error))
        else:
            flushes.append(time.perf_counter() - before)
            sequence += 1
        if time.monotonic() > maintained + UPKEEP_SECONDS:
            maintained = time.monotonic()
            upkeep(storage, worker)
        if not saturating:
            time.sleep(max(0.0, began + sequence * PERIOD_SECONDS - time.monotonic()))
    storage.close()
    print(json.dumps({"worker": worker, "last": sequence - 1, "flushes": flushes, "errors": errors}))


def size_of(path: Path) -> int:
    """Bytes of a file that may be gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def soak(seconds: float, saturating: bool) -> int:
    """Let them write; print the figures and give the exit status."""
    verdict = Verdict()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "obs.db")
        flag = ["--saturating"] if saturating else []
        writers = [
            started("tests.soak.writers", "--seconds", seconds, "--path", path, "--worker", f"w{number}", *flag)
            for number in range(WRITERS)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdin is not None
            writer.stdout.readline()
        print(machine(), flush=True)
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        wal, largest = Path(f"{path}-wal"), 0
        with ThreadPoolExecutor(WRITERS) as readers:  # what they say is more than a pipe holds
            endings = [readers.submit(writer.communicate) for writer in writers]
            while not all(ending.done() for ending in endings):
                largest = max(largest, size_of(wal))
                time.sleep(0.005)
        ended = [ending.result() for ending in endings]
        said = [json.loads(out) for out, _ in ended if out]
        verdict.nothing_wrong("writers that failed", [err for _, err in ended if err])
        storage = SQLiteStorage(path)
        committed = {one["worker"]: one["last"] for one in said}
        count = SATURATING_ENTRIES if saturating else ENTRIES
        flushes = [flush for one in said for flush in one["flushes"]]
        entries = sum(committed.values()) * count
        print(f"{WRITERS} writers, {seconds:g} s, {entries:,} entries, {entries / seconds:,.0f} a second")
        verdict.nothing_wrong("errors", [error for one in said for error in one["errors"]])
        verdict.nothing_wrong("entries lost, doubled or out of order", asyncio.run(strays(storage, count, committed)))
        verdict.promise(f"quick_check: {quick_check(storage)}", quick_check(storage) == "ok")
        limit = SATURATED_WAL_BYTES if saturating else WAL_BYTES
        verdict.promise(f"largest WAL: {largest / 2**20:.1f} MiB, at most {limit / 2**20:.0f}", largest <= limit)
        p50, p99 = statistics.median(flushes), statistics.quantiles(flushes, n=100)[98]
        print(f"flush: p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, longest {max(flushes) * 1e3:.1f} ms", end="")
        goal = "" if saturating else f"; p99 at most {FLUSH_SECONDS * 1e3:.0f} ms on an idle machine: "
        print(goal + ("" if saturating else "met" if p99 <= FLUSH_SECONDS else "MISSED"))
        storage.close()
    return verdict.status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--saturating", action="store_true")
    parser.add_argument("--path", help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is None:
        return soak(given.seconds, given.saturating)
    write(given.path, given.worker, given.seconds, given.saturating)
    return 0


if __name__ == "__main__":
    sys.exit(main())
