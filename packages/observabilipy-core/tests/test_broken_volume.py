"""VolumePort's contract has teeth: each of these storages breaks one promise, and the sentence that gives it fails."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from observabilipy.models import LogQuery, LogVolume
from observabilipy.models.volume import step_micros
from observabilipy.storage import InMemoryLogStorage, PlainStorage
from observabilipy.storage.volume import counted
from observabilipy.testing import FakeClock, VolumeContract

pytestmark = pytest.mark.contract


class Plain(PlainStorage):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__(InMemoryLogStorage(clock=clock))


class BeginsAtTheFirstEntry(Plain):
    async def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        moved = 0.0
        async for volume in counted(self, query, step_micros(step)):
            moved = moved or volume.start % 7
            yield replace(volume, start=volume.start + moved)


class GivesStepsAsTheyWereCommitted(Plain):
    async def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        width = step_micros(step) / 1e6
        async for entry in self.read_logs(query):
            yield LogVolume(entry.timestamp // width * width, {entry.level: 1})


class GivesEmptySteps(Plain):
    async def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        upcoming = None
        async for volume in counted(self, query, step_micros(step)):
            while upcoming is not None and upcoming < volume.start and step > 1:
                yield LogVolume(upcoming, {})
                upcoming += step
            upcoming = volume.start + step
            yield volume


class TakesNoNoticeOfLevels(Plain):
    def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        return counted(self, replace(query, levels=None, min_level=None), step_micros(step))


class TakesNoNoticeOfTheLimit(Plain):
    def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        return counted(self, replace(query, limit=None), step_micros(step))


class LooksAtTheStepLater(Plain):
    async def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        async for volume in counted(self, query, step_micros(step)):
            yield volume


class CountsTwiceWhatComesAtThatTime(Plain):
    async def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        before = await self.count_logs(LogQuery())
        volumes = [volume async for volume in counted(self, query, step_micros(step))]
        is_another = await self.count_logs(LogQuery()) != before
        for volume in volumes:
            yield replace(volume, counts={name: 2 * n for name, n in volume.counts.items()}) if is_another else volume


SABOTAGES: list[tuple[type[Plain], str]] = [
    (GivesEmptySteps, "entries_are_counted_by_step_and_level"),
    (BeginsAtTheFirstEntry, "steps_begin_at_multiples_of_the_step_since_1970"),
    (GivesStepsAsTheyWereCommitted, "steps_are_in_the_order_of_time_whatever_the_order_of_commits"),
    (TakesNoNoticeOfLevels, "every_query_counts_what_read_logs_gives"),
    (TakesNoNoticeOfTheLimit, "every_query_counts_what_read_logs_gives"),
    (LooksAtTheStepLater, "a_step_that_is_none_is_refused_before_anything_is_read"),
    (CountsTwiceWhatComesAtThatTime, "entries_that_stay_are_counted_once_while_others_come_and_go"),
]


@pytest.mark.parametrize(("broken", "sentence"), SABOTAGES, ids=lambda value: getattr(value, "__name__", value))
async def test_a_broken_storage_fails_the_sentence_it_breaks(broken: type[Plain], sentence: str) -> None:
    with pytest.raises(AssertionError):
        await _run(broken, sentence)


@pytest.mark.parametrize("sentence", sorted({sentence for _, sentence in SABOTAGES}))
async def test_the_same_storage_unbroken_passes_the_sentence(sentence: str) -> None:
    await _run(Plain, sentence)


async def _run(storage: type[Plain], sentence: str) -> None:
    class Trial(VolumeContract):
        def make_storage(self, clock: FakeClock) -> Plain:
            return storage(clock)

    await getattr(Trial(), f"test_{sentence}")()
