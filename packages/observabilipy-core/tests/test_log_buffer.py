"""The buffer between the application and the runtime."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from observabilipy.logs.buffer import LogBuffer
from observabilipy.models import LEVELS, RANKS


def fill(buffer: LogBuffer, levels: list[str]) -> None:
    for number, level in enumerate(levels):
        buffer.append(level, float(number), level, str(number), {}, {})


def messages(buffer: LogBuffer) -> list[tuple[str | int, object]]:
    return [(level, message) for _, _, level, message, _, _ in buffer.drain()]


def test_records_of_all_levels_come_out_in_the_order_in_which_they_were_made() -> None:
    buffer = LogBuffer(10, lambda *_: None, lambda: None)
    fill(buffer, ["ERROR", "DEBUG", "INFO", "ERROR"])

    assert messages(buffer) == [("ERROR", "0"), ("DEBUG", "1"), ("INFO", "2"), ("ERROR", "3")]


def test_a_full_buffer_gives_up_the_oldest_of_the_lowest_level() -> None:
    dropped: list[tuple[str, str]] = []
    buffer = LogBuffer(3, lambda *what: dropped.append(what), lambda: None)
    fill(buffer, ["DEBUG", "INFO", "DEBUG", "ERROR", "ERROR"])

    assert (messages(buffer), dropped) == (
        [("INFO", "1"), ("ERROR", "3"), ("ERROR", "4")],
        [("DEBUG", "buffer_full"), ("DEBUG", "buffer_full")],
    )


def test_a_newcomer_below_everything_that_waits_is_given_up_itself() -> None:
    dropped: list[tuple[str, str]] = []
    buffer = LogBuffer(1, lambda *what: dropped.append(what), lambda: None)
    fill(buffer, ["ERROR", "DEBUG"])

    assert (messages(buffer), dropped) == ([("ERROR", "0")], [("DEBUG", "buffer_full")])


def test_a_drained_buffer_has_room_again() -> None:
    dropped: list[tuple[str, str]] = []
    buffer = LogBuffer(2, lambda *what: dropped.append(what), lambda: None)
    for _ in range(5):
        fill(buffer, ["INFO", "INFO"])
        buffer.drain()

    assert dropped == []


def test_a_closed_buffer_gives_up_everything_and_counts_it() -> None:
    dropped: list[tuple[str, str]] = []
    buffer = LogBuffer(2, lambda *what: dropped.append(what), lambda: None)
    buffer.close()
    fill(buffer, ["INFO", "ERROR"])

    assert (messages(buffer), dropped) == ([], [("INFO", "closed"), ("ERROR", "closed")])


def test_every_250_records_ask_to_be_carried_away() -> None:
    calls: list[None] = []
    buffer = LogBuffer(10_000, lambda *_: None, lambda: calls.append(None))
    fill(buffer, ["INFO"] * 749)

    assert len(calls) == 2


@given(st.lists(st.sampled_from(LEVELS), max_size=60), st.integers(1, 20))
def test_what_was_appended_is_what_came_out_plus_what_was_dropped(levels: list[str], size: int) -> None:
    dropped: Counter[str] = Counter()
    buffer = LogBuffer(size, lambda level, _: dropped.update([level]), lambda: None)
    fill(buffer, levels)
    taken = [str(level) for level, _ in messages(buffer)]
    highest = sorted(levels, key=RANKS.__getitem__)[-size:]

    assert (Counter(taken) + dropped, Counter(taken)) == (Counter(levels), Counter(highest))
