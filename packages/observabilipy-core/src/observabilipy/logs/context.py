"""Context: attributes that everything logged inside a block has."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import TypeAlias

__all__ = ["Earlier", "add_context", "context", "current_context", "restore_context"]

_NOTHING: Mapping[str, object] = MappingProxyType({})
# Never mutated, always replaced: an entry keeps a reference to what it was recorded under.
_CONTEXT: ContextVar[Mapping[str, object]] = ContextVar("observabilipy_context", default=_NOTHING)

current_context = _CONTEXT.get

Earlier: TypeAlias = Token[Mapping[str, object]]
"""The context before ``add_context``."""


@contextmanager
def context(**attributes: object) -> Iterator[None]:
    """Give these attributes to all entries recorded in this block, by this thread or task and the tasks it starts.

    Threads get them where they get the context: ``asyncio.to_thread`` gives it, a bare ``threading.Thread`` does not.
    """
    earlier = add_context(attributes)
    try:
        yield
    finally:
        restore_context(earlier)


def add_context(attributes: Mapping[str, object]) -> Earlier:
    """The same without a block, for whoever cannot have one around what runs inside. They must not change any more."""
    outer = _CONTEXT.get()
    return _CONTEXT.set({**outer, **attributes} if outer else attributes)


restore_context = _CONTEXT.reset
