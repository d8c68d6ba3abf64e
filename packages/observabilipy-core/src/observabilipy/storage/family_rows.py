"""FamilyRows: the series of one name and kind, as rows to change and as columns to read."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from observabilipy.models import OVERFLOW, Aggregate, Exemplar, LabelSets, SeriesColumns, SeriesValue
from observabilipy.storage.series_row import SeriesRow

__all__ = ["FamilyRows", "LabelsKey", "takes_overflow"]

LabelsKey: TypeAlias = tuple[tuple[str, str], ...]
"""Labels in the order of their names, so that equal labels are equal keys."""


def takes_overflow(key: LabelsKey) -> bool:
    """Whether this series stands for others; without any labels there is only one, which needs no limit."""
    return all(value == OVERFLOW for _, value in key)


@dataclass(slots=True)
class FamilyRows:
    """Rows in the order in which they came. Not safe for threads.

    Those that take the overflow are kept apart from the limit. The columns repeat what the rows have, so that a reader
    copies lists rather than visits 100,000 rows: 0.5 ms, not 5, under the lock that all writers need.
    """

    within: dict[LabelsKey, SeriesRow] = field(default_factory=dict)
    overflow: dict[LabelsKey, SeriesRow] = field(default_factory=dict)
    _rows: list[SeriesRow] = field(default_factory=list)
    _sets: list[dict[str, str]] = field(default_factory=list)
    _values: list[SeriesValue] = field(default_factory=list)
    _created: list[float] = field(default_factory=list)
    _exemplars: dict[int, tuple[Exemplar, ...]] = field(default_factory=dict)
    # The same objects until the rows change: of all, and of those at certain places.
    _labels: LabelSets | None = None
    _shown: tuple[list[int], LabelSets] | None = None

    def items(self) -> Iterator[tuple[LabelsKey, SeriesRow]]:
        """Keys and rows."""
        yield from self.within.items()
        yield from self.overflow.items()

    def values(self) -> Iterator[SeriesRow]:
        """The rows."""
        return iter(self._rows)

    def row(self, key: LabelsKey, now: float) -> SeriesRow:
        """The series' row, made when it is not there."""
        place = self.overflow if takes_overflow(key) else self.within
        row = place.get(key)
        if row is None:
            row = place[key] = SeriesRow(dict(key), now, now)
            self._append(row)
        return row

    def settle(self, row: SeriesRow) -> None:
        """Take into the columns what has changed in the row."""
        self._values[row.place] = row.total
        if row.exemplars:
            self._exemplars[row.place] = row.exemplars

    def drop(self, keys: Iterable[LabelsKey]) -> None:
        """Let go of series."""
        gone = {(self.overflow if takes_overflow(key) else self.within).pop(key).place for key in keys}
        if gone:
            kept = [row for row in self._rows if row.place not in gone]
            self._rows, self._sets, self._values, self._created, self._exemplars = [], [], [], [], {}
            for row in kept:
                self._append(row)

    def columns(self) -> SeriesColumns:
        """What there is now."""
        if self._labels is None:
            self._labels = LabelSets(self._sets, len(self._sets))
        # Created never changes, and a list that grows behind these columns holds what they have at its beginning.
        return SeriesColumns(self._labels, self._values.copy(), self._created, self._exemplars.copy())

    def gauges(self, aggregate: Aggregate, living: Container[str]) -> SeriesColumns:
        """What there is now of gauges: those that have a value while these workers live."""
        if aggregate == "last":
            return self.columns()
        found = [row.gauge(aggregate, living) for row in self._rows]
        places = [place for place, value in enumerate(found) if value is not None]
        if self._shown is None or self._shown[0] != places:
            self._shown = places, LabelSets([self._sets[place] for place in places])
        values = [value for value in found if value is not None]
        return SeriesColumns(self._shown[1], values, [self._created[place] for place in places])

    def _append(self, row: SeriesRow) -> None:
        row.place = len(self._rows)
        self._rows.append(row)
        self._sets.append(row.labels)
        self._values.append(row.total)
        self._created.append(row.created)
        if row.exemplars:
            self._exemplars[row.place] = row.exemplars
        self._labels = self._shown = None
