"""LogRetention: a policy applied in slices, with levels that fail or take long, and the upkeep that does it."""

import asyncio
from collections.abc import Callable

import pytest

from observabilipy.errors import StorageUnavailable
from observabilipy.models import LevelFacts, LevelRetentionPolicy, LogEntry, LogFacts, LogQuery, RetentionPolicy
from observabilipy.ports import LogStoragePort, Worker
from observabilipy.retention import LogRetention, apply_log_retention
from observabilipy.runtime.upkeep import Upkeep
from observabilipy.storage.memory import MemoryStorage
from observabilipy.testing import FakeClock
from observabilipy.troubles import Troubles

NOW = 1_000.0
POLICY = LevelRetentionPolicy({}, RetentionPolicy(max_count=10))


class Levels:
    """A log that holds so many entries of each level, and deletes at most a hundred at a time, some of them slowly."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts
        self.failing: set[str] = set()
        self.slow: set[str] = set()
        self.asked: list[str] = []

    async def log_facts(self) -> LogFacts:
        held = {level: LevelFacts(count, NOW, NOW, count) for level, count in self.counts.items()}
        return LogFacts("k", 0, 0, held)

    async def delete_logs_before(self, timestamp: float, level: str | None = None) -> int:
        raise NotImplementedError

    async def delete_oldest_logs(self, count: int, level: str | None = None) -> int:
        assert level is not None
        self.asked.append(level)
        if level in self.failing:
            raise StorageUnavailable(f"{level} is out of reach")
        gone = min(count, 100)
        self.counts[level] -= gone
        if level in self.slow:
            await asyncio.sleep(3600)
        return gone


def port(log: Levels) -> LogStoragePort:
    return log  # type: ignore[return-value] # retention asks for three of its methods only


async def test_a_level_that_fails_does_not_stop_the_others_and_is_told_at_the_end() -> None:
    log = Levels(DEBUG=50, INFO=500, ERROR=20)
    log.failing = {"DEBUG"}
    with pytest.raises(StorageUnavailable, match="DEBUG is out of reach"):
        await apply_log_retention(port(log), POLICY, NOW)

    assert (log.counts, log.asked.count("DEBUG")) == ({"DEBUG": 50, "INFO": 10, "ERROR": 10}, 1)


async def test_what_failed_is_tried_again_by_the_next_application() -> None:
    log = Levels(DEBUG=50)
    log.failing = {"DEBUG"}
    with pytest.raises(StorageUnavailable):
        await apply_log_retention(port(log), POLICY, NOW)
    log.failing = set()

    assert (await apply_log_retention(port(log), POLICY, NOW), log.counts) == (40, {"DEBUG": 10})


async def test_a_slice_is_one_step_for_each_level() -> None:
    log = Levels(DEBUG=250, INFO=50)
    retention = LogRetention(port(log), POLICY, NOW)
    slices = []
    ended = False
    while not ended:
        ended = await retention.work()
        slices.append(dict(log.counts))

    assert (slices, retention.deleted) == (
        [
            {"DEBUG": 150, "INFO": 10},
            {"DEBUG": 50, "INFO": 10},
            {"DEBUG": 10, "INFO": 10},
            {"DEBUG": 10, "INFO": 10},
        ],
        280,
    )


async def test_a_step_that_takes_too_long_is_interrupted_and_the_other_levels_have_their_turn() -> None:
    log = Levels(DEBUG=250, INFO=50)
    log.slow = {"DEBUG"}
    retention = LogRetention(port(log), POLICY, NOW)
    ended = await retention.work(0.001)

    assert (ended, log.counts, retention.errors) == (False, {"DEBUG": 150, "INFO": 10}, [])


async def test_interrupted_steps_add_up() -> None:
    log = Levels(DEBUG=250, INFO=5)
    log.slow = {"DEBUG"}
    retention = LogRetention(port(log), POLICY, NOW)
    ended = [await retention.work(0.001) for _ in range(4)]

    assert (ended, log.counts) == ([False, False, False, True], {"DEBUG": 10, "INFO": 5})


class Kept(MemoryStorage):
    """A memory storage whose log is a ``Levels``, and whose maintenance may fail."""

    def __init__(self, log: Levels) -> None:
        super().__init__()
        self.log_facts = log.log_facts  # type: ignore[method-assign]
        self.delete_oldest_logs = log.delete_oldest_logs  # type: ignore[method-assign]
        self.full = False

    def maintain(self) -> None:
        if self.full:
            raise StorageUnavailable("no room for a checkpoint")


class Told:
    """Troubles that remember which tasks failed."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.troubles = Troubles(self._count)

    def _count(self, name: str, help: str, labels: tuple[tuple[str, str], ...], amount: float) -> None:
        self.failures.append(dict(labels)["task"])


