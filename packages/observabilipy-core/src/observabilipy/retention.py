"""Retention: (policy, facts, now) -> what to delete. Pure plans, and the loops that carry them out."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from observabilipy.errors import ConfigurationError
from observabilipy.models import (
    Clock,
    LevelFacts,
    LevelRetentionPolicy,
    LogFacts,
    RetentionPolicy,
    from_micros,
    to_micros,
)
from observabilipy.ports import LogStoragePort, MetricsStoragePort

__all__ = [
    "DeleteBefore",
    "DeleteOldest",
    "Deletion",
    "LogRetention",
    "PatientClock",
    "apply_history_retention",
    "apply_log_retention",
    "plan_history_retention",
    "plan_log_retention",
]

_MAX_ROUNDS = 1_000  # a plan that never ends is a bug of a store; what is left over is found by the next application
_SMALLEST_JUMP = 60.0  # seconds; a clock that gains less between two looks is believed at once
_PATIENCE = 3_600.0  # seconds; a wrong time that is not put right within the hour is taken for the right one
_LARGEST_SHARE = 0.9  # what a count limit keeps of a history at most, so that each step gets somewhere


@dataclass(frozen=True, slots=True)
class DeleteBefore:
    """Delete what is older than ``timestamp`` (unix seconds), of one level or all."""

    timestamp: float
    level: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteOldest:
    """Delete the ``count`` entries committed first, of one level or all."""

    count: int
    level: str | None = None


Deletion: TypeAlias = DeleteBefore | DeleteOldest


class PatientClock:
    """A clock for deleting by age: it follows another one, but believes a jump ahead only after an hour.

    What was deleted because a clock was wrong for a moment is gone. Who waits loses nothing: after a jump that was
    right, a suspended machine's say, old entries go an hour later. A jump back is followed at once; it deletes less.

    Args:
        clock: gives unix seconds.
        monotonic: gives seconds that never jump.
    """

    def __init__(self, clock: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._ahead = clock() - monotonic()  # of the monotonic clock, as far as it is believed
        self._doubted: tuple[float, float] | None = None  # how far ahead a jump went, and when: monotonic seconds

    def __call__(self) -> float:
        """Unix seconds."""
        moment = self._monotonic()
        ahead = self._clock() - moment
        if ahead <= self._ahead + _SMALLEST_JUMP:
            self._ahead, self._doubted = ahead, None
        elif self._doubted is None or abs(ahead - self._doubted[0]) > _SMALLEST_JUMP:
            self._doubted = ahead, moment
        elif moment - self._doubted[1] >= _PATIENCE:
            self._ahead, self._doubted = ahead, None
        return moment + self._ahead


def plan_log_retention(
    policy: RetentionPolicy | LevelRetentionPolicy, facts: LogFacts, now: float
) -> tuple[Deletion, ...]:
    """The next step towards what the policy allows; () when the log is there.

    A plain policy holds for all levels together, a policy by level for each by itself; but what is older than all of
    these allow goes first, whatever its level: stores delete that in one piece. Age comes first; count and
    bytes are judged once nothing is too old. How many entries make up the bytes over the limit is told by their average
    size, so more steps may follow; a step leaves at least the newest entry, unless that one alone is too large.

    Args:
        policy: what may be kept.
        facts: what the store holds now.
        now: unix seconds.
    """
    if isinstance(policy, RetentionPolicy):
        step = _step(policy, facts.levels.values(), now, None)
        return () if step is None else (step,)
    steps = (_step(policy.of(level), (held,), now, level) for level, held in facts.levels.items())
    return tuple(step for step in (_of_any_level(policy, facts, now), *steps) if step is not None)


class LogRetention:
    """One application of a policy to a log, in slices, so that whoever does it can do something else in between.

    A deletion that fails is not repeated in this application, and keeps no other from its turn.

    Args:
        storage: the log.
        policy: what may be kept.
        now: unix seconds; what is too old is judged by this moment until the end.
    """

    def __init__(self, storage: LogStoragePort, policy: RetentionPolicy | LevelRetentionPolicy, now: float) -> None:
        self._storage = storage
        self._policy = policy
        self._now = now
        self._failed: set[str | None] = set()
        self.deleted = 0
        """How many entries went, as far as the storage told before it was interrupted."""
        self.errors: list[Exception] = []
        """What went wrong."""

    async def work(self, seconds: float | None = None) -> bool:
        """Take one step for each level, or one for all. True when nothing is left to do.

        Args:
            seconds: for all of the steps together; one that takes longer is cancelled, and goes on the next time.
                None: as long as it takes.

        Raises:
            StorageUnavailable: the storage does not even say what it holds.
        """
        plan = plan_log_retention(self._policy, await self._storage.log_facts(), self._now)
        steps = [step for step in plan if step.level not in self._failed]
        if steps and steps[0].level is None:
            steps = steps[:1]  # the others would look for what is being deleted
        before = self.deleted, len(self._failed)
        share = None if seconds is None else seconds / max(1, len(steps))
        interrupted = [await self._take(step, share) for step in steps]
        return not any(interrupted) and (self.deleted, len(self._failed)) == before

    async def _take(self, step: Deletion, seconds: float | None) -> bool:
        """Whether the step was interrupted."""
        from asyncio import timeout

        limit = timeout(seconds)
        try:
            async with limit:
                self.deleted += await self._delete(step)
        except Exception as error:  # noqa: BLE001 - a storage may raise anything; the other levels have their turn
            if not limit.expired():
                self._failed.add(step.level)
                self.errors.append(error)
        return limit.expired()

    async def _delete(self, step: Deletion) -> int:
        if isinstance(step, DeleteBefore):
            return await self._storage.delete_logs_before(step.timestamp, step.level)
        return await self._storage.delete_oldest_logs(step.count, step.level)


async def apply_log_retention(
    storage: LogStoragePort, policy: RetentionPolicy | LevelRetentionPolicy, now: float
) -> int:
    """Delete until the log is within the policy. Gives how many entries went.

    Raises:
        Exception: the first of what the storage raised, when everything else that could be deleted was.
    """
    retention = LogRetention(storage, policy, now)
    for _ in range(_MAX_ROUNDS):
        if await retention.work():
            break
    for error in retention.errors:
        raise error
    return retention.deleted


def plan_history_retention(
    policy: RetentionPolicy, now: float, *, count: int = 0, since: float = 0
) -> DeleteBefore | None:
    """The next step towards what the policy allows; None when the history is there.

    A store tells how many samples it holds, not how old they are: over ``max_count`` the plan keeps the same share of
    the time since ``since``, at most nine tenths of it, and looks again.

    Args:
        policy: what may be kept.
        now: unix seconds.
        count: samples that the store holds.
        since: unix seconds; nothing older is left, the step before made sure.

    Raises:
        ConfigurationError: the policy limits bytes, which histories do not count.
    """
    if policy.max_bytes is not None:
        raise ConfigurationError(
            f"retention of a history knows max_age and max_count, got max_bytes={policy.max_bytes}: limit max_count"
        )
    if policy.max_age is not None and since < (moment := _moment(now - policy.max_age)):
        return DeleteBefore(moment)
    if policy.max_count is not None and count > policy.max_count:
        share = min(policy.max_count / count, _LARGEST_SHARE)
        return DeleteBefore(_moment(now - share * (now - since)))
    return None


async def apply_history_retention(storage: MetricsStoragePort, policy: RetentionPolicy, now: float) -> int:
    """Delete until the history is within the policy. Gives how many samples went; totals stay."""
    deleted = 0
    since: float = 0
    count = await storage.count_samples()
    for _ in range(_MAX_ROUNDS):
        step = plan_history_retention(policy, now, count=count, since=since)
        if step is None or step.timestamp <= since:
            break
        gone = await storage.delete_history_before(step.timestamp)
        since = step.timestamp
        deleted += gone
        count -= gone
    return deleted


def _of_any_level(policy: LevelRetentionPolicy, facts: LogFacts, now: float) -> Deletion | None:
    # Also of the levels that the log does not have now: entries of them may come at any moment.
    ages = [one.max_age for one in (*policy.levels.values(), policy.default)]
    longest = max((age for age in ages if age is not None), default=None)
    if longest is None or None in ages:
        return None
    return _step(RetentionPolicy(max_age=longest), facts.levels.values(), now, None)


def _step(policy: RetentionPolicy, held: Iterable[LevelFacts], now: float, level: str | None) -> Deletion | None:
    levels = [facts for facts in held if facts.count]
    if policy.max_age is not None:
        moment = _moment(now - policy.max_age)
        if any(facts.oldest < moment for facts in levels):
            return DeleteBefore(moment, level)
    count = sum(facts.count for facts in levels)
    excess = max(
        0 if policy.max_count is None else count - policy.max_count,
        0 if policy.max_bytes is None else _over(count, sum(facts.bytes for facts in levels), policy.max_bytes),
    )
    return DeleteOldest(excess, level) if excess > 0 else None


def _over(count: int, size: int, max_bytes: int) -> int:
    """How many average entries are over the limit, rounded up; never all of several."""
    if size <= max_bytes or not count:
        return 0
    rounded_up = -(-(size - max_bytes) * count // size)
    return min(rounded_up, max(1, count - 1))


def _moment(timestamp: float) -> float:
    # Timestamps are kept to the microsecond; a finer limit would plan what no store can do.
    return from_micros(to_micros(timestamp))
