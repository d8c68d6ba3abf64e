"""LogFacts: what a store knows about its log without reading it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LevelFacts", "LogFacts"]


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """Entries of one level: how many, the timestamps of the oldest and newest (unix seconds), and their bytes."""

    count: int
    oldest: float
    newest: float
    bytes: int


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The whole log, by level, and where it begins and ends.

    ``generation``, ``oldest`` and ``upcoming`` are what ``resume`` needs: the store's generation, the position of the
    oldest entry kept (``upcoming`` when there is none), and the position that the next entry will get.
    """

    generation: str
    oldest: int
    upcoming: int
    levels: Mapping[str, LevelFacts] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Entries of all levels."""
        return sum(level.count for level in self.levels.values())

    @property
    def bytes(self) -> int:
        """Bytes of all levels: messages and attributes as they are stored."""
        return sum(level.bytes for level in self.levels.values())
