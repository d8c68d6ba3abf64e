"""Timed: one log entry for a block, with the time that it took."""

from collections.abc import Callable, Mapping
from time import perf_counter
from types import TracebackType
from typing import ParamSpec, TypeVar

from observabilipy.decorating import decorated
from observabilipy.logs.exceptions import exception_attributes

__all__ = ["Timed"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Timed:
    """Records an entry when its block ends, also when the body raises. For one block at a time, or as a decorator.

    ``as`` gives a dict, for attributes that are known inside the block only.
    """

    __slots__ = ("_attributes", "_message", "_more", "_record", "_started")

    def __init__(
        self,
        record: Callable[[str, object, Mapping[str, object]], None],
        message: str,
        attributes: Mapping[str, object],
    ) -> None:
        self._record = record
        self._message = message
        self._attributes = attributes
        self._more: dict[str, object] = {}
        self._started = 0.0

    def __enter__(self) -> dict[str, object]:
        self._more = {}
        self._started = perf_counter()
        return self._more

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        took = perf_counter() - self._started
        attributes = {**self._attributes, **self._more, "duration_seconds": round(took, 6)}
        if kind is not None and error is not None:
            attributes = {**exception_attributes((kind, error, trace)), **attributes}
        # A cancelled task or an exit is no error of the block.
        self._record("ERROR" if isinstance(error, Exception) else "INFO", self._message, attributes)

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Record each call of a function: plain, ``async def``, or a generator of either kind."""
        return decorated(function, lambda: Timed(self._record, self._message, self._attributes))
