"""The ring of a worker, from its owner's side."""

import dis
import itertools
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from observabilipy.logs import ring as ring_module
from observabilipy.logs.ring import Ring
from observabilipy.logs.ring_format import MARK_AT, record_size

CAPACITY = 256


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    made = make(tmp_path)
    yield made
    made.close()


def make(directory: Path, capacity: int = CAPACITY) -> Ring:
    return Ring.create(directory, "w1", "host", 1, {}, capacity=capacity)


def fill(ring: Ring, length: int = 8) -> list[bytes]:
    """Append until the ring refuses; what it took."""
    taken: list[bytes] = []
    while ring.append(payload := len(taken).to_bytes(length, "little")):
        taken.append(payload)
    return taken


def payloads(ring: Ring, *, skip_holes: bool = False) -> list[bytes]:
    return [payload for payload, _ in ring.read(1_000, skip_holes=skip_holes)]


def carry_away(ring: Ring, sequence: int = 1) -> list[bytes]:
    """Read, intend and confirm everything."""
    found = ring.read(1_000)
    ring.intend(sequence, found[-1][1])
    ring.confirm()
    return [payload for payload, _ in found]


class Hole:
    """A place that is taken and not written: the mark comes last, so without it nothing was."""

    def __init__(self, ring: Ring, offset: int) -> None:
        self._file = ring._file
        place = ring._layout.area + offset % ring._layout.capacity + MARK_AT
        self._place = slice(place, place + 8)
        self._mark = self._file[self._place]
        self._file[self._place] = bytes(8)

    def fill(self) -> None:
        self._file[self._place] = self._mark


def test_what_was_appended_is_read_in_order_with_the_place_where_it_ends(ring: Ring) -> None:
    taken = [ring.append(b"one"), ring.append(b""), ring.append(b"three")]

    assert (taken, ring.read(2), ring.read(2)) == ([True] * 3, [(b"one", 32), (b"", 56)], [(b"three", 88)])


