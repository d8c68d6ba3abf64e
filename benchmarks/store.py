"""What the SQLite store takes to write, to keep and to give back, beside plain tables: CPU of the process, one run.

The entries are those of store_corpus, encoded as the runtime hands them over. *Raw rows* is a table without an index
that takes them by ``executemany``, the least that SQLite can do with them; *naive* is one with an index by time and one
by level. Speeds are ratios to these, by the median over rounds in which all take turns.

Run it: uv run python -m benchmarks.store
"""

import asyncio
import itertools
import json
import sqlite3
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeAlias

from benchmarks.measure import Subject, heading, measure, median
from benchmarks.store_corpus import blocks

from observabilipy.encoding.encoded_entries import EncodedEntries, EncodedEntry
from observabilipy.models import LogQuery, counter
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage, logs

ENTRIES = 200_000
ROUNDS = 9
BATCHES = {1_000: (1.0, 2.2), 100: (0.6, 0.0)}
"""By entries of a commit: how fast it has to be beside raw rows, and beside the naive table."""

RAW = "CREATE TABLE log (id INTEGER PRIMARY KEY, timestamp INTEGER, level TEXT, message TEXT, attributes TEXT)"
NAIVE = (
    RAW.replace("PRIMARY KEY", "PRIMARY KEY AUTOINCREMENT").replace("timestamp INTEGER", "timestamp REAL"),
    "CREATE INDEX log_timestamp ON log (timestamp)",
    "CREATE INDEX log_level ON log (level)",
)
INSERT = "INSERT INTO log (timestamp, level, message, attributes) VALUES (?, ?, ?, ?)"
ABSENT = "refunded"

Write: TypeAlias = Callable[[Sequence[EncodedEntry]], object]
"""Commits some entries."""


def table(path: Path, *statements: str) -> sqlite3.Connection:
    """A new database with the settings of ours."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", *statements):
        connection.execute(statement)
    return connection


def rows_in(connection: sqlite3.Connection, rows: Sequence[EncodedEntry]) -> None:
    """One transaction."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(INSERT, rows)
    connection.execute("COMMIT")


