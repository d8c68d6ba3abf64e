"""Decorating: a context manager around each call of a function, whatever kind of function it is."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, ParamSpec, TypeVar, cast

from observabilipy.errors import ConfigurationError

__all__ = ["decorated"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def decorated(function: Callable[_P, _R], around: Callable[[], AbstractContextManager[object]]) -> Callable[_P, _R]:
    """The function, each call of it inside a context manager of its own; of the same kind as it was.

    An ``async def`` is inside until it returns; a generator, sync or async, from the first value that is asked for
    until it ends or is closed. What is sent, thrown, returned and raised goes through as it is.

    Raises:
        ConfigurationError: it is no function.
    """
    if not callable(function):
        raise ConfigurationError(f"a decorator takes a function, got {function!r}: write it above a def")
    # Any: the checker cannot see what kind of function it is. Each wrapper is one of the same kind, for whoever asks
    # inspect, as frameworks do.
    called = cast("Callable[_P, Any]", function)
    if _is(isasyncgenfunction, function):
        wrapper: Callable[_P, object] = _async_generator(called, around)
    elif _is(isgeneratorfunction, function):
        wrapper = _generator(called, around)
    elif _is(iscoroutinefunction, function):
        wrapper = _coroutine(called, around)
    else:
        wrapper = _plain(called, around)
    return cast("Callable[_P, _R]", wraps(function)(wrapper))


def _is(kind: Callable[[object], bool], function: Callable[..., object]) -> bool:
    # An object may be called by a method of its class that is of this kind, which inspect does not look at.
    return kind(function) or kind(getattr(type(function), "__call__", None))  # noqa: B004 - it is wanted, not tested


def _plain(function: Callable[_P, _R], around: Callable[[], AbstractContextManager[object]]) -> Callable[_P, _R]:
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with around():
            return function(*args, **kwargs)

    return call


def _coroutine(
    function: Callable[_P, Awaitable[_R]], around: Callable[[], AbstractContextManager[object]]
) -> Callable[_P, Awaitable[_R]]:
    async def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with around():
            return await function(*args, **kwargs)

    return call


def _generator(
    function: Callable[_P, Generator[Any, Any, _R]], around: Callable[[], AbstractContextManager[object]]
) -> Callable[_P, Generator[Any, Any, _R]]:
    def call(*args: _P.args, **kwargs: _P.kwargs) -> Generator[Any, Any, _R]:
        with around():
            return (yield from function(*args, **kwargs))

    return call


def _async_generator(
    function: Callable[_P, AsyncGenerator[Any, Any]], around: Callable[[], AbstractContextManager[object]]
) -> Callable[_P, AsyncGenerator[Any, Any]]:
    async def call(*args: _P.args, **kwargs: _P.kwargs) -> AsyncGenerator[Any, Any]:
        # What `yield from` does for the other kind; PEP 380, "Formal Semantics".
        with around():
            source = function(*args, **kwargs)
            step = source.__anext__()
            while True:
                try:
                    value = await step
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever is thrown in is the function's to handle
                    step = source.athrow(error)
                else:
                    step = source.asend(sent)

    return call
