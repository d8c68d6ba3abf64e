"""The history in SQL: totals as they were sampled, and how a query finds them among frames and stretches."""

import json
import sqlite3
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeAlias, cast

from observabilipy.errors import StorageUnavailable
from observabilipy.models import (
    HistogramValue,
    MetricKind,
    MetricQuery,
    SeriesHistory,
    SeriesValue,
    from_micros,
    to_micros,
)
from observabilipy_sqlite import stretches
from observabilipy_sqlite.columns import Column, Run
from observabilipy_sqlite.courier import Courier
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.frames import (
    SLICE,
    Frame,
    Layout,
    Unpacked,
    is_intact,
    runs_of,
    unpacked_frame,
)
from observabilipy_sqlite.stretches import Chunk, Stretch

__all__ = ["Known", "Reading", "count", "delete_before", "histories", "matching_series", "store"]

Known: TypeAlias = dict[int, tuple[str, MetricKind, dict[str, str]]]
"""Name, kind and labels by series id."""

_Range: TypeAlias = tuple[float, float] | None

_EARLIEST, _LATEST = -(2**63), 2**63 - 1
_DAY_MICROS = 86_400 * 1_000_000
_TRIES = 5  # packing changes what is where at most every few seconds
_CHUNKS_A_PAGE = 16  # of some ten to a hundred kilobytes
_FRAMES_A_PAGE = 100
_PAGES_SECONDS = 0.005  # then whoever else reads has a turn


def store(connection: sqlite3.Connection, frame: Frame) -> None:
    """Append a frame; one of the same time is replaced."""
    connection.execute(
        "INSERT OR REPLACE INTO frame (timestamp, points, layout, data, checksum) VALUES (?, ?, ?, ?, ?)", frame
    )


def matching_series(connection: sqlite3.Connection, query: MetricQuery) -> Known:
    """The series that a query asks for, those that ended included, but for those that did a day before it begins."""
    since = _EARLIEST if query.since is None else to_micros(query.since) - _DAY_MICROS  # a clock may have gone back
    found = connection.execute(
        "SELECT id, name, kind, labels FROM series WHERE name = ? AND (ended IS NULL OR ended >= ?)",
        (query.name, max(since, _EARLIEST)),
    )
    known = {series: (name, MetricKind(kind), json.loads(labels)) for series, name, kind, labels in found}
    return {
        series: about
        for series, about in known.items()
        if all(matcher.accepts(about[0], about[2]) for matcher in query.matchers)
    }


def count(connection: sqlite3.Connection) -> int:
    """How many points there are, those of a coarser step besides those of which they were made."""
    (points,) = connection.execute(
        "SELECT (SELECT coalesce(sum(points), 0) FROM frame)"
        " + (SELECT coalesce(sum(points), 0) FROM stretch WHERE state = ?)",
        (stretches.READABLE,),
    ).fetchone()
    return int(points)


def delete_before(connection: sqlite3.Connection, timestamp: float, now: int) -> int:
    """Delete what is older than unix seconds. Gives how many points went."""
    micros = to_micros(timestamp)
    gone = connection.execute("DELETE FROM frame WHERE timestamp < ? RETURNING points", (micros,)).fetchall()
    return sum(int(points) for (points,) in gone) + stretches.cut(connection, micros, now)


class _Wanted(NamedTuple):
    """Which times of a stretch a query takes: from one place on the axis up to another one."""

    stretch: Stretch
    times: list[int]
    start: int
    end: int


