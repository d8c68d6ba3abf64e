"""Redaction: secrets are known by their names, however these are spelled and wherever they lie."""

import gc
import json
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.json_text import is_flat, json_text
from observabilipy.errors import ConfigurationError
from observabilipy.logs.redaction import ALLOWED_KEYS, SECRET_KEYS, Redaction

REDACTED = "[redacted]"
CARD = r"\b\d{16}\b"

SECRET = """
    password passwd pwd passphrase user_password dbPassword secret client_secret token access_token refreshToken
    X-Api-Key api_key apikey authorization proxy-authorization cookie set-cookie session sessionid csrf_token xsrf
    private_key credentials jwt signature bearer cvv card_number
    PASSWORD Password1 passWord DB-PASSWORD user.password password_hash APIKey apiKEY a.p.i.key AWS_SECRET_ACCESS_KEY
    secret-access-key JSESSIONID PHPSESSID sessionID session.id ACCESSTOKEN oauth2Token idToken csrfmiddlewaretoken
    authenticity_token HTTP_AUTHORIZATION Set-Cookie2 encryptionKey signing_key db_pass connectionString otp token_value
"""

HARMLESS = """
    token_count max_tokens tokens_used author authors secretary session_count keyboard monkey passed compass
    tokenCount total_tokens tokens tokenizer token_type expires_in token_expires_in password_changed_at secret_name
    session_duration sessions obsession signature_algorithm next_page_token method_signature key keys order_id passenger
    cents tier message level logger name cookie_name _ 42 ключ
"""


@pytest.mark.parametrize("name", [*SECRET.split(), "Authorization Header", "clé secret"])
def test_the_name_of_a_secret_is_known_in_every_spelling(name: str) -> None:
    assert Redaction().apply({name: "x", "tier": "gold"}) == {name: REDACTED, "tier": "gold"}


@pytest.mark.parametrize("name", [*HARMLESS.split(), ""])
def test_a_harmless_name_is_left_alone(name: str) -> None:
    attributes = {name: "x"}

    assert Redaction().apply(attributes) is attributes


def test_every_key_is_secret_and_every_allowed_one_is_not() -> None:
    redaction = Redaction()

    assert [key for key in SECRET_KEYS if not redaction.is_secret(key)] == []
    assert [key for key in ALLOWED_KEYS if redaction.is_secret(f"token_{key}")] == []


def test_whatever_the_value_of_a_secret_is_it_is_replaced_as_a_whole() -> None:
    values: list[object] = ["x", 7, None, True, b"x", ["x"], {"name": "x"}, object()]

    assert [Redaction().apply({"password": value}) for value in values] == [{"password": REDACTED}] * len(values)


def test_names_of_ones_own_come_on_top() -> None:
    redaction = Redaction(keys=SECRET_KEYS | {"IBAN", "date_of_birth"}, allow=ALLOWED_KEYS | {"session"})

    assert redaction.apply({"iban": 1, "dateOfBirth": 2, "token": 3, "user_session": 4, "session_id": 5}) == {
        "iban": REDACTED,
        "dateOfBirth": REDACTED,
        "token": REDACTED,
        "user_session": 4,
        "session_id": REDACTED,
    }


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ({"password": "x", "tier": "gold"}, {"password": REDACTED, "tier": "gold"}),
        ([{"user": {"api-key": "x"}}], [{"user": {"api-key": REDACTED}}]),
        (({"token": "x"},), [{"token": REDACTED}]),
        ([("Authorization", "x"), ("accept", "y")], [["Authorization", REDACTED], ["accept", "y"]]),
        ([(b"cookie", b"x"), (b"accept", b"y")], [["cookie", REDACTED], ["accept", "y"]]),
        ((("authorization", "x"),), [["authorization", REDACTED]]),
        ({("authorization", "x")}, [["authorization", REDACTED]]),
        ({b"cookie": b"x"}, {"cookie": REDACTED}),
        (OrderedDict(cookie="x"), {"cookie": REDACTED}),
        (MappingProxyType({"cookie": "x"}), {"cookie": REDACTED}),
        (
            {"headers": MappingProxyType({"cookie": "x", "accept": "y"})},
            {"headers": {"cookie": REDACTED, "accept": "y"}},
        ),
    ],
)
def test_a_secret_is_found_at_any_depth(value: object, seen: object) -> None:
    assert Redaction().apply({"value": value, "tier": "gold"}) == {"value": seen, "tier": "gold"}


