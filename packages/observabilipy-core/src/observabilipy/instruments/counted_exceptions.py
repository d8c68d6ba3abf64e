"""ExceptionCount: counts what a block or a function raises."""

from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from observabilipy.errors import ConfigurationError
from observabilipy.instruments.decorating import decorated

__all__ = ["ExceptionCount"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class ExceptionCount:
    """Calls ``count`` for each exception of these types, and lets it go on. May be entered many times at once.

    Raises:
        ConfigurationError: something else than classes of exceptions.
    """

    __slots__ = ("_count", "_types")

    def __init__(self, count: Callable[[], None], types: tuple[type[BaseException], ...]) -> None:
        for given in types:
            if not (isinstance(given, type) and issubclass(given, BaseException)):
                raise ConfigurationError(
                    f"count_exceptions() takes classes of exceptions, got {given!r}: write count_exceptions(ValueError)"
                )
        self._count = count
        self._types = types or (Exception,)

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
