"""What is begun of a history and never ended: it is found, and it takes no room from what goes on."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from observabilipy.errors import StorageUnavailable
from observabilipy.testing import FakeClock
from observabilipy_sqlite import SQLiteStorage, stretches
from observabilipy_sqlite.frames import frame_of
from observabilipy_sqlite.history import store
from observabilipy_sqlite.logs import generation
from observabilipy_sqlite.packing import Packer
from observabilipy_sqlite.stretches import Chunk, Draft, Lost
from observabilipy_sqlite.tiers import DEFAULT_HISTORY, Tiers

START = 1_800_014_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def storage(tmp_path: Path, clock: FakeClock) -> Iterable[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db", clock=clock)
    for number in range(60):
        frame = frame_of(round((START + 10 * number) * 1_000_000), [(series, number) for series in range(1, 200)])
        storage._database.write(partial(store, frame=frame))
    yield storage
    storage.close()


def begun(storage: SQLiteStorage) -> int:
    """How many stretches there are that somebody writes, or wrote."""
    ((number,),) = storage._database.read(
        lambda one: one.execute("SELECT count(*) FROM stretch WHERE state = 0").fetchall()
    )
    return int(number)


def test_who_is_killed_while_packing_again_and_again_does_not_fill_the_file(
    storage: SQLiteStorage, clock: FakeClock
) -> None:
    for _ in range(40):
        packer = Packer(storage._database, Tiers(DEFAULT_HISTORY))  # a new process
        before = begun(storage)
        while begun(storage) <= before:  # it tidies up before it packs
            before = begun(storage)
            steps = packer._next(storage._now())
            assert steps is not None
            for _ in steps:
                if begun(storage) > before:
                    break
        clock.advance(60)

    assert begun(storage) <= 11


def test_a_stretch_that_somebody_goes_on_with_is_not_dead(storage: SQLiteStorage, clock: FakeClock) -> None:
    draft = draft_of(storage)
    for slice_ in range(20):
        clock.advance(120)
        storage._database.write(partial(stretches.put, draft=draft, chunk=chunk_of(draft, slice_), now=storage._now()))

    found = storage._database.read(partial(stretches.too_old, tiers=Tiers(DEFAULT_HISTORY), now=storage._now()))
    clock.advance(601)
    dead = storage._database.read(partial(stretches.too_old, tiers=Tiers(DEFAULT_HISTORY), now=storage._now()))

    assert (found, dead) == ([], [draft.id])


def test_who_was_given_up_for_dead_does_not_write_into_what_another_one_began(storage: SQLiteStorage) -> None:
    one = draft_of(storage)
    storage._database.write(partial(stretches.erase, stretch=one.id, now=storage._now()))
    other = draft_of(storage)
    assert other.id == one.id  # ids of stretches are given again

    with pytest.raises(Lost):
        storage._database.write(partial(stretches.put, draft=one, chunk=chunk_of(one, 0), now=storage._now()))
    one.close()
    with pytest.raises(Lost):
        storage._database.write(partial(stretches.finish, draft=one, since=0, now=storage._now(), sealed=False))
    storage._database.write(partial(stretches.abandon, draft=one, now=storage._now()))

    storage._database.write(partial(stretches.put, draft=other, chunk=chunk_of(other, 0), now=storage._now()))


def test_what_finds_no_room_is_given_up_at_once(storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(stretches, "put", full)
        with pytest.raises(StorageUnavailable):
            storage._maintenance.packer.work(storage._now())

    assert begun(storage) == 0


def draft_of(storage: SQLiteStorage) -> Draft:
    return storage._database.write(
        lambda one: stretches.begin(one, 0, (1, 2), [1, 2], now=storage._now(), generation=generation(one))
    )


def chunk_of(draft: Draft, slice_: int) -> Chunk:
    return Chunk(draft.id, slice_, b"", 0, b"")
