"""JSON text: any value becomes one strict line, the same with orjson and without."""

import gc
import json
import subprocess
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any, NoReturn
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding import json_text as module
from observabilipy.encoding.fast import LINE, PASSTHROUGH

WITH_ORJSON, WITHOUT = orjson.dumps, None


def json_text(value: object) -> str:
    """The text, once it is known to be the same in all ways: with orjson, without, and when all names are known."""
    text = module.json_text(value, WITH_ORJSON)
    assert module.json_text(value, WITHOUT) == text
    assert module.json_text(value, WITHOUT) == text
    return text


class Silent:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __hash__ = object.__hash__


class Ranked(IntEnum):
    HIGH = 3


class BrokenMapping(dict[str, int]):
    def items(self) -> NoReturn:
        raise RuntimeError("no")


class Endless(Mapping[int, int]):
    def __getitem__(self, key: int) -> int:
        return key

    def __iter__(self) -> Iterator[int]:
        while True:
            yield from range(1_000)

    def __len__(self) -> int:
        return sys.maxsize


class Name(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")


class Colour(Enum):
    RED = "red"


class Nameless(type):
    @property
    def __name__(cls) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no")


class NamelessAndSilent(metaclass=Nameless):
    def __str__(self) -> str:
        raise RuntimeError("no")


@dataclass
class Order:
    number: int


def refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def strictly_read(text: str) -> Any:  # JSON is any value
    assert len(text.splitlines()) == 1
    return json.loads(text.encode().decode(), parse_constant=refuse)


def nested(depth: int) -> object:
    value: object = "core"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("text", "text"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (-float("inf"), "-Infinity"),
        ({"a": [float("nan"), 1]}, {"a": ["NaN", 1]}),
        ("\udc80", "\\udc80"),
        ({"\udc80": 1}, {"\\udc80": 1}),
        (2**70, 2**70),
        ([10**5000], [hex(10**5000)]),
        ([-(10**5000)], [hex(-(10**5000))]),
        (b"caf\xc3\xa9 \xff", "café \\xff"),
        (bytearray(b"a"), "a"),
        ({1}, [1]),
        (frozenset({"a"}), ["a"]),
        ((1, 2), [1, 2]),
        ({"a": (), "b": (1, "c")}, {"a": [], "b": [1, "c"]}),
        (Name("a"), "a"),
        ({"a": Name("b"), "c": float("nan")}, {"a": "b", "c": "NaN"}),
        ({Name("a"): 1}, {"a": 1}),
        ({Name("a"): float("nan")}, {"a": "NaN"}),
        (Colour.RED, "Colour.RED"),
        (Order(7), "Order(number=7)"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (date(2026, 11, 22), "2026-11-22"),
        (NamelessAndSilent(), "<unprintable>"),
        (Counter("aab"), {"a": 2, "b": 1}),
        ({1: "a", "1": "b", "c": float("nan")}, {"1": "a", "1 (1)": "b", "c": "NaN"}),
        ({b"a": {1}}, {"a": [1]}),
        ({"a": 2**63, "b": -(2**63), "c": 2**64}, {"a": 2**63, "b": -(2**63), "c": 2**64}),
        ({2: "a", None: "b", True: "c", 1.5: "d"}, {"2": "a", "null": "b", "true": "c", "1.5": "d"}),
        ({(1, 2): "a", None: "b", False: "c"}, {"(1, 2)": "a", "null": "b", "false": "c"}),
        ({Silent(): 1}, {"<unprintable Silent>": 1}),
        ({"a": Silent(), "b": 1}, {"a": "<unprintable Silent>", "b": 1}),
        ({"a": BrokenMapping(x=1)}, {"a": "<unprintable BrokenMapping>"}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ([MappingProxyType({"a": float("nan")})], [{"a": "NaN"}]),
        (OrderedDict(a=1), {"a": 1}),
        (deque([1]), "deque([1])"),
        (Ranked.HIGH, 3),
        (Decimal("1.10"), "1.10"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        ("a\nb\r\x0b\x0c\x1c\x85\u2028\u2029\0", "a\nb\r\x0b\x0c\x1c\x85\u2028\u2029\0"),
        ({"\u2028": "\n"}, {"\u2028": "\n"}),
        ("\U0001f600", "\U0001f600"),
    ],
)
def test_a_value_becomes_one_strict_line(value: object, read: object) -> None:
    assert strictly_read(json_text(value)) == read


def test_what_orjson_would_copy_without_a_look_is_spelled_as_text() -> None:
    fragment = orjson.Fragment(b"no json\n")

    assert strictly_read(json_text({"a": fragment, "b": [fragment]})) == {"a": str(fragment), "b": [str(fragment)]}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (1e-4, "0.0001"),
        (9.9e-5, "9.9e-05"),
        (-9.9e-5, "-9.9e-05"),
        (5e-324, "5e-324"),
        (9999999999999998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (-1e16, "-1e+16"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_a_float_is_spelled_as_python_does(number: float, text: str) -> None:
    assert (json_text(number), json_text({"a": number}), json_text([[number]])) == (
        text,
        f'{{"a":{text}}}',
        f"[[{text}]]",
    )


def test_a_mapping_without_end_is_cut_and_leaves_the_others_alone() -> None:
    read = strictly_read(json_text({"a": Endless(), "b": [{1}], "c": 1}))

    assert (read["a"]["..."], len(read["a"]), read["b"], read["c"]) == ("...", 10_001, [[1]], 1)


def test_the_standard_library_alone_is_enough() -> None:
    program = "import sys; sys.modules['orjson'] = None; from observabilipy.encoding.fast import *;"
    program += "from observabilipy.encoding.json_text import *; prepare();"
    program += "print(prepared(), json_text({'a': [1.5]}), json_text({'a': 1}))"

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", check=True)

    assert ran.stdout == 'None {"a":[1.5]} {"a":1}\n'


def test_the_options_are_those_of_orjson() -> None:
    passthrough = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS

    assert (passthrough, passthrough | orjson.OPT_APPEND_NEWLINE) == (PASSTHROUGH, LINE)


def test_a_long_list_that_is_shared_is_cut_before_it_fills_the_memory() -> None:
    shared = list(range(60_000))

    assert len(strictly_read(json_text([shared] * 1_000))) == 1_000


def test_tuples_that_share_tuples_are_cut_before_they_fill_the_memory() -> None:
    shared: tuple[object, ...] = (1,)
    for _ in range(60):
        shared = (shared, shared)
    gc.collect()  # afterwards the collector does not follow them any more, and a dict that holds them says it is flat

    assert len(json_text({"shared": shared})) < 1_000_000


def test_sets_as_keys_that_share_sets_are_cut_before_they_fill_the_memory() -> None:
    one, two = frozenset({1}), frozenset({2})
    for number in range(40):
        one, two = frozenset({one, two}), frozenset({one, two, number})  # type: ignore[arg-type]

    assert len(json_text({one: 1})) < 10_000


def test_names_without_number_do_not_fill_the_memory() -> None:
    for number in range(5_000):
        json_text({f"name {number}": 1, "é" * number: 2})

    json_text({f"name {number}": 1 for number in range(5_000)})

    assert len(module._NAMES) <= 1_024 + 64


def test_text_is_not_escaped_beyond_need() -> None:
    assert json_text({"name": "Zoë", "n": [1, 2]}) == '{"name":"Zoë","n":[1,2]}'


def test_what_is_nested_deeper_than_32_is_cut() -> None:
    assert [strictly_read(json_text(nested(depth))) for depth in (32, 33, 2_000)] == [
        nested(32),
        cut(),
        cut(),
    ]


def cut() -> object:
    value: object = "..."
    for _ in range(32):
        value = [value]
    return value


def test_many_shallow_values_are_not_cut() -> None:
    value = [{"a": [1]} for _ in range(100)]

    assert strictly_read(json_text(value)) == value


def test_a_value_in_itself_is_cut() -> None:
    value: dict[str, object] = {"a": 1}
    value["self"] = [value, value]

    assert strictly_read(json_text(value)) == {"a": 1, "self": ["...", "..."]}


def test_a_dense_graph_is_cut_before_it_fills_the_memory() -> None:
    graph: list[list[object]] = [[] for _ in range(30)]
    for node in graph:
        node.extend(graph)

    assert isinstance(strictly_read(json_text(graph)), list)


HOSTILE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters()),
        st.binary(),
        st.builds(Silent),
        st.complex_numbers(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(st.characters()), st.integers(), st.floats(), st.none()), inner, max_size=4),
    ),
    max_leaves=20,
)


@pytest.mark.properties
@given(HOSTILE)
def test_any_value_becomes_one_strict_line(value: object) -> None:
    text = json_text(value)

    assert json_text(strictly_read(text)) == text


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=20,
)


@pytest.mark.properties
@given(JSON_VALUES)
def test_what_json_can_say_is_read_back_the_same(value: object) -> None:
    assert strictly_read(json_text(value)) == value


def test_a_structure_that_is_shared_over_and_over_is_cut_before_it_fills_the_memory() -> None:
    shared: list[object] = [1]
    for _ in range(60):
        shared = [shared, shared]

    assert len(json_text({"shared": shared})) < 1_000_000
