"""How reports become totals: the arithmetic that every store shares."""

import math
from collections.abc import Iterable, Mapping

from observabilipy.models.kind import Aggregate
from observabilipy.models.names import OVERFLOW

__all__ = ["add_increment", "combine_gauges", "overflow_labels", "placeholder_help"]

_INTEGER_LIMIT = 2**63


def add_increment(total: float, increment: float) -> float:
    """A counter's new total. Whole numbers stay exact integers below 2**63; beyond, a total is a float."""
    result = total + increment
    if isinstance(result, float):
        return int(result) if result.is_integer() and abs(result) < 2**53 else result
    return result if result < _INTEGER_LIMIT else float(result)


def combine_gauges(aggregate: Aggregate, values: Iterable[float]) -> float:
    """One value for the gauges of several living workers (at least one). NaN counts only where a sum holds it."""
    given = list(values)
    if aggregate == "sum":
        return sum(given)
    numbers = [value for value in given if not math.isnan(value)] or given
    if aggregate == "last":
        return given[-1]
    return min(numbers) if aggregate == "min" else max(numbers)


def overflow_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of the series that takes what is over the limit of a family with such labels."""
    return dict.fromkeys(labels, OVERFLOW)


def placeholder_help(name: str) -> str:
    """The help of a family that was first seen as a bare sample."""
    return f"{name}, reported without a definition."
