"""Timer: how long a block or a function takes."""

from collections.abc import Callable
from functools import wraps
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from time import perf_counter
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from observabilipy.errors import ConfigurationError

__all__ = ["Timer"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Timer:
    """Hands the seconds that passed to ``observe``, also when the body raises.

    One timer may be used many times over, one after the other; as a decorator it may be entered many times at once.
    """

    __slots__ = ("_observe", "_started")

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._observe(perf_counter() - self._started)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Time each call of a function; of an ``async def`` until it returns.

        Raises:
            ConfigurationError: the function is a generator: it returns before its work begins.
        """
        observe = self._observe
        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & (CO_GENERATOR | CO_ASYNC_GENERATOR):
            raise ConfigurationError(f"time() cannot decorate the generator {function!r}: use `with` inside it")
        if flags & CO_COROUTINE:
            awaited = cast("Callable[_P, Any]", function)  # Any: the checker cannot see that calls give awaitables

            @wraps(function)
            async def timed_async(*args: _P.args, **kwargs: _P.kwargs) -> object:
                started = perf_counter()
                try:
                    return await awaited(*args, **kwargs)
                finally:
                    observe(perf_counter() - started)

            return cast("Callable[_P, _R]", timed_async)

        @wraps(function)
        def timed(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            started = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                observe(perf_counter() - started)

        return timed
