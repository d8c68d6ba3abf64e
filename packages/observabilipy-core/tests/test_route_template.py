"""One spelling for the routes of all frameworks."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy import route_template as module
from observabilipy.route_template import mount_template, route_template

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


def test_mounts_that_come_from_paths_of_clients_cannot_be_more_than_fifty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_mounts", set())
    spelled = {mount_template(f"/tenant{number}") for number in range(1_000)}

    assert (len(spelled), mount_template("/tenant0"), mount_template("/tenant999"), mount_template("")) == (
        51,
        "/tenant0",
        "/{mount}",
        "",
    )
