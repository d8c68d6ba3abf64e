"""Filters: no pair that is there is ever missed, and few that are not are believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.json_text import json_text
from observabilipy.models import storable
from observabilipy_sqlite.bloom import filter_of, may_have, pairs_of

TEXTS = st.text(max_size=8).map(storable) | st.sampled_from(
    ['":"', '":5', ',"', "\\", '\\"', "a", "1", "-0", "true", "[", "{}"]
)
SCALARS = TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)


@pytest.mark.properties
@given(st.lists(OBJECTS, min_size=1, max_size=4))
def test_a_pair_that_is_there_is_never_missed(objects: list[dict[str, object]]) -> None:
    made = filter_of("\n".join(map(json_text, objects)).encode())
    for attributes in objects:
        for name, value in attributes.items():
            wanted = pairs_of(name, value if isinstance(value, str) else json.dumps(value))

            assert wanted is None or may_have(made, [wanted])


def wanted(number: int) -> list[list[bytes]]:
    pairs = pairs_of("request_id", f"r{number}")
    assert pairs is not None
    return [pairs]


def test_one_in_a_hundred_pairs_that_are_not_there_is_believed() -> None:
    made = filter_of(b"".join(f'{{"request_id":"r{number}"}}'.encode() for number in range(1_000)))
    believed = sum(may_have(made, wanted(number)) for number in range(1_000, 11_000))

    assert made is not None
    assert len(made) == 1_504
    assert 20 < believed < 200


def test_each_of_several_attributes_must_be_there() -> None:
    made = filter_of(b'{"a":1,"b":"x"}')
    one, other, missing = pairs_of("a", "1"), pairs_of("b", "x"), pairs_of("b", "y")
    assert one is not None
    assert other is not None
    assert missing is not None

    assert [may_have(made, [one, other]), may_have(made, [one, missing]), may_have(made, [])] == [True, False, True]


def test_of_a_damaged_filter_and_of_none_nobody_knows() -> None:
    made = filter_of(b'{"a":1}')
    assert made is not None
    damaged = made[:-1] + bytes([made[-1] ^ 1])

    assert [may_have(made, wanted(1)), may_have(damaged, wanted(1)), may_have(None, wanted(1))] == [False, True, True]


def test_a_filter_has_a_limited_size() -> None:
    pairs = b"".join(b'{"n":%d}' % number for number in range(20_001))

    assert filter_of(pairs) is None
    assert len(filter_of(pairs[: -len(b'{"n":20000}')]) or b"") == 30_004
