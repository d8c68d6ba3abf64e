"""What the history costs: bytes a point, beside a Prometheus block of the same samples, sampling, packing, reading.

1,000 series, every 10 seconds for a day: 60 % counters, 25 % counters like those of a histogram's buckets, 15 % gauges
(bytes, ratios, measured floats), put into a SQLite storage frame by frame, and packed by its maintenance under a clock
that is handed in. ``promtool tsdb create-blocks-from openmetrics`` makes the blocks: all in their directories counts.
Times are CPU times of the process, the median of several runs.

Run it: uv run --group peers python -m benchmarks.history [hours]
"""

import asyncio
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import heading

from observabilipy.models import Family, Matcher, MetricKind, MetricQuery, MetricSample, counter, from_micros, gauge
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.frames import frame_of
from observabilipy_sqlite.history import store

SERIES, STEP, HOURS = 1_000, 10, 24
START = 1_800_014_400  # where windows begin
COUNTERS, BUCKETS = 600, 850  # the first series that is none


def names() -> Iterator[tuple[str, dict[str, str]]]:
    """Name and labels of each series: families of 100."""
    for index in range(SERIES):
        kind = "gauge" if index >= BUCKETS else "total"
        yield f"family_{index // 100}_{kind}", {"instance": f"{index:04}", "path": f"/api/v1/{index % 7}"}


