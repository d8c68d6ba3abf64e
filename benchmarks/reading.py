"""What reading the log back costs, from the store to bytes of NDJSON: CPU time, interleaved, medians, one run.

Run it: uv run python benchmarks/reading.py
"""

import asyncio
import json
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from observabilipy.encoding.ndjson import encode_entry
from observabilipy.models import LogEntry, LogQuery
from observabilipy.ports import LogStoragePort, NdjsonPort
from observabilipy.storage import InMemoryLogStorage
from observabilipy_sqlite import SQLiteStorage

ROUNDS = 7
ENTRIES = 100_000
PAGE = 1_000

Read: TypeAlias = Callable[[], Awaitable[int]]
"""Reads everything, and gives how many bytes that were."""


def entries() -> list[LogEntry]:
    """A message and four attributes each."""
    return [
        LogEntry(
            1_763_826_000.123456 + number / 1000,
            "INFO",
            f"order {number} placed",
            {"tier": "gold", "cents": 1999 + number, "ok": True, "ratio": number / 7},
        )
        for number in range(ENTRIES)
    ]


async def write(storage: LogStoragePort, some: list[LogEntry]) -> None:
    """In transactions of the size of a batch."""
    for start in range(0, len(some), PAGE):
        await storage.write_logs(some[start : start + PAGE])


def rows(path: Path, some: list[LogEntry]) -> None:
    """A table as one would make it at first: a row for each entry, its attributes as JSON."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE log (position INTEGER PRIMARY KEY, timestamp, level, message, attributes)")
        connection.executemany(
            "INSERT INTO log (timestamp, level, message, attributes) VALUES (?, ?, ?, ?)",
            [(int(one.timestamp * 1e6), one.level, one.message, json.dumps(dict(one.attributes))) for one in some],
        )


def plain_segments(path: Path) -> int:
    """How many segments are not packed yet."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM segment WHERE codec = 0").fetchone()[0])


def loads_and_dumps(path: Path) -> Read:
    """What a program does that knows nothing better: each row is parsed and written again."""

    async def read() -> int:
        size = 0
        with closing(sqlite3.connect(path)) as connection:
            for start in range(1, ENTRIES + 1, PAGE):
                rows = connection.execute(
                    "SELECT position, timestamp, level, message, attributes FROM log"
                    " WHERE position >= ? AND position < ? ORDER BY position",
                    (start, start + PAGE),
                ).fetchall()
                lines = [
                    json.dumps(
                        {
                            "cursor": f"a-{position}",
                            "timestamp": timestamp / 1e6,
                            "level": level,
                            "message": message,
                            "attributes": json.loads(attributes),
                        }
                    )
                    for position, timestamp, level, message, attributes in rows
                ]
                size += len("\n".join(lines).encode()) + 1
        return size

    return read


def ndjson(storage: NdjsonPort, query: LogQuery) -> Read:
    """What ``GET /logs`` sends."""

    async def read() -> int:
        return sum([len(page.lines) async for page in storage.read_ndjson(query)])

    return read


def by_entries(storage: LogStoragePort) -> Read:
    """Each entry is built, and written again."""

    async def read() -> int:
        return sum([len(encode_entry(entry)) async for entry in storage.read_logs(LogQuery())])

    return read


def counted(storage: LogStoragePort, query: LogQuery) -> Read:
    """Only how many match."""

    async def read() -> int:
        return await storage.count_logs(query)

    return read


async def microseconds(read: Read) -> float:
    """CPU of this process, all threads, for one entry."""
    started = time.process_time_ns()
    await read()
    return (time.process_time_ns() - started) / ENTRIES / 1000


async def measure(directory: Path) -> None:
    """Print the table."""
    some = entries()
    file, memory = SQLiteStorage(directory / "obs.db"), InMemoryLogStorage()
    await write(file, some)
    await write(memory, some)
    naive = directory / "rows.db"
    rows(naive, some)
    file.maintain()
    while plain_segments(file.path) > 1:
        file.maintain()
    peer = "json.loads + json.dumps"
    reads: dict[str, Read] = {
        peer: loads_and_dumps(naive),
        "SQLite, read_logs + encode_entry": by_entries(file),
        "SQLite, read_ndjson": ndjson(file, LogQuery()),
        "  levels, time: all match": ndjson(file, LogQuery(min_level="INFO", since=0)),
        "  level: none matches": ndjson(file, LogQuery(levels={"ERROR"})),
        "  q: one in a hundred matches": ndjson(file, LogQuery(text="99 PLACED")),
        "  q: none matches": ndjson(file, LogQuery(text="refunded")),
        "  attr: all match": ndjson(file, LogQuery(attributes={"tier": "gold"})),
        "  attr: one matches": ndjson(file, LogQuery(attributes={"cents": "5000"})),
        "  count by level": counted(file, LogQuery(levels={"INFO"})),
        "  count by q": counted(file, LogQuery(text="99 PLACED")),
        "memory, read_logs + encode_entry": by_entries(memory),
        "memory, read_ndjson": ndjson(memory, LogQuery()),
    }
    taken: dict[str, list[float]] = {name: [] for name in reads}
    for _ in range(ROUNDS):
        for name, read in reads.items():
            taken[name].append(await microseconds(read))
    await file.aclose()
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {ENTRIES} entries, CPU of the process")
    print(f"{'':34}{'us an entry':>12}{'entries/s':>12}{'faster':>9}")
    for name, times in taken.items():
        median = statistics.median(times)
        ratio = statistics.median(theirs / ours for ours, theirs in zip(times, taken[peer], strict=True))
        print(f"{name:34}{median:12.2f}{1e6 / median:12,.0f}{ratio:8.1f}x")


def main() -> None:
    """Measure in a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure(Path(directory)))


if __name__ == "__main__":
    main()
