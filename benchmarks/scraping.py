"""What a scrape costs, beside prometheus_client: CPU time of the process, all in one run, taking turns.

``/metrics`` of 100,000 lines from memory; from the SQLite file of four workers, beside the multiprocess mode with four
processes; with 128 dead workers; and how long a scrape of 100,000 lines holds the event loop up.

Run it: uv run --group peers python -m benchmarks.scraping
"""

import asyncio
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import prometheus_client
from benchmarks.measure import Subject, Taken, heading, measure, median
from benchmarks.scraped import fill_ours, fill_theirs
from prometheus_client import CollectorRegistry, make_asgi_app
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from observabilipy import Family, Observability
from observabilipy.encoding.exposition import Format, encode_metrics
from observabilipy.http import Endpoints, Request
from observabilipy.models import LabelSets, SeriesColumns
from observabilipy.storage.memory import MemoryStorage
from observabilipy_asgi import ObservabilityApp
from observabilipy_sqlite import SQLiteStorage

ROUNDS = 7
WORKERS = 4
DEAD = 128
TICK = 0.001
GZIP = ((b"accept-encoding", b"gzip"),)


def times(taken: Taken, ours: str, theirs: str) -> float:
    """How many times theirs takes what ours takes: the median over the rounds."""
    return statistics.median(their / our for our, their in zip(taken[ours], taken[theirs], strict=True))


def show(title: str, taken: Taken, pairs: Mapping[str, tuple[str, float]]) -> None:
    """Print what was measured, and by how much each of ours beats its peer, which has a target."""
    print(f"\n{title + ', CPU of the process':60}{'ms':>9}")
    for name in taken:
        print(f"{name:60}{median(taken, name) / 1e6:9.2f}")
    for ours, (theirs, least) in pairs.items():
        found = times(taken, ours, theirs)
        print(
            f"{ours}: {found:.1f} times less than {theirs}, at least {least:g}: {'met' if found >= least else 'MISSED'}"
        )


def from_memory(loop: asyncio.AbstractEventLoop, kind: str) -> None:
    """100,000 lines of one process."""
    registry = CollectorRegistry()
    fill_theirs(registry, kind)
    storage = MemoryStorage()
    loop.run_until_complete(fill_ours(storage, kind))
    endpoints = Endpoints(storage, auth="public")

    async def anew() -> AsyncIterator[Family]:
        async for family in storage.totals():
            columns = family.series
            assert isinstance(columns, SeriesColumns)
            yield replace(family, series=SeriesColumns(LabelSets(tuple(columns.labels)), columns.values))

    async def body(families: AsyncIterator[Family], wire: Format) -> bytes:
        return b"".join([chunk async for chunk in encode_metrics(families, wire)])

    async def zipped() -> bytes:
        response = await endpoints.handle(Request("GET", "/metrics", b"", GZIP))
        return b"".join([chunk async for chunk in response.body])

    def run(ours: Callable[[], Awaitable[bytes]]) -> Callable[[int], None]:
        return lambda calls: loop.run_until_complete(called(ours, calls))

    def their_openmetrics() -> object:
        return generate_openmetrics(registry)  # type: ignore[no-untyped-call] # foreign

    theirs = prometheus_client.generate_latest
    their_lines = len(theirs(registry).splitlines())
    our_body = loop.run_until_complete(body(storage.totals(), "prometheus"))
    sizes = len(gzip.compress(theirs(registry))), len(loop.run_until_complete(zipped()))
    print(f"\n{kind}: {len(our_body.splitlines()):,} lines, {len(our_body):,} bytes; theirs {their_lines:,} lines;"
          f" gzipped by level 9 (theirs) {sizes[0]:,}, by level 1 (ours) {sizes[1]:,}")  # fmt: skip
    taken = measure(
        [
            Subject("theirs, text", lambda calls: repeat(lambda: theirs(registry), calls)),
            Subject("ours, text, cold", run(lambda: body(anew(), "prometheus"))),
            Subject("ours, text, warm", run(lambda: body(storage.totals(), "prometheus"))),
            Subject("theirs, OpenMetrics", lambda calls: repeat(their_openmetrics, calls)),
            Subject("ours, OpenMetrics, cold", run(lambda: body(anew(), "openmetrics"))),
            Subject("ours, OpenMetrics, warm", run(lambda: body(storage.totals(), "openmetrics"))),
            Subject("theirs, text, gzipped", lambda calls: repeat(lambda: gzip.compress(theirs(registry)), calls)),
            Subject("ours, text, gzipped, /metrics", run(zipped)),
        ],
        rounds=ROUNDS,
        calls=1,
        clock=time.process_time_ns,
    )
    show(
        f"{kind} from memory",
        taken,
        {
            "ours, text, warm": ("theirs, text", 40),
            "ours, text, cold": ("theirs, text", 5),
            "ours, OpenMetrics, warm": ("theirs, OpenMetrics", 40),
            "ours, OpenMetrics, cold": ("theirs, OpenMetrics", 5),
            "ours, text, gzipped, /metrics": ("theirs, text, gzipped", 20),
        },
    )


