"""Context: attributes that everything logged inside a block has."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

__all__ = ["context", "current_context"]

_NOTHING: Mapping[str, object] = MappingProxyType({})
# Never mutated, always replaced: an entry keeps a reference to what it was recorded under.
_CONTEXT: ContextVar[Mapping[str, object]] = ContextVar("observabilipy_context", default=_NOTHING)

current_context = _CONTEXT.get


@contextmanager
def context(**attributes: object) -> Iterator[None]:
    """Give these attributes to all entries recorded in this block, by this thread or task and those it starts."""
    token = _CONTEXT.set({**_CONTEXT.get(), **attributes})
    try:
        yield
    finally:
        _CONTEXT.reset(token)