def upkeep(storage: MemoryStorage, told: Told, monotonic: Callable[[], float]) -> Upkeep:
    return Upkeep(
        storage,
        told.troubles,
        log_retention=POLICY,
        history_retention=RetentionPolicy(max_age=60),
        history_interval=10,
        retention_interval=10,
        clock=FakeClock(),
        monotonic=monotonic,
    )


def test_the_upkeep_deletes_a_slice_at_each_look_until_all_is_done() -> None:
    log, told, monotonic = Levels(DEBUG=250), Told(), FakeClock()
    keeper = upkeep(Kept(log), told, monotonic)
    monotonic.advance(10)
    looks = [(keeper.look(Worker("a")), log.counts["DEBUG"]) for _ in range(5)]

    assert looks == [(True, 150), (True, 50), (True, 10), (False, 10), (False, 10)]


def test_the_upkeep_goes_on_with_maintenance_for_as_long_as_there_is_more() -> None:
    told, monotonic = Told(), FakeClock()
    answers = [True, True, False, None]

    class Busy(MemoryStorage):
        def maintain(self) -> bool | None:  # type: ignore[override] # what the port allows
            return answers.pop(0)

    keeper = upkeep(Busy(), told, monotonic)
    looks = [keeper.look(Worker("a"))]
    monotonic.advance(1)
    looks += [keeper.look(Worker("a")) for _ in range(4)]
    monotonic.advance(1)
    looks.append(keeper.look(Worker("a")))

    assert (looks, answers, told.failures) == ([False, True, True, False, False, False], [], [])


def test_the_upkeep_retains_although_maintenance_fails() -> None:
    log, told, monotonic = Levels(DEBUG=50), Told(), FakeClock()
    storage = Kept(log)
    storage.full = True
    keeper = upkeep(storage, told, monotonic)
    monotonic.advance(10)
    keeper.look(Worker("a"))

    assert (log.counts, told.failures) == ({"DEBUG": 10}, ["maintenance"])


def test_a_storage_that_is_known_to_refuse_everything_is_not_told_of_again() -> None:
    log, told, monotonic = Levels(DEBUG=50), Told(), FakeClock()
    storage = Kept(log)
    storage.full = True
    log.failing = {"DEBUG"}
    keeper = upkeep(storage, told, monotonic)
    monotonic.advance(10)
    keeper.look(Worker("a"), troubled=True)

    assert told.failures == []


def test_the_upkeep_counts_a_level_that_fails_once_and_tries_again_in_its_rhythm() -> None:
    log, told, monotonic = Levels(DEBUG=50, INFO=250), Told(), FakeClock()
    log.failing = {"DEBUG"}
    keeper = upkeep(Kept(log), told, monotonic)
    monotonic.advance(10)
    for _ in range(5):
        keeper.look(Worker("a"))
    first = (dict(log.counts), list(told.failures))
    log.failing = set()
    monotonic.advance(10)
    while keeper.look(Worker("a")):
        pass

    assert (first, log.counts) == (({"DEBUG": 50, "INFO": 10}, ["retention of logs"]), {"DEBUG": 10, "INFO": 10})


def test_who_lost_the_lease_leaves_the_rest_to_the_other() -> None:
    log, told, monotonic = Levels(DEBUG=250), Told(), FakeClock()
    storage = Kept(log)
    keeper = upkeep(storage, told, monotonic)
    monotonic.advance(10)
    keeper.look(Worker("a"))
    storage.end_worker(Worker("a"))
    storage.acquire_lease(Worker("b"), 60)
    monotonic.advance(1)

    assert (keeper.look(Worker("a")), log.counts) == (False, {"DEBUG": 150})


async def test_a_clock_that_is_a_day_ahead_for_a_moment_deletes_nothing() -> None:
    clock, monotonic, told = FakeClock(), FakeClock(), Told()
    storage = MemoryStorage(clock=clock)
    await storage.write_logs([LogEntry(clock(), "INFO", "kept")])
    hour = RetentionPolicy(max_age=3600)
    keeper = Upkeep(
        storage,
        told.troubles,
        log_retention=hour,
        history_retention=hour,
        history_interval=10,
        retention_interval=10,
        clock=clock,
        monotonic=monotonic,
    )
    counts = []
    for jump, passed in ((86_400, 10), (-86_400, 10), (0, 3_570), (0, 20)):
        clock.advance(jump + passed)
        monotonic.advance(passed)
        keeper.look(Worker("a"))
        counts.append(await storage.count_logs(LogQuery()))

    assert (counts, told.failures) == ([1, 1, 1, 0], [])
