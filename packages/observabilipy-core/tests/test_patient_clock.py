"""PatientClock: what deleting by age believes when the clock jumps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.retention import PatientClock
from observabilipy.testing import FakeClock

HOUR = 3_600.0
DAY = 86_400.0


class Clocks:
    """A wall that may jump, and seconds that only pass."""

    def __init__(self) -> None:
        self.wall = FakeClock()
        self.monotonic = FakeClock(5.0)
        self.patient = PatientClock(self.wall, self.monotonic)

    def pass_by(self, seconds: float) -> None:
        self.wall.advance(seconds)
        self.monotonic.advance(seconds)

    def gap(self) -> float:
        """By how many seconds it is behind the wall."""
        return round(self.wall() - self.patient(), 3)


def test_time_that_passes_is_followed() -> None:
    clocks = Clocks()
    gaps = []
    for seconds in (0.0, 10.0, HOUR, 40 * DAY):
        clocks.pass_by(seconds)
        gaps.append(clocks.gap())

    assert gaps == [0, 0, 0, 0]


def test_a_jump_ahead_that_is_taken_back_was_never_believed() -> None:
    clocks = Clocks()
    clocks.wall.advance(DAY)
    during = clocks.gap()
    clocks.pass_by(0.9 * HOUR)
    later = clocks.gap()
    clocks.wall.advance(-DAY)

    assert (during, later, clocks.gap()) == (DAY, DAY, 0)


def test_a_jump_ahead_that_stays_is_believed_after_an_hour() -> None:
    clocks = Clocks()
    clocks.wall.advance(DAY)
    clocks.gap()
    clocks.pass_by(HOUR)

    assert clocks.gap() == 0


def test_the_hour_begins_when_the_jump_is_seen() -> None:
    clocks = Clocks()
    clocks.pass_by(10 * HOUR)
    clocks.wall.advance(DAY)

    assert clocks.gap() == DAY


def test_another_jump_ahead_begins_another_hour() -> None:
    clocks = Clocks()
    clocks.wall.advance(DAY)
    clocks.gap()
    clocks.pass_by(0.9 * HOUR)
    clocks.wall.advance(DAY)
    clocks.gap()
    clocks.pass_by(0.2 * HOUR)

    assert clocks.gap() == 2 * DAY


def test_a_jump_back_is_followed_at_once() -> None:
    clocks = Clocks()
    clocks.wall.advance(-HOUR)

    assert clocks.gap() == 0


def test_a_clock_that_is_put_right_by_seconds_is_followed() -> None:
    clocks = Clocks()
    clocks.wall.advance(30)

    assert clocks.gap() == 0


STEPS = st.lists(st.tuples(st.floats(0, 2 * HOUR), st.floats(-2 * DAY, 2 * DAY)), max_size=30)


@pytest.mark.properties
@given(STEPS)
def test_it_is_never_ahead_of_the_clock(steps: list[tuple[float, float]]) -> None:
    clocks = Clocks()
    for passed, jump in steps:
        clocks.pass_by(passed)
        clocks.wall.advance(jump)

        assert clocks.gap() >= 0


@pytest.mark.properties
@given(STEPS)
def test_it_agrees_with_a_clock_that_has_not_jumped_for_an_hour(steps: list[tuple[float, float]]) -> None:
    clocks = Clocks()
    for passed, jump in steps:
        clocks.pass_by(passed)
        clocks.wall.advance(jump)
        clocks.patient()
    clocks.pass_by(HOUR + 1)

    assert clocks.gap() == 0
