"""How long an event loop that logs 20,000 entries a second is held up, beside the same loop without logging.

A task logs what is due each millisecond; another one wants to run every millisecond and notes how late it is. Each run
is a process of its own; they take turns (control, ours, control, ours, ...), and the figures are medians over the
rounds.

Run it: uv run --group peers python -m benchmarks.stall [rounds]
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks.capture import native
from benchmarks.measure import heading
from benchmarks.ours import opened, stored
from benchmarks.peers import Library, Sink, queue_json, stdlib_text, structlog_orjson

ROUNDS = 7
SECONDS = 4.0
PER_SECOND = 20_000
TICK = 0.001
AT_MOST_MS = 1.0

CONTROL, OURS, CRASH = "control: a function that does nothing", "ours to SQLite", "ours to SQLite, crash"

Delays: TypeAlias = dict[str, float]
"""Milliseconds by percentile, the share of a core, and how many calls left nothing behind."""


def idle(_: Path) -> Library:
    """Nothing is logged."""

    def log(message: str, /, **attributes: object) -> None:
        pass

    def burst(calls: int) -> None:
        for number in range(calls):
            log("order placed", order=number, tier="gold", amount=19.99, paid=True)

    return Library(log, burst, burst)


def ours(path: Path, durability: str = "memory") -> Library:
    """Ours, into SQLite."""
    return native(opened(path, log_durability=durability))


RUNS: Mapping[str, Callable[[Path], Library]] = {
    CONTROL: idle,
    OURS: ours,
    CRASH: lambda path: ours(path, "crash"),
    "stdlib text to a file": lambda path: stdlib_text(Sink.file(path)),
    "QueueHandler, json in its thread, to a file": lambda path: queue_json(Sink.file(path)),
    "structlog, orjson to a file": lambda path: structlog_orjson(Sink.file(path)),
}


async def late(library: Library) -> tuple[list[float], int]:
    """Milliseconds by which each tick was late, and how much was logged."""
    loop = asyncio.get_running_loop()
    delays: list[float] = []
    logged = 0
    begun = loop.time()

    async def work() -> None:
        nonlocal logged
        while (elapsed := loop.time() - begun) < SECONDS:
            due = int(elapsed * PER_SECOND)
            library.burst(due - logged)
            logged = due
            await asyncio.sleep(TICK)

    async def tick() -> None:
        while (now := loop.time()) - begun < SECONDS:
            await asyncio.sleep(TICK)
            delays.append((loop.time() - now - TICK) * 1000)

    await asyncio.gather(work(), tick())
    return delays, logged


def run(name: str, path: Path) -> None:
    """One run, in this process; prints what it found."""
    library = RUNS[name](path)
    library.burst(1)
    library.drain()
    started = time.process_time()
    delays, logged = asyncio.run(late(library))
    cores = (time.process_time() - started) / SECONDS
    library.drain()
    delays.sort()
    quantiles = {f"p{share}": delays[int(len(delays) * share / 100)] for share in (50, 99, 99.9)}
    print(json.dumps({**quantiles, "max": delays[-1], "cores": cores, "logged": logged + 1}))
    library.close()


def one(name: str) -> Delays:
    """One run, in a process of its own."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "log")
        command = [sys.executable, "-m", "benchmarks.stall", "run", name, str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60 + SECONDS)
        found: Delays = json.loads(done.stdout)
        logged = int(found["logged"])
        if name in {OURS, CRASH}:
            with opened(path) as obs:
                found["missing"] = logged - stored(obs)
        elif name != CONTROL:
            found["missing"] = logged - path.read_bytes().count(b"\n")
        return found


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(heading("structlog", "orjson", "python-json-logger"))
    print(f"{PER_SECOND} entries a second, {rounds} rounds of {SECONDS:g} s, a tick every {TICK * 1000:g} ms")
    found: dict[str, list[Delays]] = {name: [] for name in RUNS}
    for _ in range(rounds):
        for name, runs in found.items():
            runs.append(one(name))
    print(f"\n{'late by ms':48}{'p50':>8}{'p99':>8}{'p99.9':>8}{'max':>8}{'p99 over control':>18}{'cores':>7}")
    over = {}
    for name, runs in found.items():
        medians = {key: statistics.median(it[key] for it in runs) for key in runs[0]}
        pairs = [it["p99"] - control["p99"] for it, control in zip(runs, found[CONTROL], strict=True)]
        over[name] = statistics.median(pairs)
        shown = "".join(f"{medians[key]:8.2f}" for key in ("p50", "p99", "p99.9", "max"))
        missing = f"  {medians['missing']:.0f} missing" if medians.get("missing") else ""
        print(f"{name:48}{shown}{over[name]:18.2f}{medians['cores']:7.2f}{missing}")
    control = statistics.median(it["p99"] for it in found[CONTROL])
    for name in (OURS, CRASH):
        verdict = "met" if over[name] <= AT_MOST_MS else "MISSED"
        verdict = verdict if control < 1 else f"{verdict}, where the control itself is at {control:.1f} ms"
        print(f"{name}: p99 {over[name]:.2f} ms over the control, at most {AT_MOST_MS:g} ms: {verdict}")
    print(f"switch interval {sys.getswitchinterval() * 1000:g} ms, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
