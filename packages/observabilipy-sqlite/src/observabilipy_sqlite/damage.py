"""Damage: segments that cannot be read, remembered until a commit counts them."""

import logging

from observabilipy_sqlite.segment import Segment, fault

__all__ = ["Damage"]

_MOST_TOLD = 1_024
_SENTENCES = {
    "damaged": "the log is damaged at position %d: the entries of a segment cannot be read;"
    " observabilipy_log_segments_skipped_total counts such segments",
    "unknown_codec": "the log has a segment at position %d that a newer observabilipy-sqlite packed: update this one;"
    " observabilipy_log_segments_skipped_total counts such segments",
}


class Damage:
    """What the readers of one file found, each segment once; may be used from several threads."""

    def __init__(self) -> None:
        self._told: set[tuple[int, int]] = set()
        self._new: list[tuple[int, str]] = []
        self._warned: set[str] = set()

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
            if reason not in self._warned:
                self._warned.add(reason)
                logging.getLogger("observabilipy").warning(_SENTENCES[reason], segment.first)
        return False

    def noted(self) -> list[tuple[int, str]]:
        """First position and reason of what was found and not counted yet."""
        return self._new[:]

    def counted(self, number: int) -> None:
        """The first so many of these are counted."""
        del self._new[:number]

    def forget(self) -> None:
        """In a forked child: what was found is for the parent to count."""
        self._new.clear()