async def called(function: Callable[[], Awaitable[object]], calls: int) -> None:
    """Await it so many times."""
    for _ in range(calls):
        await function()


def repeat(function: Callable[[], object], calls: int) -> None:
    """Call it so many times."""
    for _ in range(calls):
        function()


def from_workers(loop: asyncio.AbstractEventLoop, directory: Path) -> None:
    """What four workers counted: their files, our file; then what is left of 128 that were killed."""
    subjects: list[Subject] = []
    opened: list[SQLiteStorage] = []
    for name, kind, workers in (
        (f"{WORKERS} workers", "mixed", WORKERS),
        ("1 worker, 1,000 series", "small", 1),
        (f"{DEAD} dead workers, 1,000 series", "small", DEAD),
    ):
        place = directory / name.replace(" ", "-").replace(",", "")
        (place / "ours").mkdir(parents=True)
        for who in ("theirs", "ours"):
            environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(place)}
            subprocess.run(
                [sys.executable, "-m", "benchmarks.scraped", who, kind, str(workers), str(place)],
                env=environ,
                check=True,
            )
        subjects += [over_files(f"theirs, {name}", place), over_file(f"ours, {name}", place, loop, opened)]
        files = len(list(place.glob("*.db")))
        print(f"{name}: {files} files of theirs")
    taken = measure(subjects, rounds=ROUNDS, calls=1, clock=time.process_time_ns)
    dead, one = f"{DEAD} dead workers, 1,000 series", "1 worker, 1,000 series"
    show(
        "/metrics over workers",
        taken,
        {f"ours, {WORKERS} workers": (f"theirs, {WORKERS} workers", 20), f"ours, {dead}": (f"theirs, {dead}", 100)},
    )
    found = 1 / times(taken, f"ours, {dead}", f"ours, {one}")
    print(f"ours, {dead}: {found:.2f} of ours, {one}, at most 1.15: {'met' if found <= 1.15 else 'MISSED'}")
    for storage in opened:
        storage.close()