def test_a_full_ring_refuses_and_loses_nothing_it_took(ring: Ring) -> None:
    taken = fill(ring)
    refused = ring.append(b"x")

    assert (refused, payloads(ring), len(taken)) == (False, taken, CAPACITY // 32)


def test_a_record_that_would_end_one_step_beyond_the_room_is_refused(ring: Ring) -> None:
    taken = [ring.append(b"") for _ in range(CAPACITY // 24 + 1)]  # 16 bytes remain, and a record has 24

    assert taken == [True] * (CAPACITY // 24) + [False]


def test_what_is_longer_than_a_quarter_is_refused(ring: Ring) -> None:
    answers = [ring.append(bytes(CAPACITY // 4 + 1)), ring.append(bytes(CAPACITY // 4))]

    assert (answers, payloads(ring)) == ([False, True], [bytes(CAPACITY // 4)])


def test_only_confirmed_room_is_used_again(ring: Ring) -> None:
    fill(ring)
    (_, end), *_ = ring.read(1_000)
    answers = [ring.append(b"while it is only read")]
    ring.intend(1, end)
    answers.append(ring.append(b"intended"))
    ring.confirm()
    answers.append(ring.append(b"now"))

    assert answers == [False, False, True]


@pytest.mark.parametrize("length", range(1, 64, 7))
def test_records_go_round_the_end_of_the_area_wherever_it_falls(ring: Ring, length: int) -> None:
    appended, read = [], []
    for number in range(200):
        appended += [bytes([number] * length), bytes([number])]
        assert ring.append(appended[-2])
        assert ring.append(appended[-1])
        read += carry_away(ring, number)

    assert (read, ring.is_empty) == (appended, True)


def test_nothing_pends_when_everything_is_confirmed(ring: Ring) -> None:
    before = (ring.is_empty, ring.pending_bytes, ring.position, ring.head)
    ring.append(b"12345678")
    while_pending = (ring.is_empty, ring.pending_bytes, ring.position, ring.head)
    carry_away(ring)

    assert (before, while_pending) == ((True, 0, 0, 0), (False, 32, 0, 32))
    assert (ring.is_empty, ring.pending_bytes, ring.position, ring.head) == (True, 0, 32, 32)


def test_reading_stops_at_a_hole_and_finds_it_filled_the_next_time(ring: Ring) -> None:
    for payload in (b"before", b"in it", b"after"):
        ring.append(payload)
    hole = Hole(ring, 32)
    first = payloads(ring)
    second = payloads(ring)
    hole.fill()

    assert (first, second, payloads(ring), ring.holes) == ([b"before"], [], [b"in it", b"after"], 0)


def test_a_hole_that_is_given_up_costs_itself_only(ring: Ring) -> None:
    for payload in (b"before", b"in it", b"after"):
        ring.append(payload)
    Hole(ring, 32)

    assert (payloads(ring, skip_holes=True), ring.holes) == ([b"before", b"after"], 1)


def test_neighbouring_holes_are_one_place(ring: Ring) -> None:
    for payload in (b"in it", b"in it, too", b"after"):
        ring.append(payload)
    Hole(ring, 0)
    Hole(ring, 32)

    assert (payloads(ring, skip_holes=True), ring.holes) == ([b"after"], 1)


def test_a_ring_with_nothing_but_holes_is_empty_once_they_are_given_up(ring: Ring) -> None:
    for offset in (0, 32):
        ring.append(b"in it")
        Hole(ring, offset)
        assert (ring.is_empty, ring.read(10, skip_holes=True), ring.is_empty) == (False, [], True)
    ring.append(b"next")

    assert (payloads(ring), ring.holes) == ([b"next"], 2)


@pytest.mark.parametrize("is_read_first", [True, False])
def test_a_hole_behind_a_batch_is_passed_with_it(ring: Ring, is_read_first: bool) -> None:
    ring.append(b"carried")
    ring.append(b"in it")
    Hole(ring, 32)
    if is_read_first:
        ring.read(10, skip_holes=True)
        ring.intend(1, 32)
    else:
        ring.read(1)
        ring.intend(1, 32)
        ring.read(10, skip_holes=True)
    while_in_doubt = ring.pending_bytes
    ring.confirm()
    while_confirmed = ring.pending_bytes
    ring.append(b"in the next")
    Hole(ring, 64)
    ring.read(10, skip_holes=True)

    assert (while_in_doubt, while_confirmed, ring.pending_bytes) == (64, 0, 0)


def test_a_payload_cannot_pretend_to_be_a_record(ring: Ring) -> None:
    ring.append(b"first")
    header = bytearray(ring._file[ring._layout.area : ring._layout.area + 24])
    header[:8] = (56).to_bytes(8, "little")  # where this header itself will lie
    header[MARK_AT:] = bytes(8)  # all that cannot be known
    ring.append(bytes(header) + b"first")
    ring.append(b"last")
    Hole(ring, 32)

    assert payloads(ring, skip_holes=True) == [b"first", b"last"]


def test_rewinding_reads_what_is_not_confirmed_once_more(ring: Ring) -> None:
    ring.append(b"confirmed")
    carry_away(ring)
    ring.append(b"not yet")
    first = payloads(ring)
    ring.rewind()

    assert (first, payloads(ring)) == ([b"not yet"], [b"not yet"])


def test_a_batch_cannot_hold_what_was_not_read(ring: Ring) -> None:
    ring.append(b"12345678")

    with pytest.raises(ValueError, match=r"ends where a record ends that was read, at most at 0, got 32$"):
        ring.intend(1, 32)


def test_confirming_without_a_batch_changes_nothing(ring: Ring) -> None:
    ring.append(b"12345678")
    before = ring._file[:]
    ring.confirm()

    assert (ring._file[:] == before, ring.is_empty) == (True, False)


def test_from_taking_a_place_until_it_is_written_python_changes_no_threads() -> None:
    # It does so after calls and at backward jumps. The one call writes the header.
    append = next(
        code for code in ring_module._appending.__code__.co_consts if getattr(code, "co_name", "") == "append"
    )
    steps = list(dis.get_instructions(append))
    taken = next(number for number, step in enumerate(steps) if step.opname == "STORE_DEREF")
    line = next(step.positions.lineno for step in steps[taken::-1] if step.positions)
    first = next(number for number, step in enumerate(steps) if step.positions and step.positions.lineno == line)
    switching = [
        step.opname for step in steps[first:] if step.opname.startswith(("CALL", "JUMP_BACK", "RESUME", "SEND"))
    ]

    assert switching == ["CALL"]


def test_threads_that_append_at_once_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    ring = make(tmp_path, 1 << 16)
    refused: Counter[int] = Counter()

    def append(thread: int) -> None:
        for number in range(5_000):
            while not ring.append(b"%d %d" % (thread, number)):
                refused[thread] += 1

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=append, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        found: list[bytes] = []
        while len(found) < 20_000:
            if records := ring.read(500):
                found += [payload for payload, _ in records]
                ring.intend(1, records[-1][1])
                ring.confirm()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    numbers = [[int(payload.split()[1]) for payload in found if payload.startswith(b"%d " % each)] for each in range(4)]
    assert (numbers, ring.is_empty, ring.holes) == ([list(range(5_000))] * 4, True, 0)


def test_signal_handlers_append_in_the_middle_of_an_append(tmp_path: Path) -> None:
    ring = make(tmp_path, 1 << 22)
    handled: list[bytes] = []
    numbers = itertools.count()

    def handler(number: int, frame: object) -> None:
        handled.append(payload := b"handled %d" % next(numbers))
        assert ring.append(payload)  # in whose middle the next handler may come

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    appended: list[bytes] = []
    try:
        while len(handled) < 200 and len(appended) < 80_000:
            appended.append(b"%d" % len(appended))
            assert ring.append(appended[-1])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    found = [payload for payload, _ in ring.read(1_000_000)]

    assert [payload for payload in found if not payload.startswith(b"h")] == appended
    assert sorted(payload for payload in found if payload.startswith(b"h")) == sorted(handled)
    assert ring.pending_bytes == sum(record_size(len(payload)) for payload in found)
