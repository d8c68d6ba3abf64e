"""Packing: frames become stretches, small stretches large ones, and those are thinned; what is too old goes.

Everything is made outside of the write lock and stored chunk by chunk where no reader looks. One transaction then makes
it readable and deletes what it was made of, if that is still what it was. So whoever is interrupted, or is not alone,
repeats or loses nothing.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias, TypeVar

from observabilipy.errors import ObservabilityError
from observabilipy.models import MetricKind
from observabilipy_sqlite import logs, stretches
from observabilipy_sqlite.columns import Run
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.frames import (
    SLICE,
    Frame,
    Layout,
    Unpacked,
    is_intact,
    joined,
    runs_of,
    slices_of,
    unpacked_frame,
)
from observabilipy_sqlite.stretches import Draft, Lost, Stretch
from observabilipy_sqlite.thinning import Steps
from observabilipy_sqlite.tiers import Tiers
from observabilipy_sqlite.turns import pause

__all__ = ["Packer"]

_SECONDS = 0.1  # of packing, then whoever called has other things to do
_IDLE_SECONDS = 60.0  # after which what was begun is begun anew: another worker may have had the lease
_TURN_SECONDS = 0.0005  # with the interpreter's lock
_ENOUGH = 60  # frames: a reader of the newest unpacks all of them, and what is packed is packed once more
_MOST_VALUES = 4_000_000  # of the frames that are in memory at once, 8 bytes each

_Steps: TypeAlias = Iterator[None]
_Points: TypeAlias = Mapping[int, list[Run]]
T = TypeVar("T")


class _Waiting(NamedTuple):
    """Frames that are enough for a stretch; all of a window that is over, or so many."""

    generation: str
    frames: list[Frame]


class Packer:
    """Packs the history of one database, a little with each call; all calls come from the same thread.

    Args:
        database: where it is.
        tiers: what is thinned to what, and how long it is kept.
        damaged: called once for each frame, chunk or series of a chunk that could not be read and was left out.
    """

    def __init__(self, database: Database, tiers: Tiers, damaged: Callable[[], object] = lambda: None) -> None:
        self._database = database
        self._tiers = tiers
        self._damaged = damaged
        self._turn_began = 0.0
        self._now = 0  # microseconds
        self.forget()

    def forget(self) -> None:
        """Let go of what was begun; the next call begins anew."""
        self._lock = threading.Lock()  # guards what was begun: one call at a time, another one has nothing to do
        self._steps: _Steps | None = None
        self._last = 0.0

    def work(self, now: int) -> None:
        """Go on for a tenth of a second at most. ``now`` is in microseconds.

        Raises:
            StorageUnavailable: nothing was lost; what was begun is begun anew.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._work(now)
            finally:
                self._lock.release()

    def _work(self, now: int) -> None:
        self._now = now
        began = self._turn_began = time.monotonic()
        steps = self._steps if began - self._last < _IDLE_SECONDS else None
        self._steps = None  # an error ends what was begun
        try:
            while (steps := steps or self._next(now)) is not None:
                steps = _advanced(steps)
                if time.monotonic() - began > _SECONDS:
                    break
        except Lost:
            steps = None
        self._steps, self._last = steps, time.monotonic()

    def _next(self, now: int) -> _Steps | None:
        """What is to be done first, if anything is."""
        # Room comes first: workers that are killed while they pack, again and again, would else fill the file.
        if self._database.read(partial(stretches.too_old, tiers=self._tiers, now=now)):
            return self._drop(now)
        waiting = self._database.read(partial(self._waiting, now=now))
        if waiting is not None:
            return self._pack(waiting, now)
        generation, sources = self._database.read(partial(self._unsealed, now=now))
        if sources:
            return self._seal(generation, sources, now)
        return None

    # Frames become a stretch

    def _waiting(self, connection: sqlite3.Connection, now: int) -> _Waiting | None:
        times = [
            timestamp
            for (timestamp,) in connection.execute("SELECT timestamp FROM frame ORDER BY timestamp LIMIT ?", (_ENOUGH,))
        ]
        if not times:
            return None
        window = self._tiers.window(0)
        of_window = [one for one in times if one // window == times[0] // window]
        if now // window > times[0] // window or len(of_window) == _ENOUGH:
            rows = connection.execute(
                "SELECT timestamp, points, CAST(layout AS BLOB), CAST(data AS BLOB), checksum FROM frame"
                " WHERE timestamp <= ? ORDER BY timestamp",
                (of_window[-1],),
            )
            return _Waiting(logs.generation(connection), list(map(Frame._make, rows)))
        return None

    def _pack(self, waiting: _Waiting, now: int) -> _Steps:
        intact = []
        for frame in waiting.frames:
            if is_intact(frame):
                intact.append(frame)
            else:
                self._damaged()
        if not intact:
            self._write(lambda connection: _delete_frames(connection, waiting))
            return
        times = [frame.timestamp for frame in intact]
        draft = self._write(
            partial(
                stretches.begin, step=0, span=(times[0], times[-1]), times=times, now=now, generation=waiting.generation
            )
        )
        with self._abandoned(draft, now):
            for slice_, frames in self._unpacked(intact):
                points = runs_of(frames, slice_)
                yield from self._put(draft, slice_, points)

            draft.close()

            def finish(connection: sqlite3.Connection) -> None:
                _delete_frames(connection, waiting)
                stretches.finish(connection, draft, times[0], now, sealed=False)

            self._write(finish)

    def _unpacked(self, frames: Sequence[Frame]) -> Iterator[tuple[int, list[Unpacked]]]:
        """Each slice with the frames; of more values than fit, the frames are unpacked some slices at a time."""
        layouts: dict[bytes, Layout] = {}
        first = []
        for frame in frames:
            first.append(unpacked_frame(frame, layouts))
            self._breathe()
            if sum(map(_size, first)) > _MOST_VALUES:
                break
        if len(first) == len(frames):
            for slice_ in slices_of(first):
                yield slice_, first
            return
        del first
        found: set[int] = set()
        largest = 1
        for frame in frames:
            one = unpacked_frame(frame, layouts)
            found.update(slices_of([one]))
            largest = max(largest, _size(one))
            self._breathe()
        some = max(1, len(found) * _MOST_VALUES // (largest * len(frames)))
        ordered = sorted(found)
        for start in range(0, len(ordered), some):
            chosen = ordered[start : start + some]
            narrowed: dict[int, Layout] = {}
            parts = []
            for frame in frames:
                parts.append(unpacked_frame(frame, layouts).within(chosen[0], chosen[-1], narrowed))
                self._breathe()
            for slice_ in chosen:
                yield slice_, parts

    # Stretches become a larger one, and a coarser one

    def _unsealed(self, connection: sqlite3.Connection, now: int) -> tuple[str, list[Stretch]]:
        """Stretches of a window that is over, oldest first: nothing finer waits that would be added to it."""
        unsealed = stretches.select(connection, "sealed = 0")
        (waiting,) = connection.execute("SELECT min(timestamp) FROM frame").fetchone()
        for step in sorted({stretch.step for stretch in unsealed}):
            of_step = [stretch for stretch in unsealed if stretch.step == step]
            window = self._tiers.window(step)
            number = of_step[0].oldest // window
            finer = [stretch.oldest for stretch in unsealed if stretch.step < step]
            if waiting is not None:
                finer.append(waiting)
            if now // window > number and all(oldest // window > number for oldest in finer):
                return logs.generation(connection), _apart(one for one in of_step if one.oldest // window == number)
        return "", []

    def _seal(self, generation: str, sources: Sequence[Stretch], now: int) -> _Steps:
        step = sources[0].step
        coarser = self._tiers.coarser(step)
        try:
            axes = [source.read_axis()[0] for source in sources]
        except ValueError:
            self._damaged()
            self._write(partial(_leave, sources=sources))
            return
        times = [moment for axis in axes for moment in axis]
        firsts = [sum(map(len, axes[:place])) for place in range(len(axes))]
        span = sources[0].oldest, sources[-1].newest
        begin = partial(stretches.begin, span=span, now=now, generation=generation)
        # A stretch that is alone in its window is as good as one that was put together; it is only thinned.
        whole = None if len(sources) == 1 else self._write(partial(begin, step=step, times=times))
        steps = None if coarser is None else Steps.divide(times, coarser)
        thin = None
        if coarser is not None and steps is not None:
            thin = self._write(partial(begin, step=coarser, times=steps.times))
        with self._abandoned(whole, now), self._abandoned(thin, now):
            for slice_ in (
                self._database.read(partial(stretches.slices, ids=[source.id for source in sources]))
                if whole or thin
                else ()
            ):
                points, gauges = self._read(sources, firsts, slice_)
                yield
                if whole is not None:
                    yield from self._put(whole, slice_, points)
                if thin is not None and steps is not None:
                    thinned = {}
                    for series, runs in points.items():
                        is_gauge = series in gauges and all(run.bounds is None for run in runs)
                        thinned[series] = steps.thin(runs, averaged=is_gauge)
                        self._breathe()
                    yield from self._put(thin, slice_, thinned)
            for draft in (whole, thin):
                if draft is not None:
                    draft.close()
            self._write(partial(_exchange, sources=sources, whole=whole, thin=thin, now=now))

    def _slices(self, sources: Sequence[Stretch]) -> list[int]:
        return self._database.read(partial(stretches.slices, ids=[source.id for source in sources]))

    def _read(self, sources: Sequence[Stretch], firsts: Sequence[int], slice_: int) -> tuple[_Points, set[int]]:
        """The points of a slice, on the axis of all sources together, and which of the series are gauges."""

        def fetch(connection: sqlite3.Connection) -> tuple[list[stretches.Chunk], set[int]]:
            chunks = [chunk for one in sources for chunk in stretches.read_chunks(connection, one.id, [slice_])]
            if not stretches.is_readable(connection, [source.id for source in sources]):
                raise Lost
            return chunks, _gauges(connection, slice_)

        chunks, gauges = self._database.read(fetch)
        first_of = dict(zip((source.id for source in sources), firsts, strict=True))
        runs: dict[int, list[Run]] = {}
        for chunk in chunks:
            try:
                points, damaged = chunk.read()
            except ValueError:
                self._damaged()
                continue
            for _ in damaged:
                self._damaged()
            for series, some in points.items():
                for run in some:
                    run.start += first_of[chunk.stretch]
                runs.setdefault(series, []).extend(some)
            self._breathe()
        return {series: joined(some) for series, some in runs.items()}, gauges

    # What is too old goes

    def _drop(self, now: int) -> _Steps:
        for number in self._database.read(partial(stretches.too_old, tiers=self._tiers, now=now)):
            while not self._write(partial(stretches.erase, stretch=number, now=now)):
                yield
            yield

    # How it is done

    def _put(self, draft: Draft, slice_: int, points: _Points) -> _Steps:
        """Pack and store the points of a slice."""
        chunk = draft.chunk(slice_, points, self._breathe)
        if chunk.directory:
            self._write(partial(stretches.put, draft=draft, chunk=chunk, now=self._now))
        yield

    def _write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return self._database.write(function)

    @contextlib.contextmanager
    def _abandoned(self, draft: Draft | None, now: int) -> Iterator[None]:
        """Whoever came too late, or has no room, says so: what is begun anew needs that room. Else age tells."""
        try:
            yield
        except (Lost, ObservabilityError):
            if draft is not None:
                with contextlib.suppress(ObservabilityError):
                    self._write(partial(stretches.abandon, draft=draft, now=now))
            raise

    def _breathe(self) -> None:
        """Give other threads their turn."""
        if time.monotonic() - self._turn_began > _TURN_SECONDS:
            pause()
            self._turn_began = time.monotonic()


def _advanced(steps: _Steps) -> _Steps | None:
    """The steps when one of them was made, None when there are no more."""
    for _ in steps:
        return steps
    return None


def _size(frame: Unpacked) -> int:
    return len(frame.whole) + len(frame.real) + sum(map(len, frame.counts))


def _delete_frames(connection: sqlite3.Connection, waiting: _Waiting) -> None:
    if logs.generation(connection) != waiting.generation:
        raise Lost
    known = ",".join(f"[{frame.timestamp},{frame.checksum}]" for frame in waiting.frames)
    deleted = connection.execute(
        "DELETE FROM frame WHERE (timestamp, checksum) IN"
        " (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))",
        (f"[{known}]",),
    )
    if deleted.rowcount != len(waiting.frames):  # they were deleted, packed by somebody else, or sampled anew
        raise Lost


def _apart(ordered: Iterable[Stretch]) -> list[Stretch]:
    """Those that follow one another; a clock that went back makes stretches that do not."""
    found: list[Stretch] = []
    for stretch in ordered:
        if not found or found[-1].newest < stretch.oldest:
            found.append(stretch)
    return found


def _leave(connection: sqlite3.Connection, sources: Sequence[Stretch]) -> None:
    """Make nothing of these."""
    for source in sources:
        connection.execute("UPDATE stretch SET sealed = 1 WHERE id = ? AND state = 1", (source.id,))


def _exchange(
    connection: sqlite3.Connection, sources: Sequence[Stretch], whole: Draft | None, thin: Draft | None, now: int
) -> None:
    if whole is None:
        (source,) = sources
        updated = connection.execute(
            "UPDATE stretch SET sealed = 1 WHERE id = ? AND state = ? AND sealed = 0 RETURNING since",
            (source.id, stretches.READABLE),
        ).fetchone()
        if updated is None:
            raise Lost
        (since,) = updated
    else:
        since = stretches.replace(connection, sources, now)
        stretches.finish(connection, whole, since, now, sealed=True)
    if thin is not None:
        stretches.finish(connection, thin, since, now, sealed=False)


def _gauges(connection: sqlite3.Connection, slice_: int) -> set[int]:
    rows = connection.execute(
        "SELECT id FROM series WHERE id >= ? AND id < ? AND kind = ?",
        (slice_ * SLICE, (slice_ + 1) * SLICE, MetricKind.GAUGE.value),
    )
    return {series for (series,) in rows}