@pytest.mark.parametrize(
    "value",
    [
        [1, "a", 2.5, None],
        {"a": {"b": [1, {"c": (1, 2)}]}},
        ["password", "email"],
        ("password", "email"),
        [(1.5, 2), ["a", "b", "c"]],
        {"count": 1},
        object(),
        b"password",
    ],
)
def test_what_holds_no_secret_is_the_same_object(value: object) -> None:
    attributes = {"value": value}

    assert Redaction().apply(attributes) is attributes


def test_flat_attributes_need_no_second_look() -> None:
    attributes = {"tier": "gold", "token": "x", "ratio": 0.5}

    assert is_flat(attributes)
    assert Redaction().apply(attributes, flat=True) == {"tier": "gold", "token": REDACTED, "ratio": 0.5}


def test_a_tuple_that_the_garbage_collector_does_not_follow_is_looked_into() -> None:
    headers = (("authorization", "x"),)
    gc.collect()

    assert Redaction().apply({"headers": headers}) == {"headers": [["authorization", REDACTED]]}


def cycle() -> dict[str, object]:
    value: dict[str, object] = {"password": "hunter2"}
    value["itself"] = [value]
    return value


class Endless(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        return key

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            number += 1
            yield f"k{number}"

    def __len__(self) -> int:
        return 10**9


class EndlessTree(Endless):
    def __getitem__(self, key: str) -> object:
        return EndlessTree()


class Broken(dict[str, object]):
    def items(self) -> NoReturn:
        raise RuntimeError("hunter2")


def dense() -> list[list[object]]:
    graph: list[list[object]] = [[] for _ in range(30)]
    for node in graph:
        node.extend(graph)
    graph[-1].append({"password": "hunter2"})
    return graph


def deep() -> list[object]:
    value: list[object] = [{"password": "hunter2"}]
    for _ in range(2_000):
        value = [value]
    return value


@pytest.mark.parametrize("hostile", [cycle, Endless, EndlessTree, lambda: Broken(password="hunter2"), dense, deep])
@pytest.mark.parametrize("patterns", [(), (CARD,)])
def test_a_hostile_value_neither_raises_nor_hangs_nor_leaks(hostile: Any, patterns: tuple[str, ...]) -> None:
    attributes = {"value": hostile(), "tier": "gold"}

    seen = json.loads(json_text(Redaction(patterns=patterns).apply(attributes)))

    assert (seen["tier"], "hunter2" in json.dumps(seen)) == ("gold", False)


def test_attributes_that_cannot_be_read_are_not_shown() -> None:
    assert Redaction().apply(Broken(password="hunter2")) == {"attributes": "<unprintable Broken>"}


def test_what_lies_in_a_secret_twice_is_hidden_in_both_places() -> None:
    shared = {"token": "x"}

    assert Redaction().apply({"a": [shared, shared]}) == {"a": [{"token": REDACTED}, {"token": REDACTED}]}


class Payment:
    def __str__(self) -> str:
        return "Payment(4111111111111111)"


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("card 4111111111111111!", "card ****!"),
        (b"4111111111111111", "****"),
        ([1, ["4111111111111111"]], [1, ["****"]]),
        ({"a": {"b": "4111111111111111"}}, {"a": {"b": "****"}}),
        (Payment(), "Payment(****)"),
        ({"token": "x"}, {"token": "****"}),
    ],
)
def test_patterns_are_found_in_every_text_among_the_attributes(value: object, seen: object) -> None:
    assert Redaction(patterns=[CARD], replacement="****").apply({"value": value}) == {"value": seen}


