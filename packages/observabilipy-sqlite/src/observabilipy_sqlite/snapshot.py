"""Snapshots of all totals, at the price of their numbers: who the numbers belong to is remembered between them.

Not safe for threads: the courier's thread alone uses it.
"""

import dataclasses
import json
import math
import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast, overload

from observabilipy.models import Exemplar, Family, HistogramValue, LabelSets, MetricKind, SeriesColumns, from_micros
from observabilipy_sqlite import totals
from observabilipy_sqlite.families import definitions
from observabilipy_sqlite.logs import generation
from observabilipy_sqlite.turns import pause
from observabilipy_sqlite.values import Plain, from_plain, from_stored

__all__ = ["Snapshots", "StoredLabels", "all_totals", "split_ids"]

_ROWS = 4_000
"""Totals of one statement: two milliseconds without the interpreter's lock, then a quarter of one with it."""

_SERIES_A_TURN, _SERIES_A_FAMILY = 2_000, 20  # a family takes as long as so many series

# One row for many totals: SQLite works without the GIL until a row is there, and to get it back after each of 100,000
# rows would take a busy service minutes. Floats come as rows, because SQLite's spelling of them is not exact.
_VALUES = """
SELECT count(*), max(series), group_concat(series),
    group_concat(CASE typeof(value) WHEN 'real' THEN 'true' WHEN 'null' THEN 'null' ELSE value END)
FROM (SELECT series, value FROM total WHERE series > ? ORDER BY series LIMIT ?)
"""
_FLOATS = "SELECT value FROM total WHERE typeof(value) = 'real' ORDER BY series"

# Changes when a series begins, ends, or begins anew under its old id: then it was created at another time.
_MARK = "SELECT count(*), max(id), sum(id), max(created), sum(created & 0xFFFFFFFFFF) FROM series WHERE ended IS NULL"
_MARKS = _MARK.replace("SELECT", "SELECT name, kind,") + " GROUP BY name, kind"

_Created: TypeAlias = list[float | None]


class StoredLabels(LabelSets):
    """Labels as they are stored, as JSON; they are looked at when a template is made, and hardly ever again."""

    __slots__ = ("texts",)

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts

    @overload
    def __getitem__(self, index: int) -> Mapping[str, str]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, str]]: ...

    def __getitem__(self, index: int | slice) -> Mapping[str, str] | Sequence[Mapping[str, str]]:
        if isinstance(index, slice):
            found: list[Mapping[str, str]] = json.loads(f"[{','.join(self.texts[index])}]")
            return found
        return cast("Mapping[str, str]", json.loads(self.texts[index]))

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(slots=True)
class _Place:
    """Where the series of one name and kind are among all totals, by their labels."""

    mark: object
    at: list[int]
    ids: list[int]
    labels: StoredLabels
    created: _Created


class Snapshots:
    """Reads all families, again and again."""

    def __init__(self) -> None:
        self._generation = ""
        self._known: object = None  # what the places are good for
        self._places: dict[tuple[str, str], _Place] = {}
        self._combined: dict[str, StoredLabels] = {}

    def read(self, connection: sqlite3.Connection, now: int) -> list[Family]:
        """Families that have series, in the order of their names; ``now`` (microseconds) decides which workers live."""
        ids, values = all_totals(connection)
        if (of_file := generation(connection)) != self._generation:  # another file, whose ids are others
            self._generation, self._known, self._places = of_file, None, {}
        known = connection.execute(_MARK).fetchone(), ids
        if known != self._known:
            self._places = _places(connection, ids, self._places)
            self._known = known
        exemplars = _exemplars(connection)
        families = []
        work = 0
        for family in definitions(connection):
            if family.aggregate == "last":
                columns = self._last(family, values, exemplars)
            else:
                columns = self._living(connection, family, now)
            if columns is not None and len(columns):
                families.append(dataclasses.replace(family, series=columns))
            work += _SERIES_A_FAMILY + (0 if columns is None else len(columns))
            if work > _SERIES_A_TURN:
                pause()
                work = 0
        return families

    def _last(
        self, family: Family, values: Sequence[Plain | None], exemplars: Mapping[int, list[Exemplar]]
    ) -> SeriesColumns | None:
        place = self._places.get((family.name, family.kind.value))
        if place is None:
            return None
        found: list[object] = [values[at] for at in place.at]
        if family.kind is MetricKind.HISTOGRAM or None in found:
            found = [_shown(cast("Plain | None", value), family.bounds) for value in found]
        shown = cast("list[float | HistogramValue]", found)
        return SeriesColumns(place.labels, shown, place.created, _by_place(place.ids, exemplars, family.bounds))

    def _living(self, connection: sqlite3.Connection, family: Family, now: int) -> SeriesColumns:
        rows = totals.visible(connection, family, now)
        texts = [labels for _, labels, _, _ in rows]
        labels = self._combined.get(family.name)
        if labels is None or labels.texts != texts:
            labels = self._combined[family.name] = StoredLabels(texts)
        created: _Created = [from_micros(created) for _, _, created, _ in rows]
        return SeriesColumns(labels, [value for _, _, _, value in rows], created)


