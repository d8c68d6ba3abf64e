"""Thirty hostile calls through the real Observability and /logs: one strict line each, nothing raised or lost."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pytest
from benchmarks.hostile_values import HOSTILE_CALLS, HostileCall, fault

from observabilipy import Observability
from observabilipy.http import Request

ALL = pytest.mark.parametrize("hostile", HOSTILE_CALLS, ids=lambda hostile: hostile.name)

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["memory://", "sqlite:///{}/hostile.db"])
def obs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Observability]:
    with Observability(request.param.format(tmp_path), auth="public", handle_sigterm=False) as opened:
        yield opened


def refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def answered(obs: Observability) -> bytes:
    """What /logs says of everything."""
    assert obs.flush()
    return b"".join(obs.endpoints.handle_sync(Request("GET", "/logs")).body)


def only_line(body: bytes) -> Any:  # JSON is any value
    """The one line of an answer, read by two strict parsers; also for a reader that splits at every line break."""
    (line,) = body.decode().splitlines()
    assert body.endswith(b"\n")
    document = json.loads(line, parse_constant=refuse)
    assert orjson.loads(line) == (document if _fits_64_bits(document) else orjson.loads(line))
    return document


def _fits_64_bits(document: Any) -> bool:  # JSON is any value; orjson reads longer integers as floats
    value = document["attributes"].get("value")
    return not isinstance(value, int) or value < 2**63


@ALL
def test_a_hostile_call_becomes_one_strict_line_that_holds_what_was_logged(
    obs: Observability, hostile: HostileCall
) -> None:
    hostile.call(obs.info)

    body = answered(obs)
    only_line(body)
    assert fault(body.removesuffix(b"\n"), hostile) is None


@ALL
def test_a_hostile_call_leaves_the_other_fields_and_attributes_alone(obs: Observability, hostile: HostileCall) -> None:
    hostile.call(obs.bind(order_id="order-7").warning)

    read = only_line(answered(obs))
    fields = (
        list(read),
        read["level"],
        read["attributes"]["order_id"],
        set(hostile.attributes) - set(read["attributes"]),
    )
    assert fields == (["cursor", "timestamp", "level", "message", "attributes"], "WARNING", "order-7", set())


def test_all_hostile_calls_at_once_are_all_there_in_their_order(obs: Observability) -> None:
    for hostile in HOSTILE_CALLS:
        hostile.call(obs.info)

    lines = [json.loads(line) for line in answered(obs).decode().splitlines()]
    assert len(lines) == len(HOSTILE_CALLS) == 30
    assert all(earlier["timestamp"] <= later["timestamp"] for earlier, later in pairwise(lines))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NaN", "NaN"),
        ("infinity", "Infinity"),
        ("minus infinity", "-Infinity"),
        ("a lone surrogate", "caf\\udce9"),
        ("2**70", 2**70),
        ("bytes", "caf\\xe9"),
        ("an object whose str() raises", "<unprintable Unprintable>"),
        ("an object whose str() and repr() raise", "<unprintable Unspeakable>"),
        ("a set", ["apple"]),
        ("a cycle", {"id": "order-7", "items": [{"sku": "apple", "of": "..."}]}),
        ("integer keys", {"1": "apple", "2": "pear"}),
        ("tuple keys", {"(1, 2)": "apple"}),
    ],
)
def test_what_json_cannot_say_is_said_as_nearly_as_possible(obs: Observability, name: str, value: object) -> None:
    next(hostile for hostile in HOSTILE_CALLS if hostile.name == name).call(obs.info)

    assert only_line(answered(obs))["attributes"] == {"before": "first", "value": value}


@ALL
def test_a_context_may_be_hostile_too(obs: Observability, hostile: HostileCall) -> None:
    with obs.context(**hostile.attributes):
        obs.info("inside")

    read = only_line(answered(obs))
    assert (read["message"], set(read["attributes"])) == ("inside", set(hostile.attributes))
