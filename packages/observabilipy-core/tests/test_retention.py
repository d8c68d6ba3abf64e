"""Retention: what is planned, and that carrying it out ends within the limits."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.errors import ConfigurationError
from observabilipy.models import LevelFacts, LevelRetentionPolicy, LogFacts, RetentionPolicy, from_micros
from observabilipy.ports import LogStoragePort, MetricsStoragePort
from observabilipy.retention import (
    DeleteBefore,
    DeleteOldest,
    LogRetention,
    apply_history_retention,
    apply_log_retention,
    plan_history_retention,
    plan_log_retention,
)

NOW = 1_000.0


def facts(**levels: tuple[int, float, int]) -> LogFacts:
    """Facts from ``level=(count, oldest, bytes)``."""
    held = {level: LevelFacts(count, oldest, NOW, size) for level, (count, oldest, size) in levels.items()}
    return LogFacts("k", 0, 100, held)


def test_what_is_too_old_goes_from_all_levels() -> None:
    held = facts(INFO=(3, 950, 30), ERROR=(1, 899.5, 10))

    assert plan_log_retention(RetentionPolicy(max_age=100), held, NOW) == (DeleteBefore(900.0),)


def test_what_is_exactly_as_old_as_allowed_stays() -> None:
    assert plan_log_retention(RetentionPolicy(max_age=100), facts(INFO=(3, 900, 30)), NOW) == ()


def test_a_limit_finer_than_timestamps_plans_nothing() -> None:
    assert plan_log_retention(RetentionPolicy(max_age=100), facts(INFO=(3, 900, 30)), NOW + 1e-7) == ()


def test_count_takes_what_is_over_it() -> None:
    held = facts(INFO=(7, 950, 30), ERROR=(5, 899, 10))

    assert plan_log_retention(RetentionPolicy(max_count=10), held, NOW) == (DeleteOldest(2),)


def test_age_comes_before_count() -> None:
    held = facts(INFO=(7, 850, 30))

    assert plan_log_retention(RetentionPolicy(max_age=100, max_count=5), held, NOW) == (DeleteBefore(900.0),)


def test_bytes_take_average_entries_rounded_up() -> None:
    assert plan_log_retention(RetentionPolicy(max_bytes=65), facts(INFO=(10, 950, 100)), NOW) == (DeleteOldest(4),)


def test_the_larger_of_count_and_bytes_is_taken() -> None:
    policy = RetentionPolicy(max_count=9, max_bytes=65)

    assert plan_log_retention(policy, facts(INFO=(10, 950, 100)), NOW) == (DeleteOldest(4),)


def test_bytes_never_take_all_of_several_entries() -> None:
    assert plan_log_retention(RetentionPolicy(max_bytes=1), facts(INFO=(3, 950, 100)), NOW) == (DeleteOldest(2),)


def test_a_single_entry_that_is_too_large_goes() -> None:
    assert plan_log_retention(RetentionPolicy(max_bytes=10), facts(INFO=(1, 950, 100)), NOW) == (DeleteOldest(1),)


def test_forever_plans_nothing() -> None:
    assert plan_log_retention(RetentionPolicy.forever(), facts(INFO=(10**9, -1e9, 10**15)), NOW) == ()


def test_an_empty_log_needs_nothing() -> None:
    assert plan_log_retention(RetentionPolicy(1, 1, 1), facts(), NOW) == ()


def test_levels_are_judged_one_by_one() -> None:
    policy = LevelRetentionPolicy(
        {"debug": RetentionPolicy(max_age=10), "ERROR": RetentionPolicy.forever()}, RetentionPolicy(max_count=2)
    )
    held = facts(DEBUG=(1, 0, 5), ERROR=(900, 0, 5), INFO=(5, 0, 5), AUDIT=(2, 0, 5))

    assert plan_log_retention(policy, held, NOW) == (DeleteBefore(990.0, "DEBUG"), DeleteOldest(3, "INFO"))


def test_what_is_older_than_any_level_may_be_goes_in_one_piece() -> None:
    policy = LevelRetentionPolicy({"DEBUG": RetentionPolicy(max_age=10)}, RetentionPolicy(max_age=100))
    one_for_ever = LevelRetentionPolicy({"AUDIT": RetentionPolicy.forever()}, RetentionPolicy(max_age=100))
    held = facts(DEBUG=(1, 980, 5), INFO=(5, 850, 5), ERROR=(5, 950, 5))

    assert plan_log_retention(policy, held, NOW) == (
        DeleteBefore(900.0),
        DeleteBefore(990.0, "DEBUG"),
        DeleteBefore(900.0, "INFO"),
    )
    assert plan_log_retention(one_for_ever, held, NOW) == (DeleteBefore(900.0, "INFO"),)


async def test_levels_have_their_turn_when_the_one_piece_cannot_be_deleted() -> None:
    class Stubborn(ModelLog):
        async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
            self.calls.append(f"{level}")
            if level is None:
                raise OSError("not now")
            return await super().delete_logs_before(timestamp, level)

    log = Stubborn([Entry(1, "INFO", 1), Entry(2, "ERROR", 1), Entry(NOW, "INFO", 1)])
    retention = LogRetention(port(log), LevelRetentionPolicy({}, RetentionPolicy(max_age=100)), NOW)
    while not await retention.work():
        pass

    assert (log.entries, [str(error) for error in retention.errors]) == ([Entry(NOW, "INFO", 1)], ["not now"])
    assert sorted(call for call in log.calls if call != "facts") == ["ERROR", "INFO", "None"]


@dataclass(frozen=True)
class Entry:
    """An entry, as far as retention knows one."""

    timestamp: float
    level: str
    size: int


@dataclass
class ModelLog:
    """The simplest log that answers what retention asks."""

    entries: list[Entry]
    calls: list[str] = field(default_factory=list)

    async def log_facts(self) -> LogFacts:
        self.calls.append("facts")
        held = {}
        for level in {entry.level for entry in self.entries}:
            rows = [entry for entry in self.entries if entry.level == level]
            times = [entry.timestamp for entry in rows]
            held[level] = LevelFacts(len(rows), min(times), max(times), sum(entry.size for entry in rows))
        return LogFacts("k", 0, 0, held)

    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        return self._drop([e for e in self._of(level) if e.timestamp < timestamp])

    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        return self._drop(list(self._of(level))[:count])

    def _of(self, level: str | None) -> Iterable[Entry]:
        return (entry for entry in self.entries if level in {None, entry.level})

    def _drop(self, gone: list[Entry]) -> int:
        places = {id(entry) for entry in gone}
        self.entries = [entry for entry in self.entries if id(entry) not in places]
        return len(gone)


def port(log: ModelLog) -> LogStoragePort:
    return log  # type: ignore[return-value] # retention asks for three of its methods only


MOMENTS = st.integers(0, 1_000_000_000).map(from_micros)
ENTRIES = st.lists(
    st.builds(Entry, MOMENTS, st.sampled_from(["DEBUG", "INFO", "ERROR"]), st.integers(1, 200)), max_size=40
)
POLICIES = st.one_of(
    st.just(RetentionPolicy.forever()),
    st.builds(
        RetentionPolicy,
        st.floats(0.001, 1_000),
        st.none() | st.integers(1, 50),
        st.none() | st.integers(1, 3_000),
    ),
    st.builds(RetentionPolicy, st.none(), st.integers(1, 50), st.none() | st.integers(1, 3_000)),
    st.builds(RetentionPolicy, st.none(), st.none(), st.integers(1, 3_000)),
)


def within(policy: RetentionPolicy, entries: list[Entry]) -> bool:
    return (
        (policy.max_age is None or all(entry.timestamp >= NOW - policy.max_age - 1e-6 for entry in entries))
        and (policy.max_count is None or len(entries) <= policy.max_count)
        and (policy.max_bytes is None or sum(entry.size for entry in entries) <= policy.max_bytes)
    )


def young(policy: RetentionPolicy, entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if policy.max_age is None or entry.timestamp >= NOW - policy.max_age + 1e-6]


@pytest.mark.properties
@given(ENTRIES, POLICIES)
async def test_after_retention_the_limits_hold(entries: list[Entry], policy: RetentionPolicy) -> None:
    log = ModelLog(entries)

    deleted = await apply_log_retention(port(log), policy, NOW)

    assert (within(policy, log.entries), deleted) == (True, len(entries) - len(log.entries))


@pytest.mark.properties
@given(ENTRIES, POLICIES)
async def test_what_is_young_and_within_the_limits_stays(entries: list[Entry], policy: RetentionPolicy) -> None:
    log = ModelLog(entries)

    await apply_log_retention(port(log), policy, NOW)

    kept = young(policy, entries)
    if policy.max_bytes is None:  # count is exact: the newest so many stay
        expected = kept if policy.max_count is None else kept[-policy.max_count :]
        assert log.entries[-len(expected) :] == expected or not expected
    else:  # bytes go by averages: all stays if all fits, and the newest stays if it fits
        fits = kept[-1:] if not within(policy, kept) else kept
        assert log.entries[-len(fits) :] == fits or not within(policy, fits) or not fits


@pytest.mark.properties
@given(ENTRIES, POLICIES)
async def test_retention_applied_twice_deletes_nothing_more(entries: list[Entry], policy: RetentionPolicy) -> None:
    log = ModelLog(entries)
    await apply_log_retention(port(log), policy, NOW)
    log.calls.clear()

    assert (await apply_log_retention(port(log), policy, NOW), log.calls) == (0, ["facts"])


@pytest.mark.properties
@given(ENTRIES, POLICIES, POLICIES)
async def test_each_level_is_kept_as_if_it_were_alone(
    entries: list[Entry], info: RetentionPolicy, default: RetentionPolicy
) -> None:
    together = ModelLog(entries)
    await apply_log_retention(port(together), LevelRetentionPolicy({"INFO": info}, default), NOW)

    alone = []
    for level in ("DEBUG", "INFO", "ERROR"):
        log = ModelLog([entry for entry in entries if entry.level == level])
        await apply_log_retention(port(log), info if level == "INFO" else default, NOW)
        alone.append(log.entries)
    assert [[e for e in together.entries if e.level == level] for level in ("DEBUG", "INFO", "ERROR")] == alone


async def test_one_giant_among_small_entries_goes_at_last() -> None:
    log = ModelLog([*(Entry(NOW, "INFO", 1) for _ in range(200)), Entry(NOW, "INFO", 10_000)])

    assert (await apply_log_retention(port(log), RetentionPolicy(max_bytes=9_999), NOW), log.entries) == (201, [])


async def test_a_large_entry_is_deleted_without_the_newer_ones() -> None:
    log = ModelLog([Entry(NOW, "INFO", 90), Entry(NOW, "INFO", 5), Entry(NOW, "ERROR", 5)])

    await apply_log_retention(port(log), RetentionPolicy(max_bytes=10), NOW)

    assert log.entries == [Entry(NOW, "ERROR", 5)]


async def test_a_store_that_deletes_nothing_is_asked_once() -> None:
    class Stuck(ModelLog):
        def _drop(self, gone: list[Entry]) -> int:
            return 0

    log = Stuck([Entry(NOW, "INFO", 1)] * 3)

    assert (await apply_log_retention(port(log), RetentionPolicy(max_count=1), NOW), log.calls) == (0, ["facts"])


def test_a_history_is_cut_at_its_age() -> None:
    assert plan_history_retention(RetentionPolicy(max_age=100), NOW) == DeleteBefore(900.0)


def test_a_history_that_is_known_to_be_young_enough_stays() -> None:
    assert plan_history_retention(RetentionPolicy(max_age=100), NOW, since=900) is None


def test_a_history_over_its_count_keeps_that_share_of_its_time() -> None:
    policy = RetentionPolicy(max_count=500)

    assert plan_history_retention(policy, NOW, count=1_000, since=600) == DeleteBefore(800.0)


def test_a_history_just_over_its_count_is_cut_by_a_tenth() -> None:
    policy = RetentionPolicy(max_count=999)

    assert plan_history_retention(policy, NOW, count=1_000, since=900) == DeleteBefore(910.0)


def test_a_history_within_its_count_stays() -> None:
    assert plan_history_retention(RetentionPolicy(max_count=500), NOW, count=500) is None


def test_a_history_kept_forever_stays() -> None:
    assert plan_history_retention(RetentionPolicy.forever(), NOW, count=10**9) is None


def test_a_history_has_no_limit_in_bytes() -> None:
    message = "^retention of a history knows max_age and max_count, got max_bytes=5: limit max_count$"
    with pytest.raises(ConfigurationError, match=message):
        plan_history_retention(RetentionPolicy(max_bytes=5), NOW)


@dataclass
class ModelHistory:
    """The times of all samples."""

    times: list[float]

    async def count_samples(self) -> int:
        return len(self.times)

    async def delete_history_before(self, timestamp: float) -> int:
        before = len(self.times)
        self.times = [time for time in self.times if time >= timestamp]
        return before - len(self.times)


def history_port(history: ModelHistory) -> MetricsStoragePort:
    return history  # type: ignore[return-value] # retention asks for two of its methods only


async def test_age_and_count_of_a_history_are_applied_together() -> None:
    history = ModelHistory([float(second) for second in range(1_000)])

    deleted = await apply_history_retention(history_port(history), RetentionPolicy(max_age=500, max_count=100), NOW)

    assert (deleted, history.times) == (900, [float(second) for second in range(900, 1_000)])


async def test_samples_of_one_moment_do_not_keep_retention_busy_for_ever() -> None:
    history = ModelHistory([NOW] * 5)

    assert await apply_history_retention(history_port(history), RetentionPolicy(max_count=2), NOW) == 0


@pytest.mark.properties
@given(st.sets(st.integers(0, 999_000_000), max_size=60), st.integers(1, 60), st.none() | st.floats(1, 1_000))
async def test_after_retention_a_history_is_within_its_limits(
    micros: set[int], max_count: int, max_age: float | None
) -> None:
    history = ModelHistory([from_micros(moment) for moment in micros])
    policy = RetentionPolicy(max_age, max_count)

    deleted = await apply_history_retention(history_port(history), policy, NOW)

    assert (len(history.times) <= max_count, deleted) == (True, len(micros) - len(history.times))


@pytest.mark.properties
@given(st.lists(MOMENTS, max_size=30), st.floats(0.001, 1_000))
async def test_age_alone_deletes_just_what_is_too_old(times: list[float], max_age: float) -> None:
    history = ModelHistory(list(times))

    await apply_history_retention(history_port(history), RetentionPolicy(max_age), NOW)

    moment = from_micros(round((NOW - max_age) * 1_000_000))
    assert history.times == [time for time in times if time >= moment]
