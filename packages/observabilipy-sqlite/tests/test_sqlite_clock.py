"""Clocks that are wrong for a while: who lives, who has the lease, and what is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from observabilipy.models import Family, MetricKind, gauge
from observabilipy.ports import Batch, Worker
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage

_HOUR = 3_600.0
_DAY = 86_400.0
_VICTIM, _SURVIVOR = Worker("victim"), Worker("survivor")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def storage(tmp_path: Path, clock: FakeClock) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db", clock=clock)
    yield storage
    storage.close()


def report(storage: SQLiteStorage, worker: Worker, sequence: int, value: float) -> None:
    queue = Family("queue", MetricKind.GAUGE, "Jobs that wait.", aggregate="sum")
    storage.commit(Batch(worker, sequence, gauges=(gauge("queue", value),), families=(queue,)))


async def shown(storage: SQLiteStorage) -> list[object]:
    return [series.value async for family in storage.totals() for series in family.series]


def test_a_lease_from_before_the_clock_went_back_is_none(storage: SQLiteStorage, clock: FakeClock) -> None:
    storage.acquire_lease(_VICTIM, 5.0)
    clock.advance(-_HOUR)

    assert (storage.acquire_lease(_SURVIVOR, 5.0), storage.acquire_lease(_VICTIM, 5.0)) == (True, False)


def test_clocks_that_differ_by_a_moment_do_not_take_the_lease_from_each_other(
    storage: SQLiteStorage, clock: FakeClock
) -> None:
    storage.acquire_lease(_VICTIM, 5.0)
    clock.advance(-0.5)

    assert storage.acquire_lease(_SURVIVOR, 5.0) is False


async def test_a_worker_that_dies_when_the_clock_went_back_is_not_alive_for_an_hour(
    storage: SQLiteStorage, clock: FakeClock
) -> None:
    report(storage, _VICTIM, 1, 5)
    report(storage, _SURVIVOR, 1, 2)
    clock.advance(-_HOUR)
    storage.acquire_lease(_SURVIVOR, 5.0)
    clock.advance(10)
    report(storage, _SURVIVOR, 2, 3)
    before = await shown(storage)
    clock.advance(10)
    storage.maintain()

    assert (before, await shown(storage)) == ([8], [3])


async def test_a_worker_with_a_longer_life_is_left_alone(storage: SQLiteStorage, clock: FakeClock) -> None:
    report(storage, Worker("patient", lifetime=60.0), 1, 5)
    storage.acquire_lease(_SURVIVOR, 5.0)
    clock.advance(50)

    assert await shown(storage) == [5]


@pytest.mark.parametrize("jump", [-_HOUR, _DAY])
async def test_workers_that_live_through_a_jump_report_their_gauges_again_and_are_complete(
    storage: SQLiteStorage, clock: FakeClock, jump: float
) -> None:
    for worker, value in ((_VICTIM, 5), (_SURVIVOR, 2)):
        report(storage, worker, 1, value)
    clock.advance(jump)
    storage.acquire_lease(_SURVIVOR, 5.0)
    storage.maintain()
    for worker, value in ((_VICTIM, 5), (_SURVIVOR, 2)):
        if not storage.heartbeat(worker):
            report(storage, worker, 2, value)
    clock.advance(-jump)
    storage.acquire_lease(_SURVIVOR, 5.0)
    storage.maintain()
    for worker, value in ((_VICTIM, 5), (_SURVIVOR, 2)):
        if not storage.heartbeat(worker):
            report(storage, worker, 3, value)

    assert await shown(storage) == [7]
