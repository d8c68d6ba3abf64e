"""LogEntry and the levels."""

import logging
import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.errors import InvalidValue, ObservabilityError
from observabilipy.models import LEVELS, LogEntry, from_micros, level_name, level_of_number, level_rank, to_micros


def refused(message: str) -> "pytest.RaisesExc[InvalidValue]":
    return pytest.RaisesExc(InvalidValue, match=f"^{re.escape(message)}$")


def entry_of(
    timestamp: object = 0.0, level: object = "INFO", message: object = "", attributes: object = None
) -> LogEntry:
    """An entry of whatever a caller without type checks may write."""
    return LogEntry(timestamp, level, message, {} if attributes is None else attributes)  # type: ignore[arg-type] # see above


def test_a_timestamp_is_kept_to_the_microsecond() -> None:
    assert entry_of(1763826000.1234567).timestamp == 1763826000.123457


def test_a_whole_number_of_seconds_becomes_a_float() -> None:
    assert repr(entry_of(5).timestamp) == "5.0"


@pytest.mark.parametrize("timestamp", [float("nan"), float("inf"), "1", None, True, 10**400])
def test_a_timestamp_that_is_no_finite_number_is_refused(timestamp: object) -> None:
    with refused(f"timestamp must be unix seconds as a finite number, got {timestamp!r}"):
        entry_of(timestamp)


@pytest.mark.parametrize("timestamp", [1763826000123.0, -62135596801, 253402300800])
def test_a_timestamp_that_is_not_in_seconds_is_refused(timestamp: float) -> None:
    with refused(
        f"timestamp must be unix seconds within the years 1 to 9999, got {timestamp!r}:"
        " divide milliseconds by 1e3, nanoseconds by 1e9"
    ):
        entry_of(timestamp)


@pytest.mark.parametrize("message", [None, b"bytes", 5])
def test_a_message_that_is_no_string_is_refused(message: object) -> None:
    with refused(f"a message must be a string, got {message!r}: put values into attributes"):
        entry_of(message=message)


@pytest.mark.parametrize("attributes", [[], "a", {1: 2}])
def test_attributes_that_have_no_names_are_refused(attributes: object) -> None:
    with refused(f"attributes must be a mapping with string keys, got {attributes!r}"):
        entry_of(attributes=attributes)


@pytest.mark.parametrize("level", ["", "  ", "x" * 65, None, 2.5])
def test_a_level_without_a_usable_name_is_refused(level: object) -> None:
    with refused(
        f"a level must be a name of 1 to 64 characters, got {level!r}: use one of DEBUG, INFO, WARNING, ERROR, CRITICAL"
    ):
        entry_of(level=level)


@pytest.mark.parametrize(
    ("written", "stored"),
    [("info", "INFO"), (" Error ", "ERROR"), ("warn", "WARNING"), ("FATAL", "CRITICAL"), ("audit", "AUDIT")],
)
def test_a_level_is_stored_in_one_spelling(written: str, stored: str) -> None:
    assert entry_of(level=written).level == stored


@pytest.mark.parametrize(
    ("number", "stored", "attributes"),
    [
        (logging.INFO, "INFO", {}),
        (logging.WARNING, "WARNING", {}),
        (logging.CRITICAL, "CRITICAL", {}),
        (25, "INFO", {"level_name": "Level 25"}),
        (5, "DEBUG", {"level_name": "Level 5"}),
        (60, "CRITICAL", {"level_name": "Level 60"}),
    ],
)
def test_a_number_takes_the_level_at_or_below_it(number: int, stored: str, attributes: dict[str, object]) -> None:
    entry = entry_of(level=number)

    assert (entry.level, entry.attributes) == (stored, attributes)


def test_an_attribute_of_the_same_name_is_kept() -> None:
    assert entry_of(level=25, attributes={"level_name": "NOTICE"}).attributes == {"level_name": "NOTICE"}


def test_lone_surrogates_are_spelled_out() -> None:
    entry = entry_of(level="\udc80", message="a\udc80")

    assert (entry.level, entry.message) == ("\\UDC80", "a\\udc80")


def test_attributes_are_the_entry_s_own() -> None:
    attributes = {"a": 1}
    entry = entry_of(attributes=attributes)
    attributes["a"] = 2

    assert entry.attributes == {"a": 1}


def test_a_cursor_takes_no_part_in_comparisons() -> None:
    assert LogEntry(0, "INFO", "a", cursor="k-1") == LogEntry(0, "INFO", "a")


def test_an_entry_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        entry_of().message = "b"  # type: ignore[misc] # the refusal is the test


def test_each_level_has_a_function_that_takes_the_time_of_now() -> None:
    built = [getattr(LogEntry, level.lower())("a", message="b", level="c") for level in LEVELS]

    assert [(e.level, e.message, e.attributes, e.timestamp > 1.7e9) for e in built] == [
        (level, "a", {"message": "b", "level": "c"}, True) for level in LEVELS
    ]


def test_every_refusal_is_a_value_error_and_one_of_ours() -> None:
    assert issubclass(InvalidValue, ObservabilityError)
    assert issubclass(InvalidValue, ValueError)


def test_levels_rank_and_other_names_rank_as_info() -> None:
    assert [level_rank(level) for level in (*LEVELS, "AUDIT")] == [10, 20, 30, 40, 50, 20]


@pytest.mark.properties
@given(st.integers())
def test_a_number_never_takes_a_level_above_it(number: int) -> None:
    level = level_of_number(number)

    assert level_rank(level) <= number or level == "DEBUG"


@pytest.mark.properties
@given(st.text(st.characters(), min_size=1, max_size=8).filter(str.strip))
def test_the_spelling_of_a_level_stays_as_it_is(name: str) -> None:
    assert level_name(level_name(name)) == level_name(name)


@pytest.mark.properties
@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_000))
def test_a_microsecond_survives_the_way_through_seconds(micros: int) -> None:
    # A float of seconds tells microseconds apart up to the year 2242.
    assert abs(to_micros(from_micros(micros)) - micros) <= (0 if abs(micros) < 2**33 * 1_000_000 else 16)
