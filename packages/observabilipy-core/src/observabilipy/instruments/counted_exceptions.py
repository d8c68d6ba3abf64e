"""ExceptionCount: counts what a block or a function raises."""

from collections.abc import Callable
from itertools import chain
from types import TracebackType
from typing import ParamSpec, TypeAlias, TypeVar

from observabilipy.decorating import decorated
from observabilipy.errors import ConfigurationError

__all__ = ["ExceptionCount", "Types"]

Types: TypeAlias = type[BaseException] | tuple[type[BaseException], ...]
"""A class of exceptions, or several, as ``except`` takes them."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


class ExceptionCount:
    """Calls ``count`` for each exception of these types, and lets it go on. May be entered many times at once.

    Raises:
        ConfigurationError: something else than classes of exceptions.
    """

    __slots__ = ("_count", "_types")

    def __init__(self, count: Callable[[], None], types: tuple[Types, ...]) -> None:
        # As ``except`` has them: (ValueError, KeyError) is one.
        classes = tuple(chain.from_iterable(given if isinstance(given, tuple) else (given,) for given in types))
        for given in classes:
            if not (isinstance(given, type) and issubclass(given, BaseException)):
                raise ConfigurationError(
                    f"count_exceptions() takes classes of exceptions, got {given!r}: write count_exceptions(ValueError)"
                )
        self._count = count
        self._types = classes or (Exception,)

    def __enter__(self) -> None:
        """Nothing is to be prepared."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is not None and issubclass(kind, self._types):
            self._count()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Count what each call of a function raises: plain, ``async def``, or a generator of either kind."""
        return decorated(function, lambda: self)