@pytest.mark.parametrize("value", ["card", 4111111111111111, 0.5, None, [1, "a"], {"a": b"b"}, object()])
def test_what_patterns_do_not_match_is_the_same_object(value: object) -> None:
    attributes = {"value": value}

    assert Redaction(patterns=[CARD]).apply(attributes) is attributes


def test_patterns_are_found_in_messages_and_their_replacement_is_plain_text() -> None:
    redaction = Redaction(patterns=[CARD, re.compile("bearer [a-z]+", re.IGNORECASE)], replacement=r"\1")

    assert redaction.text("4111111111111111 with Bearer abc") == r"\1 with \1"


def test_without_patterns_a_message_is_the_same_object() -> None:
    message = "token=hunter2"

    assert Redaction().text(message) is message


def test_a_million_names_do_not_fill_the_memory() -> None:
    redaction = Redaction()
    for number in range(10_000):
        redaction.apply({f"name {number} {'a' * (number % 26)}": 1, f"token {number}": 1})

    assert len(redaction._known_harmless) + len(redaction._known_secret) <= 2 * 4_096


def test_a_name_of_a_megabyte_is_judged_by_its_end() -> None:
    assert [Redaction().is_secret("x" * 1_000_000 + end) for end in ("_token", "_tier")] == [True, False]


def test_redactions_of_the_same_settings_are_equal() -> None:
    assert (Redaction(), hash(Redaction(patterns=["a"]))) == (Redaction(), hash(Redaction(patterns=[re.compile("a")])))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (
            {"keys": "password"},
            "redaction keys must be several names, got 'password': write keys=SECRET_KEYS | {\"iban\"}",
        ),
        ({"allow": [7]}, 'redaction allow must be several names, got [7]: write allow=ALLOWED_KEYS | {"session"}'),
        ({"keys": None}, 'redaction keys must be several names, got None: write keys=SECRET_KEYS | {"iban"}'),
        ({"patterns": 7}, "redaction patterns must be several, got 7: write patterns=[...]"),
        ({"keys": ["42"]}, "redaction keys must have letters, got '42': leave it out"),
        ({"patterns": "a+"}, "redaction patterns must be several, got 'a+': write patterns=[...]"),
        (
            {"patterns": ["("]},
            "a redaction pattern must be a regular expression for text, got '(' (missing ), unterminated subpattern at"
            r' position 0): write for example r"\b\d{16}\b"',
        ),
        ({"patterns": ["a*"]}, "a redaction pattern must not match the empty text, got 'a*': write + instead of *"),
        ({"replacement": None}, 'the replacement of a redaction must be a string, got None: write "[redacted]"'),
    ],
)
def test_a_setting_that_cannot_work_says_what_to_write(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Redaction(**settings)

    assert str(raised.value) == error


@pytest.mark.parametrize("pattern", [b"a", 7])
def test_a_pattern_for_something_else_than_text_is_refused(pattern: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a regular expression for text"):
        Redaction(patterns=[pattern])


VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.floats(), st.text(st.characters()), st.binary()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(st.sampled_from(["cookie", b"token", "tier"]), inner).map(lambda pair: [pair]),
        st.dictionaries(st.sampled_from(["password", "tier", "a.token", b"cookie", 1]), inner, max_size=4),
    ),
    max_leaves=20,
)


def secrets_of(document: object) -> Iterator[object]:
    """Whatever a JSON document holds under a secret name."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from [value] if name in {"password", "a.token", "cookie", "token"} else secrets_of(value)
    elif isinstance(document, list):
        for item in document:
            is_pair = isinstance(item, list) and len(item) == 2 and item[0] in ["cookie", "token"]
            yield from [item[1]] if is_pair else secrets_of(item)


@pytest.mark.properties
@given(st.dictionaries(st.sampled_from(["password", "tier", "value"]), VALUES))
def test_no_value_with_a_secret_name_is_ever_spelled(attributes: dict[str, object]) -> None:
    seen = json.loads(json_text(Redaction().apply(attributes)))

    assert set(secrets_of(seen)) <= {REDACTED}
