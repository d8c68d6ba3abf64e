"""An application that logs and counts what it is told to, and tells what it then finds in its own store.

Each line of standard input is an order, a JSON array of a name and its arguments; each is answered by one line of JSON.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import observabilipy.observability
from observabilipy import EmbeddedRuntime, LevelRetentionPolicy, LogQuery, Observability, RetentionPolicy
from observabilipy.errors import StorageUnavailable
from observabilipy.http import Request

storage, settings, runtime = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
if "log_retention" in settings:
    levels = {level: RetentionPolicy(**limits) for level, limits in settings["log_retention"].items()}
    settings["log_retention"] = LevelRetentionPolicy(levels, RetentionPolicy.forever())
# Intervals of the runtime that an Observability does not let one choose, so that a test need not wait for long.
vars(observabilipy.observability)["EmbeddedRuntime"] = partial(EmbeddedRuntime, **runtime)
obs = Observability(storage, auth="public", collectors=(), **settings)
work = obs.counter("work_total", "What was done.")
workers = obs.gauge("workers", "Workers that live.", aggregate="sum")
emitted = 0


def log(count: int, level: str = "info", size: int = 0) -> int:
    """Record so many entries, numbered from the first one of the process on. Gives how many there were ever."""
    global emitted  # noqa: PLW0603 - the state of the program
    workers.set(1)
    record = getattr(obs, level)
    for _ in range(count):
        record("x" * size, number=emitted)
        work.inc()
        emitted += 1
    return emitted


def noise(count: int, size: int) -> None:
    """Record so many numbered entries of as many bytes as nothing can compress."""
    global emitted  # noqa: PLW0603 - the state of the program
    for _ in range(count):
        obs.info(os.urandom(size // 2).hex(), number=emitted)
        emitted += 1


def overload(threads: int, seconds: float, errors_each: int) -> dict[str, Any]:
    """Record as fast as threads can: many DEBUG, fewer INFO, and one ERROR in ``errors_each``."""
    counts: list[Counter[str]] = [Counter() for _ in range(threads)]
    end = time.monotonic() + seconds

    def run(count: "Counter[str]") -> None:
        while time.monotonic() < end:
            for number in range(errors_each):
                if number % 10:
                    obs.debug("order placed", tier="gold", number=number)
                else:
                    obs.info("order placed", tier="gold", number=number)
            obs.error("order lost", tier="gold")
            infos = -(-errors_each // 10)
            count.update(DEBUG=errors_each - infos, INFO=infos, ERROR=1)

    before = memory()
    running = [threading.Thread(target=run, args=(count,)) for count in counts]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return {"emitted": sum(counts, Counter()), "grown": memory() - before}


def memory() -> int:
    """The most bytes of this process that were ever resident."""
    # Not getrusage: Linux counts what the process held that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [peak] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024


def read() -> dict[str, Any]:
    """What the store holds: the numbers of its entries by level, and the totals."""
    return asyncio.run(_read())


async def _read() -> dict[str, Any]:
    numbers: dict[str, list[object]] = {}
    async for entry in obs.storage.read_logs(LogQuery()):
        if "number" in entry.attributes:
            numbers.setdefault(entry.level, []).append(entry.attributes["number"])
    return {"numbers": numbers, "totals": await _totals()}


async def _totals() -> dict[str, object]:
    return {
        " ".join([family.name, *series.labels.values()]): series.value
        async for family in obs.storage.totals()
        for series in family.series
    }


def count() -> dict[str, Any]:
    """How many entries of each level the store holds, and the totals."""

    async def ask() -> dict[str, Any]:
        facts = await obs.storage.log_facts()
        return {"counts": {level: held.count for level, held in facts.levels.items()}, "totals": await _totals()}

    return asyncio.run(ask())


def page(query: str) -> dict[str, Any]:
    """A page of /logs: who logged which number, the cursor of its last line, and the gap that it tells."""
    answer = obs.endpoints.handle_sync(Request("GET", "/logs", query.encode()))
    lines = [json.loads(line) for line in b"".join(answer.body).splitlines()]
    return {
        "entries": [[line["attributes"].get("service"), line["attributes"].get("number")] for line in lines],
        "last": lines[-1]["cursor"] if lines else None,
        "gap": dict(answer.headers).get(b"x-observabilipy-gap", b"").decode(),
    }


def status(path: str) -> int:
    """What an endpoint answers with."""
    answer = obs.endpoints.handle_sync(Request("GET", path, b""))
    answer.body.close()
    return answer.status


ORDERS: dict[str, Callable[..., Any]] = {
    "count": count,
    "flush": obs.flush,
    "log": log,
    "memory": memory,
    "noise": noise,
    "overload": overload,
    "page": page,
    "read": read,
    "status": status,
}

if __name__ == "__main__":
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = ORDERS[name](*arguments)
        except StorageUnavailable as error:  # who reads is told; who records never is
            answer = {"unavailable": str(error)}
        print(json.dumps(answer), flush=True)
    obs.close()