def in_batches(write: Write, entries: Sequence[EncodedEntry], size: int) -> Callable[[int], None]:
    """A burst that writes so many entries, batch by batch, and begins anew with them when they end."""
    batches = [entries[start : start + size] for start in range(0, len(entries), size)]
    turn = itertools.cycle(batches)

    def burst(calls: int) -> None:
        for _ in range(calls // size):
            write(next(turn))

    return burst


def writing(directory: Path, entries: Sequence[EncodedEntry]) -> None:
    """Print how fast commits are."""
    for size, (of_raw, of_naive) in BATCHES.items():
        raw = table(directory / f"raw{size}.db", RAW)
        naive = table(directory / f"naive{size}.db", *NAIVE)
        appended, committed = (SQLiteStorage(directory / f"{name}{size}.db") for name in ("append", "commit"))
        numbers = itertools.count(1)

        def append(some: Sequence[EncodedEntry], storage: SQLiteStorage = appended) -> None:
            storage._database.write(partial(logs.append, new=logs.prepared(EncodedEntries(some))))  # noqa: SLF001

        def commit(
            some: Sequence[EncodedEntry], storage: SQLiteStorage = committed, numbers: Iterator[int] = numbers
        ) -> None:
            storage.commit(Batch(Worker("bench"), next(numbers), EncodedEntries(some)))

        writers: dict[str, Write] = {
            "raw rows": partial(rows_in, raw),
            "naive": partial(rows_in, naive),
            "ours, the log alone": append,
            "ours, commit": commit,
        }
        subjects = [Subject(name, in_batches(write, entries, size)) for name, write in writers.items()]
        taken = measure(subjects, rounds=ROUNDS, calls=20_000, clock=time.process_time_ns)
        print(f"\n{f'commits of {size:,}':32}{'ns an entry':>12}{'/ raw rows':>12}{'/ naive':>9}")
        speeds = {}
        for name in writers:
            speeds[name] = [faster(taken, name, peer) for peer in ("raw rows", "naive")]
            print(f"{name:32}{median(taken, name):12.0f}{speeds[name][0]:12.2f}{speeds[name][1]:9.2f}")
        tell(f"commits of {size:,} beside raw rows", speeds["ours, the log alone"][0], of_raw)
        if of_naive:
            tell(f"commits of {size:,} beside the naive table", speeds["ours, the log alone"][1], of_naive)
        for connection in (raw, naive):
            connection.close()
        for storage in (appended, committed):
            storage.close()


def faster(taken: dict[str, list[float]], name: str, peer: str) -> float:
    """How many times as fast as a peer: the median over the rounds."""
    return statistics.median(theirs / ours for ours, theirs in zip(taken[name], taken[peer], strict=True))


def tell(what: str, value: float, at_least: float) -> None:
    """One line with a verdict."""
    print(f"{what}: {value:.2f}, at least {at_least:.2f}: {'met' if value >= at_least else 'MISSED'}")


def used_bytes(path: Path) -> int:
    """Bytes of pages that hold something."""
    with closing(sqlite3.connect(path)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def empty_bytes(path: Path) -> int:
    """Bytes of a file of ours without an entry."""
    storage = SQLiteStorage(path)
    storage.maintain()
    storage.close()
    return used_bytes(path)


def sealed(storage: SQLiteStorage, entries: Sequence[EncodedEntry]) -> float:
    """Write by commits of a thousand, seal; gives the seconds of CPU that sealing took."""
    for number, start in enumerate(range(0, len(entries), 1_000), 1):
        storage.commit(Batch(Worker("bench"), number, EncodedEntries(entries[start : start + 1_000])))
    began = time.process_time()
    while True:
        plain = number_of_plain(storage.path)
        storage.maintain()
        if number_of_plain(storage.path) == plain:
            return time.process_time() - began


def number_of_plain(path: Path) -> int:
    """Segments that are as they were written."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM segment WHERE codec = 0").fetchone()[0])


def keeping(directory: Path, entries: Sequence[EncodedEntry]) -> None:
    """Print what the log takes, and how fast it is searched and given back."""
    storage = SQLiteStorage(directory / "log.db")
    seconds = sealed(storage, entries)
    overhead = empty_bytes(directory / "empty.db")
    print(f"\nsealing: {len(entries) / seconds:,.0f} entries for a second of CPU")
    raw = table(directory / "raw.db", RAW)
    for start in range(0, len(entries), 1_000):
        rows_in(raw, entries[start : start + 1_000])
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(storage.path)) as connection:
        messages = [
            bytes(row[0])
            for row in connection.execute("SELECT messages FROM body JOIN segment USING (first) WHERE codec = 1")
        ]

    async def stream() -> int:
        return sum([len(page.lines) async for page in storage.read_ndjson(LogQuery())])

    async def search() -> int:
        return await storage.count_logs(LogQuery(text=ABSENT))

    def scan() -> None:
        term = ABSENT.encode()
        if any(term in zlib.decompress(block) for block in messages):
            raise ValueError(f"there is {ABSENT!r} in it")

    def folded_scan() -> None:
        term = ABSENT.encode()
        if any(term in zlib.decompress(block).lower() for block in messages):
            raise ValueError(f"there is {ABSENT!r} in it")

    with asyncio.Runner() as runner:
        lines = runner.run(stream())
        ours = used_bytes(storage.path) - overhead
        plain = used_bytes(directory / "raw.db")
        print(f"\n{'bytes an entry':32}{'':12}{'of NDJSON':>12}{'of raw rows':>13}")
        for name, size in (("NDJSON", lines), ("raw rows", plain), ("ours, sealed", ours)):
            print(f"{name:32}{size / len(entries):12.1f}{f'1/{lines / size:.1f}':>12}{f'1/{plain / size:.1f}':>13}")
        tell("NDJSON in the bytes of the sealed log", lines / ours, 7)
        tell("raw rows in the bytes of the sealed log", plain / ours, 5.5)
        subjects = [
            Subject("zlib.decompress and in", lambda _: scan()),
            Subject("the same in either case", lambda _: folded_scan()),
            Subject("ours, text search", lambda _: print(end="" if not runner.run(search()) else "found?")),
            Subject("json.loads and json.dumps", lambda _: decoded_and_encoded(raw)),
            Subject("ours, NDJSON", lambda _: print(end="" if runner.run(stream()) else "nothing?")),
        ]
        taken = measure(subjects, rounds=ROUNDS, calls=len(entries), clock=time.process_time_ns)
        print(f"\n{'reading':32}{'ns an entry':>12}")
        for subject in subjects:
            print(f"{subject.name:32}{median(taken, subject.name):12.0f}")
        tell("text search beside zlib.decompress", faster(taken, "ours, text search", "zlib.decompress and in"), 0.85)
        tell(
            "text search beside that in either case",
            faster(taken, "ours, text search", "the same in either case"),
            0.85,
        )
        tell("NDJSON beside decoding and encoding", faster(taken, "ours, NDJSON", "json.loads and json.dumps"), 4)
        runner.run(storage.aclose())
    raw.close()


def decoded_and_encoded(connection: sqlite3.Connection) -> None:
    """What a program does that knows nothing better: each row is parsed and written again."""
    rows = connection.execute("SELECT id, timestamp, level, message, attributes FROM log ORDER BY id")
    while some := rows.fetchmany(1_000):
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
            for position, timestamp, level, message, attributes in some
        ]
        "\n".join(lines).encode()


def counting(directory: Path) -> None:
    """Print what totals take: 10,000 series, of which a commit changes some or all."""
    storage = SQLiteStorage(directory / "totals.db")
    plain = table(directory / "plain.db", "CREATE TABLE total (id INTEGER PRIMARY KEY, value ANY) STRICT")
    samples = tuple(
        counter(f"requests_{family}_total", 3, labels={"route": f"/items/{number}", "method": "GET"})
        for family in range(20)
        for number in range(500)
    )
    numbers = itertools.count(1)

    def commit(count: int) -> None:
        storage.commit(Batch(Worker("bench"), next(numbers), samples=samples[:: len(samples) // count]))

    def upsert(count: int) -> None:
        plain.execute("BEGIN IMMEDIATE")
        plain.executemany(
            "INSERT INTO total VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET value = value + excluded.value",
            [(number, 3) for number in range(0, len(samples), len(samples) // count)],
        )
        plain.execute("COMMIT")

    async def totals() -> None:
        async for _ in storage.totals():
            pass

    print(f"\n{'totals of 10,000 series':32}{'ms':>12}{'/ upsert':>12}{'at most':>9}")
    with asyncio.Runner() as runner:
        commit(10_000)
        subjects = [
            Subject("commit of 1,000 series", lambda _: commit(1_000)),
            Subject("commit of 10,000 series", lambda _: commit(10_000)),
            Subject("upsert of 1,000 rows", lambda _: upsert(1_000)),
            Subject("upsert of 10,000 rows", lambda _: upsert(10_000)),
            Subject("totals()", lambda _: runner.run(totals())),
        ]
        taken = measure(subjects, rounds=ROUNDS, calls=1, clock=time.process_time_ns)
        runner.run(storage.aclose())
    plain.close()
    limits = {"commit of 1,000 series": 3, "commit of 10,000 series": 40, "totals()": 25}
    for name in taken:
        found = median(taken, name) / 1e6
        peer = name.replace("commit", "upsert").replace("series", "rows")
        ratio = f"{1 / faster(taken, name, peer):12.1f}" if name.startswith("commit") else " " * 12
        verdict = f"{limits[name]:9}  {'met' if found <= limits[name] else 'MISSED'}" if name in limits else ""
        print(f"{name:32}{found:12.1f}{ratio}{verdict}")


def main() -> None:
    """Print the tables."""
    entries = list(itertools.chain.from_iterable(blocks(ENTRIES)))
    print(heading("observabilipy-sqlite", "aiosqlite"))
    print(f"SQLite {sqlite3.sqlite_version}, {ENTRIES:,} entries, {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as directory:
        writing(Path(directory), entries)
        keeping(Path(directory), entries)
        counting(Path(directory))


if __name__ == "__main__":
    main()
