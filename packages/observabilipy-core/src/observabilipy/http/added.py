"""Added collectors: families that other libraries give at each scrape, beside what the store holds."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from observabilipy.errors import InvalidValue
from observabilipy.models import Exemplar, Family, HistogramValue, Series, SummaryValue
from observabilipy.models.number import is_number

__all__ = ["AddedCollector", "collected"]

AddedCollector: TypeAlias = Callable[[], Iterable[Family]]
"""Gives families with their series. It is called once for each answer of ``/metrics``, maybe by several at a time."""


def collected(
    collectors: Iterable[AddedCollector],
    on_failure: Callable[[str, Exception], None],
    *,
    apart: bool = False,
) -> list[Family]:
    """What they all give. One that fails keeps what it gave before, and the others go on.

    Args:
        collectors: in their order.
        on_failure: told what failed, and how.
        apart: this is a thread of their own, so SystemExit and the like are theirs, too, and not a signal handler's.
    """
    families: list[Family] = []
    for collector in list(collectors):
        try:
            for family in collector():
                families.append(_checked(family))  # noqa: PERF401 - what came before an exception stays
        except Exception as error:  # noqa: BLE001 - a foreign collector may raise anything
            on_failure(f"the collector {_name(collector)}", error)
        except BaseException as error:
            if not apart:
                raise
            on_failure(f"the collector {_name(collector)}", RuntimeError(f"it raised {type(error).__name__}"))
    return families


def _checked(family: object) -> Family:
    """A family that no encoder stumbles over in the middle of an answer: Family itself checks less of its series."""
    if not isinstance(family, Family):
        raise InvalidValue(
            f"a collector must give families, got {family!r}: build Family(name, kind, help, series=...)"
        )
    for row in family.series:
        if not isinstance(row, Series) or not _is_writable(row):
            raise InvalidValue(
                f"a series must have strings as label values, numbers as values and Exemplars, got {row!r}"
                f" in {family.name!r}"
            )
    return family


def _is_writable(row: Series) -> bool:
    value = row.value
    numbers: tuple[object, ...] = ()
    if isinstance(value, SummaryValue):
        numbers = (value.count, value.sum, *(number for pair in value.quantiles for number in pair))
    return (
        all(type(text) is str for text in row.labels.values())
        and (row.created is None or is_number(row.created))
        and all(map(is_number, numbers))
        and (isinstance(value, HistogramValue | SummaryValue) or is_number(value))
        and all(isinstance(exemplar, Exemplar) for exemplar in row.exemplars)
    )


def _name(collector: object) -> str:
    return str(getattr(collector, "__qualname__", type(collector).__qualname__))
