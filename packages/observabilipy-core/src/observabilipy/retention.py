"""Retention: (policy, facts, now) -> what to delete. Pure plans, and the loops that carry them out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from observabilipy.errors import ConfigurationError
from observabilipy.models import (
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
    "apply_history_retention",
    "apply_log_retention",
    "plan_history_retention",
    "plan_log_retention",
]

_MAX_ROUNDS = 1_000  # a plan that never ends is a bug of a store; what is left over is found by the next application
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


def plan_log_retention(
    policy: RetentionPolicy | LevelRetentionPolicy, facts: LogFacts, now: float
) -> tuple[Deletion, ...]:
    """The next step towards what the policy allows; () when the log is there.

    A plain policy holds for all levels together, a policy by level for each by itself. Age comes first; count and
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
    return tuple(step for step in steps if step is not None)


async def apply_log_retention(
    storage: LogStoragePort, policy: RetentionPolicy | LevelRetentionPolicy, now: float
) -> int:
    """Delete until the log is within the policy. Gives how many entries went."""
    deleted = 0
    for _ in range(_MAX_ROUNDS):
        gone = 0
        for step in plan_log_retention(policy, await storage.log_facts(), now):
            if isinstance(step, DeleteBefore):
                gone += await storage.delete_logs_before(step.timestamp, step.level)
            else:
                gone += await storage.delete_oldest_logs(step.count, step.level)
        if gone == 0:
            break
        deleted += gone
    return deleted


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
