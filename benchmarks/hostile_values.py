"""Thirty calls that break loggers: values, names and messages that JSON, formatting or keyword arguments stumble over.

One table for the test of our own (``test_hostile_values.py``) and for the comparison with others.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

__all__ = ["HOSTILE_CALLS", "HostileCall", "fault"]


@dataclass(frozen=True, slots=True)
class HostileCall:
    """One call. ``kept`` is what must be found again, as text or within a text, in the line that comes out."""

    name: str
    message: object = "hostile call"
    attributes: dict[str, object] = field(default_factory=dict)
    kept: tuple[str, ...] = ("hostile call",)

    def call(self, log: Callable[..., object]) -> None:
        """Log it with a function that takes the message and attributes by keyword."""
        log(self.message, **self.attributes)


class Unprintable:
    """``str()`` raises, ``repr()`` does not."""

    def __str__(self) -> str:
        raise RuntimeError("this object does not want to be seen")

    def __repr__(self) -> str:
        return "Unprintable()"


class Unspeakable:
    """Neither ``str()`` nor ``repr()`` can be asked."""

    def __repr__(self) -> str:
        raise RuntimeError("this object does not want to be seen")


def _cycle() -> dict[str, object]:
    order: dict[str, object] = {"id": "order-7"}
    order["items"] = [{"sku": "apple", "of": order}]
    return order


def _nested(depth: int) -> object:
    value: object = "core"
    for _ in range(depth):
        value = [value]
    return value


def _value(name: str, value: object, *kept: str) -> HostileCall:
    return HostileCall(name, attributes={"before": "first", "value": value}, kept=("hostile call", "first", *kept))


def _message(name: str, message: object, *kept: str) -> HostileCall:
    return HostileCall(name, message, {"tier": "gold"}, kept=(*kept, "gold"))


def _named(name: str) -> HostileCall:
    return HostileCall(f"an attribute called {name}", attributes={name: "mine"}, kept=("hostile call", "mine"))


HOSTILE_CALLS: tuple[HostileCall, ...] = (
    _value("NaN", float("nan")),
    _value("infinity", float("inf")),
    _value("minus infinity", -float("inf")),
    _value("a lone surrogate", "caf\udce9", "caf"),
    _value("2**70", 2**70, str(2**70)),
    _value("bytes", b"caf\xe9", "caf"),
    _value("an object", object()),
    _value("an object whose str() raises", Unprintable()),
    _value("an object whose str() and repr() raise", Unspeakable()),
    _value("a set", {"apple"}, "apple"),
    _value("a cycle", _cycle(), "order-7", "apple"),
    _value("integer keys", {1: "apple", 2: "pear"}, "apple", "pear"),
    _value("tuple keys", {(1, 2): "apple"}, "apple"),
    _value("2,000 lists in one another", _nested(2_000)),
    _message("a lone surrogate in the message", "caf\udce9 closed", "caf", " closed"),
    _message("newlines in the message", "one\ntwo\r\n2026-11-22 ERROR forged", "one\ntwo\r\n2026-11-22 ERROR forged"),
    _message("NUL in the message", "one\0two", "one\0two"),
    _message("U+2028 in the message", "one\u2028two\u2029three\x85four", "one\u2028two\u2029three\x85four"),
    _message("braces in the message", "{tier} {0} {", "{tier} {0} {"),
    _message("percents in the message", "100% %s %(tier)s %", "100% %s %(tier)s %"),
    _message("a message of 1 MB", "x" * 1_000_000, "x" * 1_000),
    _message("a message that is no string", {"order": "order-7"}, "order-7"),
    *map(_named, ("message", "level", "timestamp", "cursor", "self", "name", "event", "exception")),
)
"""The calls of issue 4: each must give one strict line, raise nothing, and lose nothing."""


def fault(line: bytes, hostile: HostileCall) -> str | None:
    """What is wrong with the one line that a call gave, without its line feed; None when nothing is.

    It must be a JSON object of RFC 8259 in UTF-8 without a line feed, and hold everything in ``kept``; the names of the
    fields are the logger's.
    """
    try:
        text = line.decode()
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return f"invalid: {error}"
    if not isinstance(document, dict):
        return "invalid: not an object"
    if "\n" in text or "\r" in text:
        return "invalid: more than one line"
    found = list(_texts(document))
    missing = [kept for kept in hostile.kept if not any(kept in one for one in found)]
    return f"lost: {missing[0][:40]!r}" if missing else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _texts(document: object) -> Iterator[str]:
    """Every value of a document as text, however deep it lies."""
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        else:
            yield str(one)
