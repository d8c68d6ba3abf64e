"""Labelled: an instrument with labels, one series for each set of values."""

from collections.abc import Callable, Mapping
from typing import Generic, NoReturn, TypeVar

from observabilipy.errors import ConfigurationError
from observabilipy.models import OVERFLOW, storable

__all__ = ["Labelled"]

_T = TypeVar("_T")


class Labelled(Generic[_T]):
    """The series of one family, made when their labels are first named.

    A process holds no more series than the family's limit; what is beyond shares the series ``__overflow__``.
    """

    __slots__ = ("_known", "_limit", "_make", "_name", "_names", "_overflowed", "_series")

    def __init__(
        self,
        name: str,
        names: tuple[str, ...],
        limit: int,
        make: Callable[[Mapping[str, str]], _T],
        overflowed: Callable[[], None],
    ) -> None:
        self._name = name
        self._names = names
        self._known = frozenset(names)
        self._overflowed = overflowed
        self._limit = limit
        self._make = make
        self._series: dict[tuple[str, ...], _T] = {}

    def labels(self, *values: object, **by_name: object) -> _T:
        """The series with these label values, in the order of the definition or by name. It may be kept.

        Values become strings by ``str()``.

        Raises:
            ConfigurationError: not exactly the labels of the definition.
        """
        try:
            # Only tuples of strings are keys, so 1 and True cannot meet in one series.
            return self._series[values]  # type: ignore[index]
        except (KeyError, TypeError):  # TypeError: an unhashable value
            return self._find(values, by_name)

    def series(self) -> list[_T]:
        """All series there are now."""
        return list(self._series.values())

    def _find(self, values: tuple[object, ...], by_name: Mapping[str, object]) -> _T:
        given = values
        if by_name and not values and by_name.keys() == self._known:
            given = tuple(by_name[name] for name in self._names)
        elif by_name or len(values) != len(self._names):
            raise ConfigurationError(
                f"{self._name} has the labels {', '.join(self._names)}, got {(*values, *by_name)!r}:"
                " give each of them once, all by position or all by name"
            )
        key = tuple(map(_text, given))
        found = self._series.get(key)
        if found is None:
            if len(self._series) >= self._limit and not all(value == OVERFLOW for value in key):
                self._overflowed()
                return self._find((OVERFLOW,) * len(key), {})
            # setdefault is atomic: of two threads that make the same series, both get the first.
            found = self._series.setdefault(key, self._make(dict(zip(self._names, key, strict=True))))
        return found

    def __getattr__(self, name: str) -> NoReturn:
        if name in {"inc", "dec", "set", "observe", "time", "track_inprogress"}:
            raise ConfigurationError(
                f"{self._name} has the labels {', '.join(self._names)}: call .labels(...).{name}(...)"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _text(value: object) -> str:
    try:
        return storable(str(value))
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything; recording never does
        return f"<unprintable {type(value).__name__}>"
