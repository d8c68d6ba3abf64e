"""Labelled: an instrument with labels, one series for each set of values."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NoReturn, TypeVar

from observabilipy.errors import ConfigurationError
from observabilipy.instruments.ledger import Ledger
from observabilipy.models import OVERFLOW, storable

__all__ = ["LONGEST_LABEL_VALUE", "Labelled", "label_text"]

_T = TypeVar("_T")

LONGEST_LABEL_VALUE = 1_024
"""Characters of a label value; what is longer is cut, ends in an ellipsis, and is counted."""


class _OfOneSeries:
    """A method that only a series has. A ``__getattr__`` instead would make ``labels()`` three times as slow."""

    _name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, labelled: "Labelled[Any] | None", owner: type) -> NoReturn:
        if labelled is None:
            raise AttributeError(f"{owner.__name__} has no {self._name}: its series do")
        raise labelled.unlabelled(self._name)


class Labelled(Generic[_T]):
    """The series of one family, made when their labels are first named.

    A process holds no more series than the family's limit; what is beyond shares the series ``__overflow__``.
    """

    __slots__ = ("_known", "_ledger", "_limit", "_name", "_names", "_overflowed", "_series")

    def __init__(self, ledger: Ledger[_T], overflowed: Callable[[], None]) -> None:
        self._ledger = ledger
        self._series = ledger.series
        self._name = ledger.kin.name
        self._names = ledger.kin.label_names
        self._known = frozenset(self._names)
        self._overflowed = overflowed
        self._limit = ledger.kin.family.series_limit

    def labels(self, *values: object, **by_name: object) -> _T:
        """The series with these label values, in the order of the definition or by name. It may be kept.

        Values become strings by ``str()``; beyond 1,024 characters they are cut.

        Raises:
            ConfigurationError: not exactly the labels of the definition.
        """
        if by_name:
            try:
                # 1.5 microseconds less than a closer look. As many names as labels: a wrong one is a KeyError.
                if len(by_name) == len(self._names) and not values:
                    return self._series[tuple([by_name[name] for name in self._names])]  # type: ignore[misc]
            except (KeyError, TypeError):
                pass
            return self._find(values, by_name)
        try:
            # Only tuples of strings are keys, so 1 and True cannot meet in one series.
            return self._series[values]  # type: ignore[index]
        except (KeyError, TypeError):  # TypeError: an unhashable value
            return self._find(values, by_name)

    def unlabelled(self, method: str) -> ConfigurationError:
        """The error of who calls what only a series has."""
        return ConfigurationError(
            f"{self._name} has the labels {', '.join(self._names)}: call .labels(...).{method}(...)"
        )

    def _find(self, values: tuple[object, ...], by_name: Mapping[str, object]) -> _T:
        given = values
        if by_name and not values and by_name.keys() == self._known:
            given = tuple([by_name[name] for name in self._names])
        elif by_name or len(values) != len(self._names):
            raise ConfigurationError(
                f"{self._name} has the labels {', '.join(self._names)}, got {(*values, *by_name)!r}:"
                " give each of them once, all by position or all by name"
            )
        key = tuple([label_text(value, self._cut) for value in given])
        found = self._series.get(key)
        if found is None:
            if len(self._series) >= self._limit and not all(value == OVERFLOW for value in key):
                self._overflowed()
                return self._find((OVERFLOW,) * len(key), {})
            found = self._ledger.add(key)
        return found

    def _cut(self) -> None:
        self._ledger.kin.troubles.cut_label(self._name)

    inc = _OfOneSeries()
    dec = _OfOneSeries()
    set = _OfOneSeries()
    set_function = _OfOneSeries()
    observe = _OfOneSeries()
    time = _OfOneSeries()
    count_exceptions = _OfOneSeries()
    track_inprogress = _OfOneSeries()


def label_text(value: object, on_cut: Callable[[], None]) -> str:
    """A label value as a string that every store takes; ``on_cut`` is called when it was too long."""
    try:
        text = storable(str(value))
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything; recording never does
        return f"<unprintable {type(value).__name__}>"
    if len(text) <= LONGEST_LABEL_VALUE:
        return text
    on_cut()
    return f"{text[: LONGEST_LABEL_VALUE - 1]}…"