def all_totals(connection: sqlite3.Connection) -> tuple[list[str], list[Plain | None]]:
    """All ids, a text for some thousands of them, and all values."""
    ids: list[str] = []
    values: list[Plain | None] = []
    after = -1
    while True:
        count, last, some_ids, some_values = connection.execute(_VALUES, (after, _ROWS)).fetchone()
        if not count:
            break
        ids.append(some_ids)
        values += json.loads(f"[{some_values}]")
        after = last
        if count == _ROWS:
            pause()
    floats = connection.execute(_FLOATS).fetchall()
    if floats:
        rest = iter(floats)
        values = [next(rest)[0] if value is True else value for value in values]
    return ids, values


def _places(
    connection: sqlite3.Connection, ids: list[str], before: Mapping[tuple[str, str], _Place]
) -> dict[tuple[str, str], _Place]:
    """Where each family's series are; what is known of a family that has not changed stays the same object."""
    at = {int(series): place for place, series in enumerate(split_ids(ids))}
    places: dict[tuple[str, str], _Place] = {}
    work = 0
    for name, kind, *mark in connection.execute(_MARKS).fetchall():
        place = before.get((name, kind))
        if place is None or place.mark != mark:
            place = _place(connection, name, kind, mark)
        places[name, kind] = dataclasses.replace(place, at=[at[series] for series in place.ids])
        work += _SERIES_A_FAMILY + len(place.ids)
        if work > _SERIES_A_TURN:
            pause()
            work = 0
    return places


def _place(connection: sqlite3.Connection, name: str, kind: str, mark: object) -> _Place:
    rows = connection.execute(
        "SELECT id, labels, created FROM series WHERE name = ? AND kind = ? AND ended IS NULL"
        " AND EXISTS (SELECT 1 FROM total WHERE series = series.id) ORDER BY labels",
        (name, kind),
    ).fetchall()
    labels = StoredLabels([text for _, text, _ in rows])
    return _Place(mark, [], [series for series, _, _ in rows], labels, [from_micros(created) for _, _, created in rows])


def split_ids(ids: list[str]) -> Iterator[str]:
    """The ids one by one."""
    for some in ids:
        yield from some.split(",")


def _shown(value: Plain | None, bounds: tuple[float, ...]) -> float | HistogramValue:
    found = math.nan if value is None else from_plain(value)
    return found.under(bounds) if isinstance(found, HistogramValue) else found


def _exemplars(connection: sqlite3.Connection) -> dict[int, list[Exemplar]]:
    found: dict[int, list[Exemplar]] = {}
    for series, labels, value, micros in connection.execute(
        "SELECT series, labels, value, timestamp FROM exemplar ORDER BY series, timestamp, bucket"
    ):
        number = cast("float", from_stored(value))
        exemplar = Exemplar(json.loads(labels), number, None if micros is None else from_micros(micros))
        found.setdefault(series, []).append(exemplar)
    return found


def _by_place(
    ids: Sequence[int], exemplars: Mapping[int, list[Exemplar]], bounds: tuple[float, ...]
) -> dict[int, tuple[Exemplar, ...]]:
    """The newest of each bucket, lowest first. They come oldest first: newer bounds may put several into one bucket."""
    if not exemplars:
        return {}
    shown = {}
    for place, series in enumerate(ids):
        if series in exemplars:
            buckets = {bisect_left(bounds, exemplar.value): exemplar for exemplar in exemplars[series]}
            shown[place] = tuple(buckets[bucket] for bucket in sorted(buckets))
    return shown
