"""Damage in the history, and processes that are killed while they pack it."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from observabilipy.models import HistogramValue, MetricQuery, counter, gauge, histogram
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.frames import frame_of
from observabilipy_sqlite.history import Reading, store
from observabilipy_sqlite.packing import Packer
from observabilipy_sqlite.tiers import Tiers

START = 1_800_014_400
SERIES = 70


def filled(path: Path, frames: int, clock: FakeClock) -> SQLiteStorage:
    """A storage with counters whose value is their number and that of the sample."""
    storage = SQLiteStorage(path, clock=clock)
    asyncio.run(storage.write_samples([counter("c_total", labels={"i": f"{index:03}"}) for index in range(SERIES)]))
    for number in range(frames):
        put(storage, number)
    clock.now = START + 10 * frames
    return storage


def put(storage: SQLiteStorage, number: int) -> None:
    frame = frame_of((START + 10 * number) * 1_000_000, [(index, number + index) for index in range(1, SERIES + 1)])
    storage._database.write(lambda connection: store(connection, frame))


def settle(storage: SQLiteStorage) -> None:
    packer = storage._packer
    while True:
        packer.work(storage._now())
        if packer._steps is None and packer._next(storage._now()) is None:
            return


def read(storage: SQLiteStorage) -> dict[str, dict[float, Any]]:
    async def found() -> dict[str, dict[float, Any]]:
        query = MetricQuery("c_total")
        return {one.labels["i"]: dict(one.points) async for one in storage.read_history(query)}

    return asyncio.run(found())


def change(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql, values).rowcount == 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def storage(tmp_path: Path, clock: FakeClock) -> Iterable[SQLiteStorage]:
    storage = filled(tmp_path / "obs.db", 120, clock)
    settle(storage)
    put(storage, 120)
    yield storage
    storage.close()


def damaged(storage: SQLiteStorage) -> int:
    """How often reading meets damage."""
    met: list[None] = []
    for _ in Reading(storage._database, MetricQuery("c_total"), lambda: met.append(None)).pages():
        pass
    return len(met)


def test_a_damaged_series_costs_its_own_points_of_one_stretch(storage: SQLiteStorage) -> None:
    change(
        storage.path,
        "UPDATE chunk SET data = CAST(substr(data, 1, 10) || x'ff' || substr(data, 12) AS BLOB)"
        " WHERE (stretch, slice) = (SELECT min(stretch), 0 FROM chunk)",
    )
    found = read(storage)

    assert [len(points) for points in found.values()] == [61, *[121] * 69]
    assert None not in found["000"].values()  # nobody knows whether it ended
    assert damaged(storage) == 1


def test_a_damaged_directory_costs_its_slice(storage: SQLiteStorage) -> None:
    change(
        storage.path,
        "UPDATE chunk SET directory = CAST(x'07' || substr(directory, 2) AS BLOB) WHERE (stretch, slice) ="
        " (SELECT min(stretch), 0 FROM chunk)",
    )

    assert [len(points) for points in read(storage).values()] == [*[61] * 63, *[121] * 7]
    assert damaged(storage) == 1


@pytest.mark.parametrize("axis", [b"", b"x", zlib.compress(b"q"), zlib.compress(b"c" + bytes(9))])
def test_a_damaged_axis_costs_its_stretch(storage: SQLiteStorage, axis: bytes, clock: FakeClock) -> None:
    change(storage.path, "UPDATE stretch SET axis = ? WHERE id = (SELECT min(id) FROM stretch)", axis)
    before = read(storage)
    met = damaged(storage)
    clock.advance(7_200)
    settle(storage)

    assert [len(points) for points in before.values()] == [61] * SERIES
    assert met == 1
    assert read(storage) == before


def test_a_damaged_frame_is_no_moment(storage: SQLiteStorage, clock: FakeClock) -> None:
    change(storage.path, "UPDATE frame SET data = CAST(x'00' || substr(data, 2) AS BLOB)")
    met, before = damaged(storage), read(storage)
    clock.advance(7_200)
    settle(storage)

    assert met == 1
    assert [len(points) for points in before.values()] == [120] * SERIES
    assert read(storage) == before


def test_no_flipped_byte_makes_reading_or_packing_fail_or_lie(tmp_path: Path, clock: FakeClock) -> None:
    drawn = random.Random(3)
    expected = {f"{index - 1:03}": {START + 10 * n: n + index for n in range(130)} for index in range(1, SERIES + 1)}
    storage = filled(tmp_path / "obs.db", 130, clock)
    settle(storage)
    storage.close()
    for trial in range(60):
        path = tmp_path / f"flipped-{trial}.db"
        with closing(sqlite3.connect(tmp_path / "obs.db")) as connection:
            connection.execute("VACUUM INTO ?", (str(path),))
        with closing(sqlite3.connect(path)) as connection, connection:
            table, column = drawn.choice(
                [("chunk", "data"), ("chunk", "directory"), ("frame", "data"), ("frame", "layout"), ("stretch", "axis")]
            )
            key = {"chunk": "stretch * 100 + slice", "frame": "timestamp", "stretch": "id"}[table]
            rows = connection.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
            which, blob = drawn.choice(rows)
            place = drawn.randrange(len(blob))
            flipped = blob[:place] + bytes([blob[place] ^ drawn.randrange(1, 256)]) + blob[place + 1 :]
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (flipped, which))
        copy = SQLiteStorage(path, clock=FakeClock(START + 7_200))
        before = read(copy)
        settle(copy)
        after = read(copy)
        copy.close()

        assert before
        for series, points in before.items():
            assert points.items() <= expected[series].items()
        for series, points in after.items():  # what was lost when it was packed anew is a gap like any other
            assert {moment: value for moment, value in points.items() if value is not None}.items() <= expected[
                series
            ].items()


KILLED = """
import sys, time
from pathlib import Path
from observabilipy_sqlite import SQLiteStorage
storage = SQLiteStorage(Path(sys.argv[1]), clock=lambda: float(sys.argv[2]))
storage._database.read(lambda connection: None)
print("ready", flush=True)
while True:
    storage.maintain()
