"""InProgress: how much of something is under way."""

from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Protocol, TypeVar

from observabilipy.decorating import decorated

__all__ = ["InProgress", "UpAndDown"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class UpAndDown(Protocol):
    """What counts it."""

    def inc(self) -> None:
        """One more."""

    def dec(self) -> None:
        """One less."""


class InProgress:
    """One more while a block or a call runs. May be entered many times at once."""

    __slots__ = ("_gauge",)

    def __init__(self, gauge: UpAndDown) -> None:
        self._gauge = gauge

    def __enter__(self) -> None:
        self._gauge.inc()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._gauge.dec()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Count each call of a function while it runs: plain, ``async def``, or a generator of either kind."""
        return decorated(function, lambda: self)
