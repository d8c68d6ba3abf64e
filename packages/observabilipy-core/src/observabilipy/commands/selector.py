"""Selector: ``name{label="value",other!="x"}``, as in PromQL, without regular expressions."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from observabilipy.encoding.json_text import json_text
from observabilipy.models import Matcher

__all__ = ["Selector", "selector", "series_text"]

_SELECTOR = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:.]*)?\s*(?:\{(.*)\})?\s*", re.DOTALL)
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_.]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.DOTALL)
_ESCAPES = {"n": "\n"}


@dataclass(frozen=True, slots=True)
class Selector:
    """A family's name, or None for all, and conditions on labels."""

    name: str | None
    matchers: tuple[Matcher, ...]

    def accepts(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether a series is selected."""
        return self.name in {None, name} and all(matcher.accepts(name, labels) for matcher in self.matchers)

    def all_matchers(self) -> tuple[Matcher, ...]:
        """The conditions, the one on the name among them."""
        return (*(() if self.name is None else (Matcher("__name__", self.name),)), *self.matchers)


def selector(text: str) -> Selector:
    """Read a selector, for argparse."""
    match = _SELECTOR.fullmatch(text)
    if match is None or (match[1] is None and match[2] is None):
        raise argparse.ArgumentTypeError(f"series are chosen by a name and labels, got {text!r}: {_EXAMPLE}")
    matchers, rest = [], (match[2] or "").strip()
    while rest:
        one = _MATCHER.match(rest)
        if one is None:
            raise argparse.ArgumentTypeError(f"a condition is a label and a quoted value, got {rest!r}: {_EXAMPLE}")
        if one[2] in {"=~", "!~"}:
            raise argparse.ArgumentTypeError(f"the conditions are = and !=, got {one[2]!r}: {_EXAMPLE}")
        value = re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), one[3], flags=re.DOTALL)
        matchers.append(Matcher(one[1], value, cast("Literal['=', '!=']", one[2])))
        rest = rest[one.end() :]
    return Selector(match[1], tuple(matchers))


_EXAMPLE = 'write \'orders_total{tier="gold",region!="eu"}\''


def series_text(name: str, labels: Mapping[str, str]) -> str:
    """A series as a person writes it."""
    inner = ",".join(f"{label}={json_text(value)}" for label, value in labels.items())
    return f"{name}{{{inner}}}" if inner else name
