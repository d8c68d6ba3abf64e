"""One spelling for the routes of all frameworks."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.route_template import route_template

NAMES: tuple[Literal["first", "last"], ...] = ("first", "last")


@pytest.mark.parametrize(
    ("rule", "template"),
    [
        ("items/<int:item>/", "/items/{item}/"),
        ("/items/<item>", "/items/{item}"),
        ("/items/<int(min=1, max=9):item>/parts/<path:part>", "/items/{item}/parts/{part}"),
        ("/<any(a, b):kind>", "/{kind}"),
        ("", "/"),
    ],
)
def test_rules_with_the_name_last(rule: str, template: str) -> None:
    assert route_template(rule, "last") == template


@pytest.mark.parametrize(
    ("rule", "template"),
    [
        ("/items/{item}", "/items/{item}"),
        ("/items/{item:int}", "/items/{item}"),
        (r"/years/{year:\d{4}}/{name}", "/years/{year}/{name}"),
        ("/items/<item:re:[a-z]+>", "/items/{item}"),
        ("/items/<item>", "/items/{item}"),
        ("items", "/items"),
    ],
)
def test_rules_with_the_name_first(rule: str, template: str) -> None:
    assert route_template(rule) == template


@pytest.mark.properties
@given(st.text(alphabet="/ab<>{}:.(,)"), st.sampled_from(NAMES))
def test_every_rule_has_a_template_that_begins_with_a_slash(rule: str, name: Literal["first", "last"]) -> None:
    assert route_template(rule, name).startswith("/")
