"""Secrets in what is neither a dict nor a list, but shows what is in one: views of mappings."""

import json

import pytest

from observabilipy.encoding.json_text import json_text
from observabilipy.logs.redaction import Redaction

HEADERS = {"Authorization": "Bearer 1", "accept": "*/*"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (HEADERS.items(), [["Authorization", "[redacted]"], ["accept", "*/*"]]),
        ({"a": HEADERS}.values(), [{"Authorization": "[redacted]", "accept": "*/*"}]),
        ({"headers": HEADERS.items()}, {"headers": [["Authorization", "[redacted]"], ["accept", "*/*"]]}),
    ],
)
def test_secrets_in_views_are_redacted(value: object, told: object) -> None:
    assert json.loads(json_text(Redaction().apply({"value": value}))) == {"value": told}


@pytest.mark.parametrize("value", [{1: 0, "b": 0}.keys(), {0: 1, 1: "b"}.values()])
def test_views_are_arrays(value: object) -> None:
    assert json_text({"value": value}) == json_text({"value": value}, None) == '{"value":[1,"b"]}'
