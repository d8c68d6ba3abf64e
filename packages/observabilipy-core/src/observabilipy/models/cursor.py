"""Cursors: a position in the commit order of one store's life."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from observabilipy.errors import InvalidCursor

__all__ = ["Cursor", "Gap", "parse_cursor", "resume"]

Gap: TypeAlias = Literal["reset", "expired"]
"""Why a reader starts at the oldest entry: the store began anew, or the place was deleted."""

_CURSOR = re.compile(r"([a-z0-9]{1,32})-(0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of one entry: the store's generation and a position that is never used again.

    ``str()`` of it is what entries carry and what queries take. Outside a store it is opaque.
    """

    generation: str
    position: int

    def __str__(self) -> str:
        return f"{self.generation}-{self.position}"


def parse_cursor(text: str) -> Cursor:
    """Read a cursor that a store gave out.

    Raises:
        InvalidCursor: no store writes cursors like this.
    """
    match = _CURSOR.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[2]) >= 2**63:
        raise InvalidCursor(f"a cursor looks like 'k3f9-7', got {text!r}: take it from an entry or a Link header")
    return Cursor(match[1], int(match[2]))


def resume(after: Cursor, *, generation: str, oldest: int, upcoming: int) -> tuple[int, Gap | None]:
    """Where "everything after this cursor" begins, and whether something before it was missed.

    Args:
        after: the last entry the reader saw.
        generation: the store's own.
        oldest: the position of the oldest entry kept, or ``upcoming`` when none is.
        upcoming: the position that the next entry will get.

    Returns:
        The position of the first entry to read, and the gap to tell the reader about, if any.
    """
    if after.generation != generation or after.position >= upcoming:
        return oldest, "reset"
    if after.position + 1 < oldest:
        return oldest, "expired"
    return after.position + 1, None
