"""The ring against the simplest things that could be right, and against damage."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from observabilipy.logs.leftover import REST, Leftover, leftovers
from observabilipy.logs.ring import Ring
from observabilipy.logs.ring_format import MARK_AT, record_at, record_size, records

pytestmark = pytest.mark.properties

CAPACITY = 512


def make(directory: Path) -> Ring:
    return Ring.create(directory, "w1", "host", 7, {}, capacity=CAPACITY)


def left_by(ring: Ring, directory: Path) -> Path:
    """A copy of the file as it is now: nobody holds the lock of that one."""
    directory.mkdir(exist_ok=True)
    return Path(shutil.copy(ring._path, directory))


def recovered(directory: Path, max_records: int) -> list[tuple[int, list[bytes]]]:
    (leftover,) = leftovers(directory)
    with leftover:
        return list(leftover.batches(max_records))


@dataclass
class Waiting:
    """A record of the model. Its mark is kept here while it is a hole."""

    payload: bytes
    begin: int
    mark: bytes = b""

    @property
    def end(self) -> int:
        return self.begin + record_size(len(self.payload))


class RingMachine(RuleBasedStateMachine):
    """A list of what waits, beside the ring; after each step, what recovery would find is compared as well."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.ring = make(Path(self.directory.name) / "living")
        self.waiting: list[Waiting] = []
        self.tail = self.head = self.position = self.intended = self.sequence = 0

    def teardown(self) -> None:
        self.ring.close()
        self.directory.cleanup()

    @rule(payload=st.binary(max_size=CAPACITY // 4 + 3))
    def append(self, payload: bytes) -> None:
        end = self.head + record_size(len(payload))
        fits = len(payload) <= CAPACITY // 4 and end - self.tail <= CAPACITY
        if fits:
            self.waiting.append(Waiting(payload, self.head))
            self.head = end

        assert self.ring.append(payload) is fits

    @precondition(lambda self: any(not each.mark and each.begin >= self.position for each in self.waiting))
    @rule(data=st.data())
    def reserve_without_writing(self, data: st.DataObject) -> None:
        unread = [each for each in self.waiting if not each.mark and each.begin >= self.position]
        hole = data.draw(st.sampled_from(unread))
        hole.mark = self._write_mark(hole, bytes(8))

    @precondition(lambda self: any(each.mark and each.begin >= self.position for each in self.waiting))
    @rule(data=st.data())
    def write_what_was_reserved(self, data: st.DataObject) -> None:
        hole = data.draw(st.sampled_from([each for each in self.waiting if each.mark and each.begin >= self.position]))
        self._write_mark(hole, hole.mark)
        hole.mark = b""

    def _write_mark(self, record: Waiting, mark: bytes) -> bytes:
        place = self.ring._layout.area + record.begin % CAPACITY + MARK_AT
        before = self.ring._file[place : place + 8]
        self.ring._file[place : place + 8] = mark
        return before

    @rule(count=st.integers(1, 8), skip_holes=st.booleans())
    def read(self, count: int, skip_holes: bool) -> None:
        expected: list[tuple[bytes, int]] = []
        for record in self.waiting:
            if record.begin < self.position:
                continue
            if len(expected) == count or (record.mark and not skip_holes):
                break
            self.position = record.end
            if not record.mark:
                expected.append((record.payload, record.end))
        if not any(not each.mark and each.begin < self.position for each in self.waiting):
            self._pass(self.position)

        assert self.ring.read(count, skip_holes=skip_holes) == expected

    @rule()
    def rewind(self) -> None:
        if self.intended == self.tail:
            self.position = self.tail
            self.ring.rewind()

    @precondition(lambda self: any(not each.mark and each.end <= self.position for each in self.waiting))
    @rule(data=st.data())
    def intend(self, data: st.DataObject) -> None:
        read = [each.end for each in self.waiting if not each.mark and each.end <= self.position]
        self.intended = data.draw(st.sampled_from(read))
        self.sequence += 1
        self.ring.intend(self.sequence, self.intended)

    @rule()
    def intend_a_batch_without_records(self) -> None:
        if self.intended == self.tail:
            self.sequence += 1
            self.ring.intend(self.sequence, 0)

    @rule()
    def confirm(self) -> None:
        if self.intended > self.tail:
            rest = [each for each in self.waiting if each.begin >= self.intended and each.begin < self.position]
            self._pass(self.position if all(each.mark for each in rest) else self.intended)
        self.ring.confirm()

    def _pass(self, tail: int) -> None:
        self.tail = self.intended = tail
        self.waiting = [each for each in self.waiting if each.begin >= tail]

    @invariant()
    def the_ring_says_where_it_is(self) -> None:
        places = (self.ring.head, self.ring.position, self.ring.pending_bytes, self.ring.is_empty)

        assert places == (self.head, self.position, self.head - self.tail, self.head == self.tail)

    @invariant()
    def what_is_recovered_is_what_waits(self) -> None:
        directory = Path(self.directory.name) / "dead"
        left_by(self.ring, directory)
        whole = [each for each in self.waiting if not each.mark]
        begun = [each.payload for each in whole if each.begin < self.intended]
        rest = [each.payload for each in whole if each.begin >= self.intended]
        batches = [(self.sequence + REST + 1 + at // 3, rest[at : at + 3]) for at in range(0, len(rest), 3)]

        assert recovered(directory, 3) == ([(self.sequence, begun)] if begun else []) + batches


TestRing = RingMachine.TestCase
TestRing.settings = settings(max_examples=60, stateful_step_count=60)


PAYLOADS = st.lists(st.binary(max_size=40), min_size=1, max_size=40)
DAMAGE = st.lists(
    st.tuples(st.integers(0, 10_000), st.one_of(st.binary(min_size=1, max_size=3), st.integers(1, 60).map(bytes))),
    min_size=1,
    max_size=4,
)


def used(directory: Path, lengths: list[bytes], carried: list[int]) -> tuple[Ring, dict[int, bytes]]:
    """A ring into which these went, some of which were carried away; and what was appended, by offset."""
    ring = make(directory)
    everything: dict[int, bytes] = {}
    for number, payload in enumerate(lengths):
        told = b"%d " % number + payload
        while ring.pending_bytes + record_size(len(told)) > CAPACITY:
            (_, end), *_ = ring.read(1)
            ring.intend(number, end)
            ring.confirm()
        everything[ring.head] = told
        assert ring.append(told)
    for number, count in enumerate(carried, len(lengths)):
        if found := ring.read(count):
            ring.intend(number, found[-1][1])
            if number % 2:
                ring.confirm()
    return ring, everything


@settings(max_examples=300)
@given(PAYLOADS, st.lists(st.integers(1, 3), max_size=3), DAMAGE)
def test_damage_to_records_costs_those_records_only(
    sizes: list[bytes], carried: list[int], damage: list[tuple[int, bytes]]
) -> None:
    with TemporaryDirectory() as name:
        ring, everything = used(Path(name) / "living", sizes, carried)
        layout, tail = ring._layout, ring._state.tail
        path = left_by(ring, Path(name) / "dead")
        whole = bytearray(path.read_bytes())
        damaged = bytearray(whole)
        for place, stuff in damage:
            begin = layout.area + place % (len(whole) - layout.area)
            end = min(begin + len(stuff), len(whole))
            damaged[begin:end] = stuff[: end - begin]
        path.write_bytes(damaged)
        survivors = [
            payload
            for offset, payload in everything.items()
            if offset >= tail and record_at(bytes(damaged), layout, offset, 1 << 62) == payload
        ]
        untouched = [
            payload
            for offset, payload in everything.items()
            if offset >= tail
            and all(
                whole[layout.area + (offset + at) % CAPACITY] == damaged[layout.area + (offset + at) % CAPACITY]
                for at in range(24, 24 + len(payload))
            )
            and whole[(place := layout.area + offset % CAPACITY) : place + 24] == damaged[place : place + 24]
        ]
        ring.abandon()

        assert [payload for _, batch in recovered(path.parent, 3) for payload in batch] == survivors
        assert set(untouched) <= set(survivors)


@settings(max_examples=300)
@given(PAYLOADS, st.lists(st.integers(1, 3), max_size=3), DAMAGE)
def test_damage_anywhere_raises_nothing_and_makes_nothing_up(
    sizes: list[bytes], carried: list[int], damage: list[tuple[int, bytes]]
) -> None:
    with TemporaryDirectory() as name:
        ring, everything = used(Path(name) / "living", sizes, carried)
        ring.abandon()
        path = left_by(ring, Path(name) / "dead")
        file = bytearray(path.read_bytes())
        for place, stuff in damage:
            begin = (place // 2 if place % 2 else 500 + place % 620) % len(file)  # half of it among the states
            file[begin : begin + len(stuff)] = stuff
        path.write_bytes(file)
        reports: list[Exception] = []
        found: list[Leftover] = list(leftovers(path.parent, reports.append))
        told = [payload for leftover in found for _, batch in leftover.batches(3) for payload in batch]
        for leftover in found:
            leftover.release()

        assert len(found) + len(reports) == 1
        assert [payload for payload in everything.values() if payload in told] == told


@given(st.binary(max_size=2_000), st.integers(0, 1 << 40))
def test_no_bytes_at_all_are_taken_for_records(noise: bytes, offset: int) -> None:
    with TemporaryDirectory() as name:
        ring = make(Path(name))
        layout = ring._layout
        ring.close()

    assert list(records(bytes(layout.area) + noise, layout, offset, offset + CAPACITY)) == []
