"""Cuts: an entry that is too long becomes short enough, and says what it lacks."""

import json
from types import MappingProxyType
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.json_text import json_text
from observabilipy.encoding.ndjson import encode_entry
from observabilipy.logs.cuts import MAX_ENTRY_BYTES, MIN_ENTRY_BYTES, cut
from observabilipy.models import LogEntry

HEAD = len(encode_entry(LogEntry(1763826000.123456, "CRITICAL", "", cursor="k3f9xyz-123456789"))) - len('""{}')


def size(message: str, attributes: object) -> int:
    return len(json_text(message).encode()) + len(json_text(attributes).encode())


def test_what_is_short_enough_comes_back_as_the_same_objects() -> None:
    message, attributes = "order placed", {"id": "order-7", "truncated": 3}

    seen = cut(message, attributes)

    assert seen[0] is message
    assert seen[1] is attributes


def test_what_fits_to_the_byte_is_not_cut() -> None:
    message, attributes = "é" * 100, {"id": "x" * 1_000}
    fits = size(message, attributes)

    assert [cut(message, attributes, fits)[1] is attributes, cut(message, attributes, fits - 1)[1] is attributes] == [
        True,
        False,
    ]


def test_a_huge_message_leaves_the_attributes_whole() -> None:
    attributes = {"id": "order-7", "request_id": "0123456789abcdef", "items": [1, 2, 3], "ok": True}

    message, seen = cut("x" * 1_000_000, attributes)

    assert seen == {**attributes, "truncated": ["message"]}
    assert message == "x" * (len(message) - 1) + "…"
    assert MAX_ENTRY_BYTES - 5_000 < size(message, seen) <= MAX_ENTRY_BYTES


def test_the_longest_texts_are_cut_to_the_same_length_and_shorter_ones_stay() -> None:
    attributes = {"a": "a" * 5_000, "b": "b" * 900, "c": "c" * 3_000, "id": "order-7"}

    message, seen = cut("placed", attributes, 4_096)

    assert (message, seen) == (
        "placed",
        {
            "a": "a" * 1_545 + "…",
            "b": "b" * 900,
            "c": "c" * 1_545 + "…",
            "id": "order-7",
            "truncated": ["a", "c"],
        },
    )


def test_lists_and_mappings_are_cut_after_texts() -> None:
    attributes = {"text": "x" * 500, "list": list(range(1_000)), "number": 10**500, "id": "order-7"}

    _, seen = cut("placed", attributes, 1_024)

    assert seen == {
        "text": "x" * 123 + "…",
        "list": json.dumps(list(range(1_000)), separators=(",", ":"))[:385] + "…",
        "number": "1" + "0" * 384 + "…",
        "id": "order-7",
        "truncated": ["list", "number", "text"],
    }


def test_attributes_are_left_out_when_nothing_else_helps_the_longest_first() -> None:
    attributes = {f"name {number}": "x" * number for number in range(60)}

    _, seen = cut("placed", attributes, 1_024)

    kept = sorted(set(attributes) & set(seen), key=lambda name: len(attributes[name]))
    assert kept == list(attributes)[: len(kept)]
    assert seen["truncated"] == [*sorted(set(attributes) - set(seen))[:23], "…"]


def test_an_attribute_called_truncated_gives_way_and_is_named() -> None:
    assert cut("x" * 2_000, {"truncated": "mine"}, 1_024)[1] == {"truncated": ["message", "truncated"]}


def test_a_name_that_is_too_long_is_left_out_with_its_value() -> None:
    assert cut("placed", {"x" * 10_000: 1, "id": 7}, 1_024) == (
        "placed",
        {"id": 7, "truncated": ["x" * 128 + "…"]},
    )


def test_less_than_can_be_kept_counts_as_the_least() -> None:
    assert cut("x" * 5_000, {"id": 7}, 1) == cut("x" * 5_000, {"id": 7}, MIN_ENTRY_BYTES)


def test_what_is_long_only_once_it_is_escaped_is_cut_between_escapes() -> None:
    message, attributes = cut("\0" * 1_000, {}, 1_024)

    assert (message, attributes) == ("\0" * (len(message) - 1) + "…", {"truncated": ["message"]})
    assert 740 < size(message, attributes) <= 1_024


class Talkative:
    """Says something else each time, and more."""

    def __init__(self) -> None:
        self.said = 0

    def __str__(self) -> str:
        self.said += 1
        return "x" * 100 * self.said


class Broken(dict[str, object]):
    def items(self) -> NoReturn:
        raise RuntimeError("no")


def test_what_spells_itself_differently_each_time_stays_as_it_was_measured() -> None:
    message, seen = cut("x" * 2_000, {"talkative": Talkative()}, 1_024)

    assert size(message, seen) <= 1_024


@pytest.mark.parametrize(
    ("attributes", "seen"),
    [
        (MappingProxyType({"id": 7}), {"id": 7}),
        ({1: "a", "1": "b"}, {"1": "a", "1 (1)": "b"}),
        (Broken(id=7), {"attributes": "<unprintable Broken>"}),
        ({"a": float("nan"), "b": b"\xff", "c": {1}}, {"a": "NaN", "b": "\\xff", "c": [1]}),
    ],
)
def test_hostile_attributes_survive_a_cut(attributes: dict[str, object], seen: dict[str, object]) -> None:
    assert cut("x" * 5_000, attributes, 1_024)[1] == {**seen, "truncated": ["message"]}


TEXTS = st.text(st.characters(), max_size=30).flatmap(
    lambda text: st.sampled_from([1, 1, 1, 10, 100]).map(lambda times: text * times)
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary()),
    lambda inner: st.one_of(st.lists(inner, max_size=30), st.dictionaries(TEXTS, inner, max_size=5)),
    max_leaves=30,
)


@pytest.mark.properties
@given(TEXTS, st.dictionaries(TEXTS, VALUES, max_size=40), st.integers(1_024, 6_000))
def test_a_line_is_never_longer_than_its_bound(message: str, attributes: dict[str, object], most: int) -> None:
    short, seen = cut(message, attributes, most)

    line = encode_entry(LogEntry(1763826000.123456, "CRITICAL", short, seen, cursor="k3f9xyz-123456789"))
    assert len(line) <= most + HEAD
    assert json.loads(line)["attributes"] == json.loads(json_text(seen))


@pytest.mark.properties
@given(st.text(), st.dictionaries(st.text(max_size=10), st.integers(0, 10**9) | st.text(max_size=10), max_size=8))
def test_small_attributes_survive_a_huge_message(message: str, attributes: dict[str, object]) -> None:
    attributes.pop("truncated", None)

    _, seen = cut(message + "x" * 5_000, attributes, 1_500)

    assert seen == {**attributes, "truncated": ["message"]}


@pytest.mark.properties
@given(TEXTS, st.dictionaries(TEXTS, VALUES, max_size=40), st.integers(1_024, 3_000))
def test_whatever_was_changed_is_named(message: str, attributes: dict[str, object], most: int) -> None:
    short, seen = cut(message, attributes, most)

    before, after = json.loads(json_text(attributes)), json.loads(json_text(seen))
    changed = {name for name, value in before.items() if name not in after or after[name] != value}
    changed |= {"message"} if json_text(short) != json_text(message) else set()
    named = after.get("truncated", []) if seen is not attributes else []
    assert {name if len(name) <= 128 else name[:128] + "…" for name in changed} <= set(named) or named[-1] == "…"