"""


def test_a_process_that_is_killed_while_it_packs_loses_and_doubles_nothing(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "obs.db"
    storage = filled(path, 725, clock)
    expected = read(storage)
    drawn = random.Random(5)
    for _ in range(12):
        command = [sys.executable, "-c", KILLED, str(path), str(clock())]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(drawn.random() * 0.06)
            os.kill(process.pid, signal.SIGKILL)
        assert read(storage) == expected
    settle(storage)
    packed = read(storage)
    left = storage._database.read(lambda one: one.execute("SELECT DISTINCT state FROM stretch").fetchall())
    clock.advance(12 * 3_600)
    settle(storage)
    kept = read(storage)
    clock.advance(12 * 3_600 + 1)
    settle(storage)
    states = storage._database.read(lambda one: one.execute("SELECT DISTINCT state FROM stretch").fetchall())
    chunks = storage._database.read(
        lambda one: one.execute("SELECT count(*) FROM chunk WHERE stretch NOT IN (SELECT id FROM stretch)").fetchone()
    )
    storage.close()

    assert packed == kept == expected
    assert (1,) in left
    assert (states, chunks) == ([(1,)], (0,))


def test_an_error_in_the_middle_of_packing_costs_nothing(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = filled(tmp_path / "obs.db", 725, clock)
    expected = read(storage)
    write, calls = storage._database.write, iter(range(10_000))

    def failing(function: Any) -> Any:
        if next(calls) % 3 == 2:
            storage._database.close()
            raise OSError("gone")
        return write(function)

    monkeypatch.setattr(storage._database, "write", failing)
    for _ in range(60):
        try:
            storage._packer.work(storage._now())
        except OSError:
            assert read(storage) == expected
    monkeypatch.undo()
    settle(storage)
    found = read(storage)
    storage.close()

    assert found == expected


def test_a_packer_that_was_away_for_long_does_not_go_on_with_what_it_had(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = filled(tmp_path / "obs.db", 60, clock)
    monkeypatch.setattr("observabilipy_sqlite.packing._SECONDS", 1e-9)
    away = Packer(storage._database, Tiers({0: 86_400}))
    away.work(storage._now())
    begun = away._steps
    monkeypatch.undo()
    settle(storage)
    away.work(storage._now())
    found, steps = read(storage), away._steps
    storage.close()

    assert begun is not None
    assert steps is None
    assert [len(points) for points in found.values()] == [60] * SERIES


# A reader made of nothing but docs/formats.md


class Independent:
    """Reads the history of one series with SQL and the standard library alone."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path)

    def points(self, series: int) -> dict[tuple[int, int], Any]:
        """By step and microseconds."""
        found: dict[tuple[int, int], Any] = {}
        rows = self.connection.execute("SELECT id, step, since, times, axis FROM stretch WHERE state = 1").fetchall()
        for number, step, since, times, axis in rows:
            moments, _ = self.column(zlib.decompress(axis), 0, times)
            chunk = self.connection.execute(
                "SELECT directory, checksum, data FROM chunk WHERE stretch = ? AND slice = ?", (number, series // 64)
            ).fetchone()
            if chunk is None:
                continue
            directory, checksum, data = chunk
            assert zlib.crc32(directory) == checksum
            count = len(directory) // 5
            lengths = struct.unpack(f"<{count}I", directory[count:])
            at = 0
            for place, length in zip(directory[:count], lengths, strict=True):
                if place == series % 64:
                    for moment, value in self.runs(zlib.decompress(data[at : at + length]), moments):
                        if moment >= since:
                            found[step, moment] = value
                at += length
        for moment, layout, data, checksum in self.connection.execute(
            "SELECT timestamp, layout, data, checksum FROM frame"
        ):
            assert zlib.crc32(layout + data) == checksum
            values = self.frame(zlib.decompress(layout), zlib.decompress(data))
            if series in values:
                found[0, moment] = values[series]
        return found

    def runs(self, raw: bytes, moments: list[int]) -> Iterable[tuple[int, Any]]:
        at = 0
        while at < len(raw):
            start, count, shape = struct.unpack_from("<III", raw, at)
            at += 12
            bounds: tuple[float, ...] = ()
            columns = {0xFFFFFFFF: 1, 0xFFFFFFFE: 3}.get(shape)
            if columns is None:
                bounds = struct.unpack_from(f"<{shape}d", raw, at)
                at += 8 * shape
                columns = shape + 2
            values = []
            for _ in range(columns):
                column, at = self.column(raw, at, count)
                values.append(column)
            for offset, row in enumerate(zip(*values, strict=True)):
                value = (bounds, row[:-1], row[-1]) if bounds else row[0] if len(row) == 1 else row
                yield moments[start + offset], value

    def column(self, raw: bytes, at: int, count: int) -> tuple[list[Any], int]:
        kind, parts, first = struct.unpack_from("<cBq", raw, at)
        at += 10
        if kind == b"c":
            values = [first] * count
        elif kind == b"j":
            (length,) = struct.unpack_from("<I", raw, at)
            values = json.loads(raw[at + 4 : at + 4 + length])
            at += 4 + length
        else:
            letter = kind.decode()
            width = struct.calcsize(letter)
            number = count if letter == "d" else count - 1
            planes = [raw[at + plane * number : at + (plane + 1) * number] for plane in range(width)]
            joined = b"".join(bytes(cell) for cell in zip(*planes, strict=True))
            values = list(struct.unpack(f"<{number}{letter}", joined))
            at += width * number
            if letter != "d":
                values = list(accumulate(values, initial=first))
        return ([value / 1000 for value in values] if parts else values), at

    def frame(self, layout: bytes, data: bytes) -> dict[int, Any]:
        head, _, ids = layout.partition(b"\n")
        whole, real, groups = json.loads(head)
        series = list(struct.unpack(f"<{len(ids) // 8}q", ids))
        numbers = struct.unpack_from(f"<{whole}q{real}d", data)
        values: dict[int, Any] = dict(zip(series[: whole + real], numbers, strict=True))
        place, at = whole + real, 8 * (whole + real)
        for bounds, count in groups:
            for one in series[place : place + count]:
                counts = struct.unpack_from(f"<{len(bounds) + 1}q", data, at)
                values[one] = (tuple(bounds), counts, values[one])
                at += 8 * len(counts)
            place += count
        values.update((int(one), value) for one, value in json.loads(data[at:]).items())
        return values


async def test_the_format_is_as_documented(tmp_path: Path, clock: FakeClock) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db", clock=clock)
    await storage.write_samples([counter("a_total", 5)])
    await storage.write_samples([gauge("g", 0.1)])
    await storage.write_samples([histogram("h", HistogramValue.of((1, 2), [0.5]))])
    expected: list[dict[Any, Any]] = [{}, {}, {}]
    for number in range(722):
        clock.now = START + 10 * number
        await storage.write_samples([counter("a_total", 2**60 if number == 3 else number % 7)])
        await storage.write_samples([gauge("g", number / 7)])
        await storage.write_samples([histogram("h", HistogramValue.of((1, 2), [1.25]))])
        storage.sample_history(clock())
        for index, name in enumerate(("a_total", "g", "h")):
            (family,) = [family async for family in storage.totals([name])]
            value = family.series[0].value
            plain = (value.bounds, value.counts, value.sum) if isinstance(value, HistogramValue) else value
            expected[index][0, (START + 10 * number) * 1_000_000] = plain
    settle(storage)
    storage.close()
    reader = Independent(tmp_path / "obs.db")
    found = [reader.points(series) for series in (1, 2, 3)]
    reader.connection.close()
    thinned = [{key: value for key, value in one.items() if key[0] == 60} for one in found]

    assert [{key: value for key, value in one.items() if key[0] == 0} for one in found] == expected
    assert [len(one) for one in thinned] == [120] * 3
    for minute in range(120):
        last = (START + 60 * minute + 50) * 1_000_000
        some = [(6 * minute + place) / 7 for place in range(6)]
        assert thinned[0][60, last] == expected[0][0, last]
        assert thinned[1][60, last] == pytest.approx((sum(some) / 6, min(some), max(some)))
        assert thinned[2][60, last] == expected[2][0, last]
