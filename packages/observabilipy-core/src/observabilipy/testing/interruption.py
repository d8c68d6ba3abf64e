"""Writes that fail midway."""

from collections.abc import Awaitable, Iterable, Iterator
from typing import TypeVar

__all__ = ["expect_interruption", "interrupted"]

_T = TypeVar("_T")


class _Interruption(Exception):
    """Raised by an iterable in the middle of a write."""


def interrupted(items: Iterable[_T]) -> Iterator[_T]:
    """The items, and then an error instead of an end."""
    yield from items
    raise _Interruption


async def expect_interruption(write: Awaitable[object]) -> None:
    """Await a write of ``interrupted`` items, whose error must reach the caller."""
    try:
        await write
    except _Interruption:
        return
    raise AssertionError("the error of the iterable was swallowed")
