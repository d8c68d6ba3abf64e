"""Cursors: what one looks like, and where reading goes on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.errors import InvalidCursor, InvalidValue
from observabilipy.models import Cursor, Gap, parse_cursor, resume


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert parse_cursor(str(Cursor("k3f9", 7))) == Cursor("k3f9", 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "-1",
        "k3f9-",
        "k3f9--1",
        "K-1",
        "k-01",
        "k-1 ",
        "k-1\n",
        "k-\u0661",
        f"k-{2**63}",
        "k" * 33 + "-1",
        None,
        5,
    ],
)
def test_what_no_store_gave_out_is_refused(text: object) -> None:
    message = f"a cursor looks like 'k3f9-7', got {text!r}: take it from an entry or a Link header"
    with pytest.raises(InvalidCursor, match=f"^{re.escape(message)}$"):
        parse_cursor(text)  # type: ignore[arg-type] # the refusal is the test


def test_the_largest_position_is_read() -> None:
    assert parse_cursor(f"k-{2**63 - 1}") == Cursor("k", 2**63 - 1)


def test_a_wrong_cursor_is_an_invalid_value() -> None:
    assert issubclass(InvalidCursor, InvalidValue)


@pytest.mark.parametrize(
    ("after", "start", "gap"),
    [
        (Cursor("k", 9), 10, None),
        (Cursor("k", 4), 5, None),
        (Cursor("k", 3), 5, "expired"),
        (Cursor("k", 10), 5, "reset"),
        (Cursor("z", 7), 5, "reset"),
    ],
)
def test_reading_goes_on_or_starts_at_the_oldest(after: Cursor, start: int, gap: Gap | None) -> None:
    assert resume(after, generation="k", oldest=5, upcoming=10) == (start, gap)


def test_after_everything_was_deleted_a_reader_waits_for_the_next_entry() -> None:
    answers = [resume(Cursor("k", position), generation="k", oldest=10, upcoming=10) for position in (9, 8)]

    assert answers == [(10, None), (10, "expired")]


@pytest.mark.properties
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_nothing_kept_is_missed_without_saying_so(position: int, oldest: int, held: int, same: bool) -> None:
    upcoming = oldest + held
    start, gap = resume(Cursor("k" if same else "z", position), generation="k", oldest=oldest, upcoming=upcoming)

    assert (oldest <= start <= upcoming, gap is None or start == oldest, gap is not None or start == position + 1) == (
        True,
        True,
        True,
    )