def samples(hours: int) -> Iterator[tuple[int, list[float]]]:
    """Microseconds and all values, a sampler's jitter of some milliseconds included."""
    drawn = random.Random(4)
    rates = [drawn.choice((0, 0.02, 0.5, 3, 20, 200)) for _ in range(BUCKETS)]
    values: list[float] = [0] * SERIES
    for index in range(BUCKETS, SERIES):
        values[index] = (drawn.randrange(10**9), round(drawn.random(), 3), drawn.random() * 50)[index % 3]
    for step in range(hours * 3_600 // STEP):
        for index, rate in enumerate(rates):
            if rate and (rate >= 1 or drawn.random() < rate):
                values[index] += max(1, round(drawn.gauss(rate * STEP, rate)))
        for index in range(BUCKETS, SERIES):
            if index % 3 == 0:
                values[index] += drawn.randrange(-40, 41) * 4_096 if drawn.random() < 0.3 else 0
            elif index % 3 == 1:
                values[index] = round(min(1.0, max(0.0, values[index] + drawn.gauss(0, 0.01))), 3)
            else:
                values[index] += drawn.gauss(0, 0.1)
        yield (START + step * STEP) * 1_000_000 + drawn.randrange(4_000), values


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU."""
    began = time.process_time()
    work()
    return time.process_time() - began


def median(work: Callable[[], object], runs: int = 7) -> float:
    """Milliseconds of CPU."""
    return 1_000 * statistics.median(cpu(work) for _ in range(runs))


def tell(what: str, found: float, limit: float | None = None, unit: str = "") -> None:
    """Print a figure, and whether it is within its limit."""
    verdict = "" if limit is None else f", at most {limit:g}: {'met' if found <= limit else 'MISSED'}"
    print(f"{what}: {found:,.3g}{unit}{verdict}", flush=True)


def begun(storage: SQLiteStorage) -> None:
    """Let series 1, 2, ... be those of the samples."""
    every: list[MetricSample] = [
        gauge(name, 0, labels=labels) if name.endswith("gauge") else counter(name, labels=labels)
        for name, labels in names()
    ]
    asyncio.run(storage.write_samples(every))


def settle(storage: SQLiteStorage) -> None:
    """Maintain until there is nothing more to do."""
    for _ in range(10_000):
        storage.maintain()
        packer = storage._packer  # noqa: SLF001 - whether it has more to do
        if packer._steps is None and packer._next(storage._now()) is None:  # noqa: SLF001
            return


def file_bytes(path: Path) -> int:
    """Of a copy without free pages."""
    copy = path.with_name("whole.db")
    copy.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    return copy.stat().st_size


def fill(storage: SQLiteStorage, clock: FakeClock, hours: int, openmetrics: Path) -> tuple[float, int]:
    """Put all samples into the storage, maintaining it on the way. CPU seconds of maintenance, and the points.

    What is left to be done is as much as it ever is: a stretch is to be made, and a window to be put together.
    """
    begun(storage)
    lines: list[list[str]] = [[] for _ in range(SERIES)]
    heads = [
        name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "} "
        for name, labels in names()
    ]
    spent, points = 0.0, 0
    for number, (micros, values) in enumerate(samples(hours)):
        clock.now = from_micros(micros) + 0.01
        frame = frame_of(micros, enumerate(values, 1))
        storage._database.write(lambda connection, frame=frame: store(connection, frame))  # type: ignore[misc] # noqa: SLF001
        for one, head, value in zip(lines, heads, values, strict=True):
            one.append(f"{head}{value!r} {micros // 1_000 / 1_000:.3f}\n")
        points += len(values)
        if number % 60 == 59 and number + 1 < hours * 3_600 // STEP:
            spent += cpu(lambda: settle(storage))
    with openmetrics.open("w", encoding="utf-8") as out:
        family = ""
        for one, (name, _) in zip(lines, names(), strict=True):
            if name != family:
                kind = "gauge" if name.endswith("gauge") else "counter"
                out.write(f"# TYPE {name.removesuffix('_total')} {kind}\n")
                family = name
            out.writelines(one)
        out.write("# EOF\n")
    return spent, points


def block_bytes(openmetrics: Path, directory: Path) -> int | None:
    """Of the blocks that Prometheus makes of it, each of a day; None where there is no promtool."""
    promtool = shutil.which("promtool")
    if promtool is None:
        return None
    directory.mkdir()
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h"]
    subprocess.run([*command, str(openmetrics), str(directory)], check=True, stdout=subprocess.DEVNULL)
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def read(storage: SQLiteStorage, query: MetricQuery) -> list[tuple[float, float]]:
    """The sum of the series at each time, as a dashboard wants it."""

    async def summed() -> list[tuple[float, float]]:
        found = [series async for series in storage.read_history(query)]
        if len(found) == 1:
            return list(found[0].points)  # type: ignore[arg-type] # numbers
        moments = [moment for moment, _ in found[0].points]
        columns = [[value for _, value in series.points] for series in found]
        return list(zip(moments, map(sum, zip(*columns, strict=True)), strict=True))

    return asyncio.run(summed())


def sampling(path: Path, series: int) -> float:
    """Milliseconds for one sample of so many series."""
    storage = SQLiteStorage(path / f"sampled-{series}.db")
    every = [counter("sampled_total", index + 1, labels={"a": str(index)}) for index in range(series)]
    family = Family("sampled_total", MetricKind.COUNTER, "Sampled.", series_limit=series)
    asyncio.run(storage.register([family]))
    for start in range(0, series, 1_000):
        asyncio.run(storage.write_samples(every[start : start + 1_000]))
    moments = iter(range(1_000))
    found = median(lambda: storage.sample_history(float(next(moments))))
    storage.close()
    return found


def main() -> None:
    """Fill, pack, compare, read, and print."""
    hours = int(sys.argv[1]) if sys.argv[1:] else HOURS
    print(heading("observabilipy-core", "observabilipy-sqlite"))
    print(f"SQLite {sqlite3.sqlite_version}; {SERIES:,} series, every {STEP} s for {hours} h\n")
    with TemporaryDirectory() as name:
        directory = Path(name)
        clock = FakeClock(START)
        storage = SQLiteStorage(directory / "obs.db", clock=clock)
        lone = MetricQuery("family_3_total", (Matcher("instance", "0333"),), step=60)
        spent, points = fill(storage, clock, hours, directory / "samples.txt")
        print(f"Before the last window is packed, {len(read(storage, lone)):,} points:")
        tell("bytes a sample, all steps, the file without free pages", file_bytes(directory / "obs.db") / points, 1.5)
        tell("one series at 1 min and what is finer only, ms", median(partial(read, storage, lone)), 5)
        print("Afterwards:")
        clock.now = START + hours * 3_600 + 0.01
        spent += cpu(lambda: settle(storage))
        size = file_bytes(directory / "obs.db")
        used = sqlite3.connect(directory / "whole.db")
        by_step = used.execute(
            "SELECT step, sum(length(data) + length(directory)), max(points) FROM chunk JOIN"
            " (SELECT id, step, (SELECT sum(points) FROM stretch AS s WHERE s.step = stretch.step) AS points"
            " FROM stretch) ON id = stretch GROUP BY step"
        ).fetchall()
        for step, length, stored in by_step:
            print(f"step {step} s: {stored:,} points, {length / stored:.2f} bytes each, {length / points:.2f} a sample")
        tell("bytes a sample, all steps, the file without free pages", size / points, 1.5)
        live = (directory / "obs.db").stat().st_size
        tell("bytes a sample, with the pages that are free for what comes next", live / points)
        block = block_bytes(directory / "samples.txt", directory / "blocks")
        if block is None:
            print("no promtool: no block to compare with")
        else:
            print(f"Prometheus block: {block / points:.2f} bytes a sample")
            tell("the file as a share of it", size / block, 0.6)
        print(
            f"packing and thinning: {points / spent:,.0f} samples per second of CPU, maintenance of the rest included"
        )
        family = MetricQuery("family_3_total", step=60)
        whole = MetricQuery("family_3_total", lone.matchers)
        for what, query, limit in (
            ("one series over {} h at 1 min, ms", lone, 5),
            ("100 series over {} h at 1 min, summed, ms", family, 100),
            ("one series over {} h as sampled, ms", whole, None),
        ):
            print(f"{len(read(storage, query)):,} points:", end=" ")
            tell(what.format(hours), median(partial(read, storage, query)), limit)
        tenth = START + hours * 360
        tell(
            "deleting the oldest tenth, ms", 1_000 * cpu(lambda: asyncio.run(storage.delete_history_before(tenth))), 50
        )
        tell("and giving back its pages, ms", 1_000 * cpu(lambda: settle(storage)))
        storage.close()
        for series in (1_000, 10_000):
            tell(f"sampling {series:,} series, ms", sampling(directory, series))


if __name__ == "__main__":
    main()