class _Plan(NamedTuple):
    """Where the points are, in the order of time: of which series, in which stretches, and the times of frames."""

    known: Known
    parts: list[_Wanted]
    frames: list[int]

    @property
    def is_in_order(self) -> bool:
        """False when the clock went back, or a time was sampled anew after it was packed."""
        spans = [(part.times[part.start], part.times[part.end - 1]) for part in self.parts]
        spans += [(self.frames[0], self.frames[-1])] if self.frames else []
        return all(before[1] < after[0] for before, after in pairwise(spans))

    def by_slice(self) -> dict[int, list[int]]:
        """The series of each slice."""
        found: dict[int, list[int]] = {}
        for series in self.known:
            found.setdefault(series // SLICE, []).append(series)
        return found


@dataclass(slots=True)
class _Line:
    """The points of one series so far."""

    points: list[tuple[float, SeriesValue | None]] = field(default_factory=list)
    ranges: list[_Range] = field(default_factory=list)
    lives: bool = False

    def mark(self, moment: float) -> None:
        """The series ended, if it lived."""
        if self.lives:
            self.points.append((moment, None))
            self.ranges.append(None)
            self.lives = False

    def add(self, moments: Sequence[float], run: Run, start: int, end: int) -> None:
        """Add what a run has from one place on the axis up to another one."""
        some = slice(start - run.start, end - run.start)
        columns = run.columns
        values: Sequence[SeriesValue | None]
        if run.bounds is not None:
            values = _histograms(run.bounds, [column[some] for column in columns])
        else:
            values = columns[0] if len(columns[0]) == end - start else columns[0][some]
        self.points.extend(zip(moments[start:end], values, strict=True))
        if len(columns) == 3 and run.bounds is None:
            self.ranges.extend(zip(columns[1][some], columns[2][some], strict=True))
        else:
            self.ranges.extend([None] * (end - start))
        self.lives = True

    def state(self) -> tuple[int, bool]:
        """What ``return_to`` needs."""
        return len(self.points), self.lives

    def return_to(self, length: int, lives: bool) -> None:
        """Forget what was added since."""
        del self.points[length:], self.ranges[length:]
        self.lives = lives

    def put_in_order(self) -> None:
        """By time; of two points at one time what was sampled last counts."""
        latest = {moment: place for place, (moment, _) in enumerate(self.points)}
        order = [latest[moment] for moment in sorted(latest)]
        self.points = [self.points[place] for place in order]
        self.ranges = [self.ranges[place] for place in order]

    def history(self, about: tuple[str, MetricKind, dict[str, str]]) -> SeriesHistory:
        """All of it."""
        has_ranges = len(self.ranges) > self.ranges.count(None)
        return SeriesHistory(*about, points=tuple(self.points), ranges=tuple(self.ranges) if has_ranges else ())


async def histories(courier: Courier, database: Database, query: MetricQuery) -> AsyncIterator[SeriesHistory]:
    """What a query gives, read on the courier's thread."""
    pages = Reading(database, query, database.damage.in_history).pages()
    found = None
    while found is None:
        found = await courier.carry(partial(_further, pages))
    for series in found:
        yield series


def _further(pages: Iterator[list[SeriesHistory] | None]) -> list[SeriesHistory] | None:
    """Some pages at once: to hand over each of them takes as long as a page."""
    give_up = time.monotonic() + _PAGES_SECONDS
    found = None
    while found is None and time.monotonic() < give_up:
        found = next(pages)
    return found


class Reading:
    """One query: finds out where its points are, and takes them a page at a time.

    Args:
        database: where they are.
        query: which.
        damaged: called once for each frame, chunk or series of a chunk that could not be read and was left out.
    """

    def __init__(self, database: Database, query: MetricQuery, damaged: Callable[[], object] = lambda: None) -> None:
        self._database = database
        self._query = query
        self._damaged = damaged
        self._since = _EARLIEST if query.since is None else to_micros(query.since)
        self._until = _LATEST if query.until is None else to_micros(query.until)

    def pages(self) -> Iterator[list[SeriesHistory] | None]:
        """None after each page, for whoever wants to do something else in between; at last the histories.

        Raises:
            StorageUnavailable: the file cannot be read now.
        """
        lines: dict[int, _Line] = {}
        known: Known = {}  # what was read may be deleted, and its series forgotten, before the rest is
        since, is_in_order, tries = self._since, True, _TRIES
        while tries:
            plan = self._database.read(partial(self._plan, since=since))
            is_in_order = is_in_order and plan.is_in_order
            known |= plan.known
            for series in plan.known:
                lines.setdefault(series, _Line())
            for read_until in self._pages(plan, lines):
                if read_until is None:
                    break  # something was packed meanwhile: from here on it is elsewhere
                if read_until >= since:
                    since, tries = read_until + 1, _TRIES
                yield None
            else:
                if not is_in_order:
                    for line in lines.values():
                        line.put_in_order()
                yield [line.history(known[series]) for series, line in lines.items() if line.points]
                return
            if not is_in_order:
                lines, since = {}, self._since
            tries -= 1
        raise StorageUnavailable(f"the history in {self._database.path} changes all the time: repeat the call")

    def _plan(self, connection: sqlite3.Connection, since: int) -> _Plan:
        known = matching_series(connection, self._query)
        if not known:
            return _Plan({}, [], [])
        found = stretches.select(
            connection,
            "newest >= ? AND oldest < ? AND since < ?",
            since,
            self._until,
            self._until,
        )
        frames = connection.execute(
            "SELECT timestamp FROM frame WHERE timestamp >= ? AND timestamp < ? ORDER BY timestamp",
            (since, self._until),
        )
        return _Plan(known, self._chosen(found, since), [timestamp for (timestamp,) in frames])

    def _chosen(self, found: Sequence[Stretch], since: int) -> list[_Wanted]:
        """For each moment the step that suits the query best of those that there are."""
        chosen: list[_Wanted] = []
        covered: list[tuple[int, int]] = []
        hint = self._query.step or 0
        # The coarsest that suffices first, then finer ones, then what is coarser than asked for.
        for step in sorted({one.step for one in found}, key=lambda step: (step > hint, abs(step - hint))):
            intact: list[Stretch] = []
            for stretch in (one for one in found if one.step == step):
                try:
                    times, _ = stretch.read_axis()
                except ValueError:
                    self._damaged()
                    continue
                intact.append(stretch)
                first, last = max(since, stretch.since), min(self._until, stretch.newest + 1)
                for start, end in _uncovered(first, last, covered):
                    places = bisect_left(times, start), bisect_left(times, end)
                    if places[0] < places[1]:
                        chosen.append(_Wanted(stretch, times, *places))
            covered = sorted([*covered, *((one.oldest, one.newest + 1) for one in intact)])
        return sorted(chosen, key=lambda part: part.times[part.start])

    def _pages(self, plan: _Plan, lines: dict[int, _Line]) -> Iterator[int | None]:
        """Add the points to the lines. Gives until when there is everything, or None: something is not there any more.

        Of a part that is not there as a whole nothing is added.
        """
        by_slice = plan.by_slice()
        slices = sorted(by_slice)
        for part in plan.parts:
            moments = list(map(from_micros, part.times))
            before = [line.state() for line in lines.values()]
            for start in range(0, len(slices), _CHUNKS_A_PAGE):
                some = slices[start : start + _CHUNKS_A_PAGE]
                chunks = self._database.read(partial(_chunks, stretch=part.stretch.id, slices=some))
                if chunks is None:
                    for line, state in zip(lines.values(), before, strict=True):
                        line.return_to(*state)
                    yield None
                    return
                found = {chunk.slice: chunk for chunk in chunks}
                for slice_ in some:
                    self._add_chunk(found.get(slice_), by_slice[slice_], part, moments, lines)
                yield part.times[part.end - 1] if some[-1] == slices[-1] else _EARLIEST
        layouts: dict[bytes, Layout] = {}
        for start in range(0, len(plan.frames) if slices else 0, _FRAMES_A_PAGE):
            times = plan.frames[start : start + _FRAMES_A_PAGE]
            rows = self._database.read(partial(_frames, first=times[0], last=times[-1]))
            if [row.timestamp for row in rows] != times:
                yield None
                return
            intact = [row for row in rows if is_intact(row)]
            for _ in range(len(rows) - len(intact)):
                self._damaged()
            self._add_frames([unpacked_frame(frame, layouts) for frame in intact], by_slice, lines)
            yield times[-1]

    def _add_chunk(
        self,
        chunk: Chunk | None,
        wanted: Sequence[int],
        part: _Wanted,
        moments: Sequence[float],
        lines: dict[int, _Line],
    ) -> None:
        points: dict[int, list[Run]] = {}
        damaged: set[int] = set()
        if chunk is not None:
            try:
                points, damaged = chunk.read(wanted)
            except ValueError:
                damaged = set(wanted)
                self._damaged()
            else:
                for _ in damaged:
                    self._damaged()
        for series in wanted:
            if series not in damaged:  # nobody knows whether it ended: there is no mark
                _add(lines[series], moments, points.get(series, ()), part.start, part.end)

    def _add_frames(
        self, frames: Sequence[Unpacked], by_slice: Mapping[int, Sequence[int]], lines: dict[int, _Line]
    ) -> None:
        moments = [from_micros(frame.timestamp) for frame in frames]
        for slice_, wanted in by_slice.items():
            points = runs_of(frames, slice_)
            for series in wanted:
                _add(lines[series], moments, points.get(series, ()), 0, len(frames))


def _add(line: _Line, moments: Sequence[float], runs: Sequence[Run], start: int, end: int) -> None:
    """Add what a series has from one place on the axis up to another one, with marks where it ended."""
    at = start
    for run in runs:
        first, last = max(run.start, start), min(run.end, end)
        if first < last:
            if first > at:
                line.mark(moments[at])
            line.add(moments, run, first, last)
            at = last
    if at < end:
        line.mark(moments[at])


def _histograms(bounds: tuple[float, ...], columns: Sequence[Column]) -> list[SeriesValue | None]:
    *counts, sums = columns
    return [
        HistogramValue(bounds, cast("tuple[int, ...]", row), total)
        for row, total in zip(zip(*counts, strict=True), sums, strict=True)
    ]


def _uncovered(start: int, end: int, covered: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of a time without those that are covered, which are sorted."""
    left = []
    for first, last in covered:
        if first >= end:
            break
        if first > start:
            left.append((start, first))
        start = max(start, last)
    if start < end:
        left.append((start, end))
    return left


def _chunks(connection: sqlite3.Connection, stretch: int, slices: Sequence[int]) -> list[Chunk] | None:
    if not stretches.is_readable(connection, [stretch]):
        return None
    return stretches.read_chunks(connection, stretch, slices)


def _frames(connection: sqlite3.Connection, first: int, last: int) -> list[Frame]:
    rows = connection.execute(
        "SELECT timestamp, points, CAST(layout AS BLOB), CAST(data AS BLOB), checksum FROM frame"
        " WHERE timestamp BETWEEN ? AND ?"
        " ORDER BY timestamp",
        (first, last),
    )
    return list(map(Frame._make, rows))
