"""Damage: what cannot be read of the log and the history, remembered until a commit counts it."""

import logging

from observabilipy_sqlite.segment import Segment, fault

__all__ = ["Damage"]

_MOST_TOLD = 1_024
_SENTENCES = {
    "damaged": "the log is damaged at position %d: the entries of a segment cannot be read;"
    " observabilipy_storage_skipped_total counts such segments",
    "unknown_codec": "the log has a segment at position %d that a newer observabilipy-sqlite packed: update this one;"
    " observabilipy_storage_skipped_total counts such segments",
    "damaged_history": "the history of metrics is damaged: some of its points cannot be read;"
    " observabilipy_storage_skipped_total counts such pieces",
}


class Damage:
    """What the readers of one file found, each segment once; may be used from several threads."""

    def __init__(self) -> None:
        self._told: set[tuple[int, int]] = set()
        self._new: list[tuple[int, str]] = []
        self._warned: set[str] = set()
        self._pieces = 0  # of the history

    def is_readable(self, segment: Segment) -> bool:
        """Whether a segment is as it was written, and of a codec that is known here; others are noted."""
        reason = fault(segment)
        if reason is None:
            return True
        which = segment.first, segment.checksum
        if which not in self._told:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told.add(which)
            self._new.append((segment.first, reason))
            self._warn(reason, segment.first)
        return False

    def in_history(self) -> None:
        """A piece of the history could not be read."""
        self._warn("damaged_history")

    def in_packing(self) -> None:
        """A piece of the history was left out when it was packed: nobody will come upon it again."""
        self._pieces += 1
        self._warn("damaged_history")

    def pieces(self) -> int:
        """How many pieces of the history were left out since this was last asked."""
        pieces, self._pieces = self._pieces, 0
        return pieces

    def _warn(self, reason: str, *about: object) -> None:
        if reason not in self._warned:
            self._warned.add(reason)
            logging.getLogger("observabilipy").warning(_SENTENCES[reason], *about)

    def noted(self) -> list[tuple[int, str]]:
        """First position and reason of what was found and not counted yet."""
        return self._new[:]

    def counted(self, number: int) -> None:
        """The first so many of these are counted."""
        del self._new[:number]

    def forget(self) -> None:
        """In a forked child: what was found is for the parent to count."""
        self._new.clear()
        self._pieces = 0
