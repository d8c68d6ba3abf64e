"""InMemoryLogStorage against the simplest thing that could be right: a list."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.models import LEVELS, LogEntry, LogQuery
from observabilipy.storage import InMemoryLogStorage

pytestmark = pytest.mark.properties

ENTRIES = st.builds(LogEntry, st.integers(0, 5), st.sampled_from(LEVELS[:3]), st.sampled_from(["a", "b", "ab"]))
LEVEL = st.none() | st.sampled_from(LEVELS[:3])
STEPS = st.lists(
    st.lists(ENTRIES, max_size=5)
    | st.tuples(st.just("before"), st.integers(0, 6), LEVEL)
    | st.tuples(st.just("oldest"), st.integers(0, 6), LEVEL),
    max_size=8,
)
PLACES = st.none() | st.integers(0, 45)


@dataclass
class Model:
    """Positions and entries, in a list."""

    max_entries: int | None
    kept: list[tuple[int, LogEntry]] = field(default_factory=list)
    upcoming: int = 1

    def write(self, entries: list[LogEntry]) -> None:
        self.kept += enumerate(entries, self.upcoming)
        self.upcoming += len(entries)
        if self.max_entries is not None:
            self.kept = self.kept[-self.max_entries :]

    def delete(self, how: str, number: int, level: str | None) -> int:
        doomed = [item for item in self.kept if level in {None, item[1].level}]
        doomed = doomed[:number] if how == "oldest" else [item for item in doomed if item[1].timestamp < number]
        self.kept = [item for item in self.kept if item not in doomed]
        return len(doomed)

    def read(
        self, level: str | None, after: int | None, before: int | None, order: str, limit: int | None
    ) -> list[tuple[int, LogEntry]]:
        if after is not None and after >= self.upcoming:
            after = None  # no such place: from the oldest
        found = [
            (position, entry)
            for position, entry in self.kept
            if (after is None or position > after)
            and (before is None or position < before)
            and level in {None, entry.level}
        ]
        return (found[::-1] if order == "desc" else found)[:limit]


@given(
    max_entries=st.none() | st.integers(1, 8),
    steps=STEPS,
    level=LEVEL,
    after=PLACES,
    before=PLACES,
    order=st.sampled_from(["asc", "desc"]),
    limit=st.none() | st.integers(1, 5),
)
def test_reads_counts_and_deletions_agree_with_a_plain_list(
    *,
    max_entries: int | None,
    steps: list[list[LogEntry] | tuple[str, int, str | None]],
    level: str | None,
    after: int | None,
    before: int | None,
    order: Literal["asc", "desc"],
    limit: int | None,
) -> None:
    async def run() -> None:
        storage, model = InMemoryLogStorage(max_entries=max_entries), Model(max_entries)
        for step in steps:
            if isinstance(step, list):
                await storage.write_logs(step)
                model.write(step)
            else:
                delete = storage.delete_oldest_logs if step[0] == "oldest" else storage.delete_logs_before
                assert await delete(step[1], step[2]) == model.delete(*step)
        facts = await storage.log_facts()
        query = LogQuery(
            levels=None if level is None else {level},
            after=None if after is None else f"{facts.generation}-{after}",
            before=None if before is None else f"{facts.generation}-{before}",
            order=order,
            limit=limit,
        )
        wanted = model.read(level, after, before, order, limit)
        got = [(entry.cursor, entry) async for entry in storage.read_logs(query)]

        assert got == [(f"{facts.generation}-{position}", entry) for position, entry in wanted]
        assert await storage.count_logs(query) == len(wanted)
        assert (facts.count, facts.upcoming) == (len(model.kept), model.upcoming)

    asyncio.run(run())
