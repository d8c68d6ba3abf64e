"""LogQuery, MetricQuery and Matcher."""

import re
from typing import Any

import pytest

from observabilipy.encoding.json_text import json_text
from observabilipy.errors import InvalidCursor, InvalidValue
from observabilipy.models import LogQuery, Matcher, MetricQuery


def refused(message: str) -> "pytest.RaisesExc[InvalidValue]":
    return pytest.RaisesExc(InvalidValue, match=f"^{re.escape(message)}$")


def accepts(query: LogQuery, *, at: float = 5, level: str = "INFO", message: str = "", **attributes: object) -> bool:
    return query.predicate()(round(at * 1_000_000), level, message, json_text(attributes))


WRONG: list[tuple[dict[str, Any], str]] = [  # Any: what a caller without type checks may write
    ({"since": float("nan")}, "since must be unix seconds as a finite number, got nan"),
    ({"until": "now"}, "until must be unix seconds as a finite number, got 'now'"),
    (
        {"since": 2**63},
        "since must be unix seconds within the years 1 to 9999, got 9223372036854775808:"
        " divide milliseconds by 1e3, nanoseconds by 1e9",
    ),
    ({"levels": "INFO"}, "levels must be a collection of names, got 'INFO': write {'INFO'}"),
    (
        {"levels": [""]},
        "a level must be a name of 1 to 64 characters, got '': use one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
    ),
    ({"min_level": "AUDIT"}, "min_level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got 'AUDIT'"),
    ({"order": "up"}, "order must be 'asc' or 'desc', got 'up'"),
    ({"limit": 0}, "limit must be a whole number of 1 or more, or None for all, got 0"),
    ({"limit": True}, "limit must be a whole number of 1 or more, or None for all, got True"),
    ({"limit": "5"}, "limit must be a whole number of 1 or more, or None for all, got '5'"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_a_wrong_field_is_refused(fields: dict[str, Any], message: str) -> None:
    with refused(message):
        LogQuery(**fields)


@pytest.mark.parametrize("side", ["after", "before"])
def test_a_wrong_cursor_is_refused(side: str) -> None:
    with pytest.raises(InvalidCursor, match=r"^a cursor looks like 'k3f9-7', got 'x': take it from"):
        LogQuery(**{side: "x"})  # type: ignore[arg-type] # one of two names


def test_a_query_without_filters_is_plain_and_takes_everything() -> None:
    query = LogQuery(after="k-1", before="k-9", order="desc", limit=3, text="")

    assert (query.plain, accepts(query)) == (True, True)


def test_since_is_inclusive_and_until_exclusive() -> None:
    query = LogQuery(since=5, until=6)

    assert [accepts(query, at=at) for at in (4.999999, 5, 5.999999, 6)] == [False, True, True, False]


def test_levels_are_named_in_any_spelling() -> None:
    query = LogQuery(levels=["warn", "Audit"])

    assert [accepts(query, level=level) for level in ("WARNING", "AUDIT", "INFO")] == [True, True, False]


def test_no_level_at_all_takes_nothing() -> None:
    assert not accepts(LogQuery(levels=[]))


def test_above_a_level_other_names_rank_as_info() -> None:
    levels = ("DEBUG", "INFO", "AUDIT", "ERROR")

    assert [
        [accepts(LogQuery(min_level=least), level=level) for level in levels] for least in ("debug", "INFO", "warn")
    ] == [[True, True, True, True], [False, True, True, True], [False, False, False, True]]


def test_text_folds_ascii_letters_only() -> None:
    query = LogQuery(text="Zoë")

    assert [accepts(query, message=message) for message in ("met ZOë", "ZOË", "zo")] == [True, False, False]


@pytest.mark.parametrize(
    ("value", "wanted", "found"),
    [
        ("gold", "gold", True),
        ("gold", "Gold", False),
        ("7", "7", True),
        (5, "5", True),
        (1.5, "1.5", True),
        (True, "true", True),
        (None, "null", True),
        ("", "", True),
        (5, "5.0", False),
    ],
)
def test_an_attribute_matches_its_json_spelling(value: object, wanted: str, found: bool) -> None:
    assert accepts(LogQuery(attributes={"a": wanted}), a=value) is found


def test_every_attribute_must_match() -> None:
    query = LogQuery(attributes={"a": "1", "b": "2"})

    assert [accepts(query, a=1, b=2, c=3), accepts(query, a=1), accepts(query, a=1, b=3)] == [True, False, False]


def test_a_matcher_knows_two_operators() -> None:
    with refused("a matcher's operator must be '=' or '!=', got '=~'"):
        Matcher("tier", "g.*", "=~")  # type: ignore[arg-type] # the refusal is the test


@pytest.mark.parametrize(
    ("matcher", "accepted"),
    [
        (Matcher("tier", "gold"), True),
        (Matcher("tier", "gold", "!="), False),
        (Matcher("tier", "tin", "!="), True),
        (Matcher("other", ""), True),
        (Matcher("other", "", "!="), False),
        (Matcher("__name__", "orders_total"), True),
    ],
)
def test_a_matcher_takes_an_absent_label_for_an_empty_one(matcher: Matcher, accepted: bool) -> None:
    assert matcher.accepts("orders_total", {"tier": "gold"}) is accepted


def test_a_metric_query_needs_a_metric_name() -> None:
    with refused("a metric name must match [a-zA-Z_:][a-zA-Z0-9_:]*, got 'a b': use snake case, like 'orders_total'"):
        MetricQuery("a b")


@pytest.mark.parametrize("side", ["since", "until"])
def test_a_metric_query_needs_moments(side: str) -> None:
    with refused(f"{side} must be unix seconds as a finite number, got inf"):
        MetricQuery("a", **{side: float("inf")})  # type: ignore[arg-type] # one of two names


def test_matchers_may_come_as_any_sequence() -> None:
    query = MetricQuery("a", [Matcher("b", "c")], since=1)  # type: ignore[arg-type] # a list is as good

    assert query == MetricQuery("a", (Matcher("b", "c"),), since=1.0)


@pytest.mark.parametrize("step", [0, -1, float("nan"), float("inf"), "60", True])
def test_a_step_is_more_than_no_time(step: object) -> None:
    with refused(f"step must be seconds, more than 0, or None for all points, got {step!r}"):
        MetricQuery("a", step=step)  # type: ignore[arg-type] # the refusal is the test
