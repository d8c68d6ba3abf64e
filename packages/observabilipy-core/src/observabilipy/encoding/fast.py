"""Fast: orjson, where it is installed. Text is the same without it, to the byte.

Importing it takes a quarter of what all of this package takes, so only who is going to encode much asks for it.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["LINE", "PASSTHROUGH", "Dumps", "fastest", "prepare", "prepared"]

# Any: what the caller gives, and None where orjson has a default function.
Dumps: TypeAlias = Callable[[Any, Any, int], bytes]

# OPT_PASSTHROUGH_SUBCLASS, _DATETIME, _DATACLASS: each of these would become something else than here. What is left to
# look after: containers, floats, its Fragment. Numbers, because asking would be importing; a test compares them.
PASSTHROUGH = 1 << 8 | 1 << 9 | 1 << 11
"""Options for orjson: what it must leave to us."""

LINE = PASSTHROUGH | 1 << 10
"""The same, and a line feed (OPT_APPEND_NEWLINE)."""

_found: Dumps | None = None


def prepare() -> None:
    """Use orjson from now on, if it is there.

    To be called before threads run: a child that is forked during an import would wait for it for ever.
    """
    global _found  # noqa: PLW0603 - one for the process
    try:
        import orjson
    except ImportError:
        return
    _found = orjson.dumps


def prepared() -> Dumps | None:
    """``orjson.dumps`` once it was asked for and is there, else None: the standard library alone."""
    return _found


def fastest(value: object, default: None, options: int) -> bytes:
    """As an argument it stands for whatever ``prepared`` gives."""
    raise NotImplementedError
