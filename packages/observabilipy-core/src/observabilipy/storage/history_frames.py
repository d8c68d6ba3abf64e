"""HistoryFrames: totals as they were at some moments. Not safe for threads: its owner holds the lock."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from observabilipy.models import Family, MetricKind, MetricQuery, SeriesHistory, SeriesValue, from_micros, to_micros
from observabilipy.storage.totals_table import LabelsKey, labels_key

__all__ = ["Frame", "HistoryFrames", "select"]

_Point: TypeAlias = SeriesValue | None
_Points: TypeAlias = dict[tuple[MetricKind, LabelsKey], _Point]


@dataclass(frozen=True, slots=True)
class Frame:
    """All totals at one moment, by name. It is never changed, so readers need no lock for it."""

    micros: int
    points: dict[str, _Points]

    def __len__(self) -> int:
        return sum(map(len, self.points.values()))


class HistoryFrames:
    """Frames in the order of time; None marks a series that ended since the frame before.

    A series that was deleted and began anew between two frames shows as a fall, without a mark.
    """

    def __init__(self, max_samples: int | None = None) -> None:
        self._max_samples = max_samples
        self._frames: list[Frame] = []
        self._count = 0

    @property
    def count(self) -> int:
        """Points of all frames, marks among them."""
        return self._count

    def append(self, timestamp: float, families: Iterable[Family]) -> None:
        """Add the frame of a moment; one that is there already is replaced."""
        micros = to_micros(timestamp)
        at = bisect_left(self._frames, micros, key=_micros)
        points = {family.name: _points(family) for family in families}
        if at:
            _mark_ends(self._frames[at - 1].points, points)
        self._replace(at, bisect_right(self._frames, micros, key=_micros), Frame(micros, points))
        while self._max_samples is not None and self._count > self._max_samples:
            self._replace(0, 1, *_shortened(self._frames[0], self._count - self._max_samples))

    def delete_before(self, timestamp: float) -> int:
        """Delete points older than unix seconds."""
        before = self._count
        self._replace(0, bisect_left(self._frames, to_micros(timestamp), key=_micros))
        return before - self._count

    def frames(self) -> list[Frame]:
        """A copy of the list, to select from without the lock."""
        return self._frames.copy()

    def _replace(self, start: int, end: int, *frames: Frame) -> None:
        self._count += sum(map(len, frames)) - sum(map(len, self._frames[start:end]))
        self._frames[start:end] = frames


def select(frames: Sequence[Frame], query: MetricQuery) -> list[SeriesHistory]:
    """The history of each series that matches, by kind and labels."""
    found: dict[tuple[MetricKind, LabelsKey], list[tuple[float, _Point]]] = {}
    for frame in frames:
        moment = from_micros(frame.micros)
        if (query.since is None or moment >= query.since) and (query.until is None or moment < query.until):
            for key, value in frame.points.get(query.name, {}).items():
                found.setdefault(key, []).append((moment, value))
    histories = (
        SeriesHistory(query.name, kind, dict(labels), tuple(found[kind, labels])) for kind, labels in sorted(found)
    )
    return [
        history
        for history in histories
        if all(matcher.accepts(history.name, history.labels) for matcher in query.matchers)
    ]


def _micros(frame: Frame) -> int:
    return frame.micros


def _points(family: Family) -> _Points:
    return {(family.kind, labels_key(series.labels)): series.value for series in family.series}


def _mark_ends(before: dict[str, _Points], now: dict[str, _Points]) -> None:
    for name, points in before.items():
        there = now.get(name, {})
        if ended := [key for key, value in points.items() if value is not None and key not in there]:
            now[name] = there | dict.fromkeys(ended)


def _shortened(frame: Frame, excess: int) -> list[Frame]:
    """The frame without so many of its points; none when nothing is left."""
    kept = len(frame) - excess
    points: dict[str, _Points] = {}
    for name, of_family in frame.points.items():
        if kept > 0:
            points[name] = dict(islice(of_family.items(), kept))
            kept -= len(points[name])
    return [Frame(frame.micros, points)] if points else []
