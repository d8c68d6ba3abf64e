"""Samples for the contracts, and totals laid out for comparison."""

from typing import TypeAlias

from observabilipy.models import Family, HistogramValue, MetricSample, SeriesValue, histogram
from observabilipy.ports import MetricsStoragePort
from observabilipy.testing.entries import NOON

__all__ = ["Table", "families_of", "observed", "table_of", "totals_of", "values_of"]

Table: TypeAlias = dict[str, dict[tuple[str, ...], SeriesValue]]
"""Values by family and by labels, which are laid out as name, value, name, value ..."""


def observed(name: str, bounds: tuple[float, ...], *observations: float) -> MetricSample:
    """A histogram's report."""
    return histogram(name, HistogramValue.of(bounds, observations), timestamp=NOON)


async def families_of(storage: MetricsStoragePort) -> list[Family]:
    """All families with their series."""
    return [family async for family in storage.totals()]


async def totals_of(storage: MetricsStoragePort) -> Table:
    """All totals."""
    return table_of(await families_of(storage))


async def values_of(storage: MetricsStoragePort) -> dict[str, SeriesValue]:
    """The value of each family's only series."""
    return {family.name: series.value for family in await families_of(storage) for series in family.series}


def table_of(families: list[Family]) -> Table:
    """Families as a table."""
    return {
        family.name: {
            tuple(text for pair in sorted(series.labels.items()) for text in pair): series.value
            for series in family.series
        }
        for family in families
    }
