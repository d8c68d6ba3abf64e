"""The contract has teeth: each of these storages breaks one promise, and the sentence that gives it fails."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from observabilipy.models import (
    Family,
    HistogramValue,
    LogEntry,
    LogFacts,
    LogQuery,
    Matcher,
    MetricQuery,
    MetricSample,
    SeriesHistory,
    parse_cursor,
)
from observabilipy.ports import Batch, CommitReport, Worker
from observabilipy.storage import InMemoryLogStorage, InMemoryMetricsStorage, MemoryStorage
from observabilipy.testing import (
    FakeClock,
    HistoryContract,
    LogStorageContract,
    MetricsStorageContract,
    RuntimeStorageContract,
)

pytestmark = pytest.mark.contract


# Logs


class ReusesPositions(InMemoryLogStorage):
    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        gone = await super().delete_oldest_logs(count, level)
        self._table.upcoming = self._table.rows()[-1][0] + 1 if self._table.rows() else 1
        return gone


class LosesTheFirstEntryOfAPage(InMemoryLogStorage):
    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        async for entry in super().read_logs(query):
            if _position(entry) != 501:
                yield entry


class RepeatsTheLastEntryOfAPage(InMemoryLogStorage):
    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        async for entry in super().read_logs(query):
            yield entry
            if _position(entry) == 500:
                yield entry


class IgnoresUntil(InMemoryLogStorage):
    def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        return super().read_logs(replace(query, until=None))


class TakesTextAsAPattern(InMemoryLogStorage):
    def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        return super().read_logs(replace(query, text=None if query.text == "%" else query.text))


class FoldsLettersBeyondAscii(InMemoryLogStorage):
    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        async for entry in super().read_logs(replace(query, text=None)):
            if (query.text or "").lower() in entry.message.lower():
                yield entry


class SortsByTime(InMemoryLogStorage):
    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        entries = [entry async for entry in super().read_logs(query)]
        for entry in sorted(entries, key=lambda entry: entry.timestamp):
            yield entry


class TakesForeignCursorsForItsOwn(InMemoryLogStorage):
    def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        if query.after is not None:
            position = parse_cursor(query.after).position
            query = replace(query, after=f"{self._table.generation}-{position}")
        return super().read_logs(query)


class RepeatsTheEntryOfTheCursor(InMemoryLogStorage):
    def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        if query.after is not None:
            cursor = parse_cursor(query.after)
            query = replace(query, after=str(replace(cursor, position=max(0, cursor.position - 1))))
        return super().read_logs(query)


class LimitsBeforeItFilters(InMemoryLogStorage):
    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        accepts = query.levels or {"INFO", "ERROR"}
        async for entry in super().read_logs(replace(query, levels=None)):
            if entry.level in accepts:
                yield entry


class WritesOneByOne(InMemoryLogStorage):
    async def write_logs(self, entries: Iterable[LogEntry]) -> None:
        for entry in entries:
            await super().write_logs([entry])


class KeepsWhatItWasGiven(InMemoryLogStorage):
    given: tuple[LogEntry, ...] = ()

    async def write_logs(self, entries: Iterable[LogEntry]) -> None:
        self.given = (*self.given, *entries)

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        for position, entry in enumerate(self.given, 1):
            yield replace(entry, cursor=f"a-{position}")


class CountsWithoutFilters(InMemoryLogStorage):
    async def count_logs(self, query: LogQuery) -> int:
        return await super().count_logs(LogQuery(limit=query.limit))


class ForgetsDeletionsInItsFacts(InMemoryLogStorage):
    facts: LogFacts | None = None

    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        self.facts = await self.log_facts()
        return await super().delete_oldest_logs(count, level)

    async def log_facts(self) -> LogFacts:
        return self.facts or await super().log_facts()


class DeletesAllLevels(InMemoryLogStorage):
    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        return await super().delete_oldest_logs(count)


class DeletesTheTimestampItself(InMemoryLogStorage):
    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        return await super().delete_logs_before(timestamp + 1e-6, level)


# Metrics


class AddsOneByOne(InMemoryMetricsStorage):
    async def write_samples(self, samples: Iterable[MetricSample]) -> None:
        for sample in samples:
            await super().write_samples([sample])


class CountsInFloats(InMemoryMetricsStorage):
    async def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        async for family in super().totals(names):
            yield replace(
                family,
                series=tuple(
                    row if isinstance(row.value, HistogramValue) else replace(row, value=float(row.value))  # type: ignore[arg-type] # no summaries here
                    for row in family.series
                ),
            )


class TearsItsTotals(InMemoryMetricsStorage):
    async def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        for name in [family.name async for family in super().totals(names)]:
            async for family in super().totals([name]):
                yield family


class ForgetsTheOverflow(InMemoryMetricsStorage):
    async def register(self, families: Iterable[Family]) -> None:
        await super().register([replace(family, series_limit=10**9) for family in families])


class KeepsTheFirstDefinition(InMemoryMetricsStorage):
    seen: tuple[str, ...] = ()

    async def register(self, families: Iterable[Family]) -> None:
        new = [family for family in families if family.name not in self.seen]
        self.seen = (*self.seen, *(family.name for family in new))
        await super().register(new)


class DropsSeriesOfAnotherKind(InMemoryMetricsStorage):
    async def register(self, families: Iterable[Family]) -> None:
        definitions = tuple(families)
        for definition in definitions:
            await self.delete_series([Matcher("__name__", definition.name)])
        await super().register(definitions)


class TakesGaugesByTimestamp(InMemoryMetricsStorage):
    async def write_samples(self, samples: Iterable[MetricSample]) -> None:
        await super().write_samples(sorted(samples, key=lambda sample: sample.timestamp))


class DeletesWhatMatchesAnything(InMemoryMetricsStorage):
    async def delete_series(self, matchers: Sequence[Matcher], idle_since: float | None = None) -> int:
        return sum([await super(DeletesWhatMatchesAnything, self).delete_series([one], idle_since) for one in matchers])


class ForgetsWhenSeriesBegan(InMemoryMetricsStorage):
    async def totals(self, names: Iterable[str] | None = None) -> AsyncIterator[Family]:
        async for family in super().totals(names):
            yield replace(family, series=tuple(replace(row, created=self._clock()) for row in family.series))


# The runtime's part


class AppliesRepeatedCommits(MemoryStorage):
    commits = 0

    def commit(self, batch: Batch) -> CommitReport:
        self.commits += 1
        return super().commit(replace(batch, sequence=self.commits))


class CommitsHalf(MemoryStorage):
    def commit(self, batch: Batch) -> CommitReport:
        super().commit(replace(batch, samples=(), gauges=()))
        return super().commit(replace(batch, sequence=batch.sequence + 1, entries=()))


class ReportsNothing(MemoryStorage):
    def commit(self, batch: Batch) -> CommitReport:
        super().commit(batch)
        return CommitReport()


class ForgetsSequencesWithItsWorkers(MemoryStorage):
    def end_worker(self, worker: Worker) -> None:
        super().end_worker(worker)
        self._metrics.workers._rows.clear()


class LetsWorkersLiveForEver(MemoryStorage):
    def commit(self, batch: Batch) -> CommitReport:
        return super().commit(replace(batch, worker=replace(batch.worker, lifetime=1e9)))


class KeepsTheGaugesOfTheDeparted(MemoryStorage):
    def end_worker(self, worker: Worker) -> None:
        """Take no notice."""


class DropsLastGaugesWithTheirWorker(MemoryStorage):
    def end_worker(self, worker: Worker) -> None:
        super().end_worker(worker)
        self._metrics._table.delete([Matcher("__name__", "f")], None)


class ForgetsToTellOfAnExpiry(MemoryStorage):
    def commit(self, batch: Batch) -> CommitReport:
        self.heartbeat(batch.worker)
        return super().commit(batch)


class LeasesToEveryone(MemoryStorage):
    def acquire_lease(self, worker: Worker, lifetime: float) -> bool:
        return True


class MarksNoEnds(MemoryStorage):
    async def read_history(self, query: MetricQuery) -> AsyncIterator[SeriesHistory]:
        async for history in super().read_history(query):
            yield replace(history, points=tuple(point for point in history.points if point[1] is not None))


class SamplesInTheOrderOfItsCalls(MemoryStorage):
    async def read_history(self, query: MetricQuery) -> AsyncIterator[SeriesHistory]:
        async for history in super().read_history(query):
            yield replace(history, points=history.points[1:] + history.points[:1])


class LosesTotalsWithTheHistory(MemoryStorage):
    async def delete_history_before(self, timestamp: float) -> int:
        await self.delete_series([Matcher("__name__", "b_total")])
        return await super().delete_history_before(timestamp)


_Contract = LogStorageContract | MetricsStorageContract | RuntimeStorageContract | HistoryContract

# What is broken, the contract that it breaks, and the sentence that must fail.
SABOTAGES: list[tuple[type[Any], type[_Contract], str]] = [
    (ReusesPositions, LogStorageContract, "positions_are_never_used_again_after_everything_was_deleted"),
    (LosesTheFirstEntryOfAPage, LogStorageContract, "entries_that_stay_are_read_once_while_others_come_and_go"),
    (RepeatsTheLastEntryOfAPage, LogStorageContract, "entries_that_stay_are_read_once_while_others_come_and_go"),
    (IgnoresUntil, LogStorageContract, "since_is_inclusive_and_until_exclusive"),
    (TakesTextAsAPattern, LogStorageContract, "text_is_a_substring_with_ascii_letters_in_either_case"),
    (FoldsLettersBeyondAscii, LogStorageContract, "text_is_a_substring_with_ascii_letters_in_either_case"),
    (SortsByTime, LogStorageContract, "entries_keep_the_order_in_which_they_were_committed"),
    (
        TakesForeignCursorsForItsOwn,
        LogStorageContract,
        "after_a_cursor_of_another_generation_reading_starts_at_the_oldest",
    ),
    (RepeatsTheEntryOfTheCursor, LogStorageContract, "after_a_cursor_comes_everything_that_was_committed_later"),
    (LimitsBeforeItFilters, LogStorageContract, "limit_takes_the_first_that_match_in_the_order"),
    (WritesOneByOne, LogStorageContract, "a_write_that_fails_midway_stores_nothing"),
    (KeepsWhatItWasGiven, LogStorageContract, "attributes_that_change_after_the_write_change_nothing"),
    (CountsWithoutFilters, LogStorageContract, "count_logs_counts_what_read_logs_gives"),
    (ForgetsDeletionsInItsFacts, LogStorageContract, "facts_are_exact_after_writes_and_deletions"),
    (DeletesAllLevels, LogStorageContract, "delete_oldest_logs_may_spare_other_levels"),
    (DeletesTheTimestampItself, LogStorageContract, "delete_logs_before_spares_the_timestamp_itself"),
    (AddsOneByOne, MetricsStorageContract, "a_write_that_fails_midway_adds_nothing"),
    (CountsInFloats, MetricsStorageContract, "whole_numbers_are_exact_up_to_two_to_the_63"),
    (TearsItsTotals, MetricsStorageContract, "totals_are_one_consistent_snapshot"),
    (ForgetsTheOverflow, MetricsStorageContract, "increments_beyond_the_limit_go_to_the_overflow_series"),
    (ForgetsTheOverflow, MetricsStorageContract, "gauges_beyond_the_limit_are_refused_and_older_ones_go_on"),
    (KeepsTheFirstDefinition, MetricsStorageContract, "the_newest_definition_counts"),
    (KeepsTheFirstDefinition, MetricsStorageContract, "counts_under_older_bounds_move_to_the_first_bound_at_or_above"),
    (DropsSeriesOfAnotherKind, MetricsStorageContract, "another_kind_hides_the_older_series_until_it_returns"),
    (TakesGaugesByTimestamp, MetricsStorageContract, "a_gauge_has_the_value_written_last_whatever_its_timestamp"),
    (DeletesWhatMatchesAnything, MetricsStorageContract, "delete_series_takes_those_that_match_all_matchers"),
    (ForgetsWhenSeriesBegan, MetricsStorageContract, "created_stays_that_of_the_first_report"),
    (AppliesRepeatedCommits, RuntimeStorageContract, "a_repeated_commit_does_nothing"),
    (AppliesRepeatedCommits, RuntimeStorageContract, "an_older_commit_does_nothing_after_a_newer_one"),
    (CommitsHalf, RuntimeStorageContract, "a_commit_that_fails_stores_nothing_and_may_be_repeated"),
    (ReportsNothing, RuntimeStorageContract, "a_commit_reports_what_it_could_not_take_as_it_was"),
    (
        ForgetsSequencesWithItsWorkers,
        RuntimeStorageContract,
        "a_commit_is_still_known_after_its_worker_expired_and_ended",
    ),
    (LetsWorkersLiveForEver, RuntimeStorageContract, "a_silent_workers_gauges_count_until_its_lifetime_is_over"),
    (KeepsTheGaugesOfTheDeparted, RuntimeStorageContract, "a_worker_that_ended_counts_no_more_and_its_totals_stay"),
    (KeepsTheGaugesOfTheDeparted, RuntimeStorageContract, "infos_of_several_workers_are_shown_while_these_live"),
    (DropsLastGaugesWithTheirWorker, RuntimeStorageContract, "a_last_gauge_outlives_its_worker"),
    (
        ForgetsToTellOfAnExpiry,
        RuntimeStorageContract,
        "a_heartbeat_tells_of_an_expiry_even_after_housekeeping_and_a_commit",
    ),
    (LeasesToEveryone, RuntimeStorageContract, "one_worker_holds_the_lease"),
    (MarksNoEnds, HistoryContract, "a_deleted_series_ends_with_one_mark_and_may_begin_again"),
    (SamplesInTheOrderOfItsCalls, HistoryContract, "points_come_oldest_first_whatever_the_order_of_sampling"),
    (LosesTotalsWithTheHistory, HistoryContract, "samples_are_counted_and_deleted_by_age_and_totals_stay"),
]


@pytest.mark.parametrize(
    ("broken", "contract", "sentence"), SABOTAGES, ids=lambda value: getattr(value, "__name__", value)
)
async def test_a_broken_storage_fails_the_sentence_it_breaks(
    broken: type[Any], contract: type[_Contract], sentence: str
) -> None:
    with pytest.raises(AssertionError):
        await _run(broken, contract, sentence)


@pytest.mark.parametrize(
    ("broken", "contract", "sentence"), SABOTAGES, ids=lambda value: getattr(value, "__name__", value)
)
async def test_the_same_storage_unbroken_passes_the_sentence(
    broken: type[Any], contract: type[_Contract], sentence: str
) -> None:
    await _run(broken.__base__, contract, sentence)


async def _run(storage: Any, contract: type[_Contract], sentence: str) -> None:
    """Run one sentence of a contract on a storage."""

    def make_storage(_: object, clock: FakeClock) -> object:
        return storage(clock=clock)

    trial = type("Trial", (contract,), {"make_storage": make_storage})
    await getattr(trial(), f"test_{sentence}")()


def _position(entry: LogEntry) -> int:
    return parse_cursor(entry.cursor or "").position