def over_files(name: str, place: Path) -> Subject:
    """What prometheus_client's collector makes of the files in a directory."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(place))  # type: ignore[no-untyped-call] # foreign
    return Subject(name, lambda calls: repeat(lambda: prometheus_client.generate_latest(registry), calls))


def over_file(name: str, place: Path, loop: asyncio.AbstractEventLoop, opened: list[SQLiteStorage]) -> Subject:
    """``/metrics`` of the SQLite file in a directory."""
    storage = SQLiteStorage(place / "ours" / "obs.db")
    opened.append(storage)
    endpoints = Endpoints(storage, auth="public")
    return Subject(name, lambda calls: loop.run_until_complete(called(lambda: scraped(endpoints), calls)))


async def scraped(endpoints: Endpoints) -> bytes:
    """One answer of ``/metrics``."""
    response = await endpoints.handle(Request("GET", "/metrics", b"", ()))
    return b"".join([chunk async for chunk in response.body])


async def late(application: Any, headers: list[tuple[bytes, bytes]], scrapes: int) -> tuple[float, float]:
    """How long a loop that answers scrapes was held: milliseconds by which a tick was late, and of CPU in one turn."""
    lateness, turns = [0.0], [0.0]
    done = asyncio.Event()

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while not done.is_set():
            due, spent = loop.time() + TICK, time.thread_time()
            await asyncio.sleep(TICK)
            lateness.append(loop.time() - due)
            turns.append(time.thread_time() - spent)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(5 * TICK)
    for _ in range(scrapes):
        if application is None:
            await asyncio.sleep(0.1)
        else:
            await answered(application, headers)
    await asyncio.sleep(5 * TICK)
    done.set()
    await ticking
    return max(lateness) * 1e3, max(turns) * 1e3


async def answered(application: Any, headers: list[tuple[bytes, bytes]]) -> None:
    """One request to an ASGI application, as a server would make it."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/metrics",
        "raw_path": b"/metrics",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": None,
    }
    unread = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if unread:
            return unread.pop()
        await asyncio.Event().wait()  # the client stays
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        pass

    await application(scope, receive, send)


def holding(directory: Path) -> None:
    """A task that ticks each millisecond beside scrapes of 100,000 lines in the same loop."""
    kind = "100,000 lines of counters"
    registry = CollectorRegistry()
    fill_theirs(registry, kind)
    path = directory / "held.db"
    asyncio.run(filled(SQLiteStorage(path, max_bytes=2**30), kind))
    storage = MemoryStorage()
    asyncio.run(fill_ours(storage, kind))
    memory = Observability(storage, auth="public", handle_sigterm=False)
    file = Observability(f"sqlite:///{path}", auth="public", handle_sigterm=False)
    zipped = [(b"accept-encoding", b"gzip")]
    print("\n100,000 lines in an event loop")
    runs: dict[str, tuple[Any, list[tuple[bytes, bytes]], int]] = {
        "control: idle": (None, [], 5),
        "ours, memory": (ObservabilityApp(memory), [], 5),
        "ours, memory, gzipped": (ObservabilityApp(memory), zipped, 5),
        "ours, SQLite": (ObservabilityApp(file), [], 5),
        "theirs": (make_asgi_app(registry, disable_compression=True), [], 1),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    with asyncio.Runner() as runner:
        for name, (application, headers, _) in runs.items():  # cold
            first = runner.run(late(application, headers, 1))
            print(f"{name}, the first of all: {first[0]:.2f} ms late, {first[1]:.2f} ms of CPU of the loop")
        for _ in range(ROUNDS):
            for name, (application, headers, scrapes) in runs.items():
                found[name].append(runner.run(late(application, headers, scrapes)))
    title = "later scrapes: the latest of all ticks"
    print(f"{title:60}{'ms late':>9}{'CPU of the loop':>18}")
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)] for name, rounds in found.items()
    }
    for name, (latest, held) in medians.items():
        print(f"{name:60}{latest:9.2f}{held:18.2f}")
    for name in runs:
        if name.startswith("ours"):
            more = medians[name][0] - medians["control: idle"][0]
            print(f"{name}: {more:.2f} ms later than the control, at most 5: {'met' if more <= 5 else 'MISSED'}")
    memory.close()
    file.close()


async def filled(storage: SQLiteStorage, kind: str) -> None:
    """Fill a file, and close it."""
    await fill_ours(storage, kind)
    await storage.aclose()


def main() -> None:
    """Print the tables."""
    print(heading("prometheus-client"))
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # ours writes none either
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory() as directory:
        for kind in ("100,000 lines of counters", "100,000 lines of histograms"):
            from_memory(loop, kind)
        from_workers(loop, Path(directory))
        holding(Path(directory))
    loop.close()


if __name__ == "__main__":
    main()
