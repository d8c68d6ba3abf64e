"""Routes: how Django's rules, those of ``path()`` and those of ``re_path()``, are spelled as templates."""

import re
from functools import lru_cache

from observabilipy.route_template import route_template

__all__ = ["template"]

_REGULAR_EXPRESSION = re.compile(r"[\\^$(\[*+?|]")
_NAMED = re.compile(r"\?P<(\w+)>")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d*,?\d*\})[?+]?")
_ANY = "<var>"
_NOTHING = frozenset("AZzbB")  # after a backslash: places, which take no character


@lru_cache(maxsize=1024)  # as many as core keeps; an application has that many rules at most
def template(rule: str) -> str:
    r"""Spell a rule as ``/orders/{id}``.

    Of a regular expression the named groups stay, ``/orders/{id}`` for ``^orders/(?P<id>\d+)$``, and other parts that
    take more than one text are ``{var}``.

    Args:
        rule: ``ResolverMatch.route``: ``orders/<int:id>``, ``^orders/(?P<id>\d+)$``, or one after the other.
    """
    return route_template(_simplified(rule) if _REGULAR_EXPRESSION.search(rule) else rule, "last")


def _simplified(expression: str) -> str:
    """A regular expression with its groups in the spelling of ``path()``."""
    spelled: list[str] = []
    position = 0
    while position < len(expression):
        part, position = _part(expression, position)
        quantifier = _QUANTIFIER.match(expression, position)
        if quantifier is not None:
            position = quantifier.end()
            if part == ".":
                part = _ANY
        spelled.append(part)
    return "".join(spelled)


def _part(expression: str, position: int) -> tuple[str, int]:
    """What begins at a position, spelled, and where the next part begins."""
    character = expression[position]
    if character in "^$":
        return "", position + 1
    if character == "\\":
        escaped = expression[position + 1 : position + 2]
        return "" if escaped in _NOTHING else _ANY if escaped.isalnum() else escaped, position + 2
    if character == "[":
        return _ANY, _end_of_class(expression, position)
    if character == "(":
        end = _end_of_group(expression, position)
        return _group(expression[position + 1 : end - 1]), end
    if character == "<":  # of path(), in a rule of both kinds
        end = expression.find(">", position) + 1
        return (expression[position:end], end) if end else (character, position + 1)
    return character, position + 1


def _group(content: str) -> str:
    named = _NAMED.match(content)
    if named is not None:
        return f"<{named[1]}>"
    if content.startswith("?:"):
        return _ANY if "|" in content else _simplified(content[2:])
    return "" if content.startswith("?") else _ANY  # flags, comments, and what only looks ahead or back


def _end_of_class(expression: str, start: int) -> int:
    position = start + 1 + expression.startswith("^", start + 1)
    position += expression.startswith("]", position)  # there it stands for itself
    while position < len(expression) and expression[position] != "]":
        position += 1 + (expression[position] == "\\")
    return position + 1


def _end_of_group(expression: str, start: int) -> int:
    depth = 0
    position = start
    while position < len(expression):
        character = expression[position]
        if character == "[":
            position = _end_of_class(expression, position)
            continue
        depth += (character == "(") - (character == ")")
        position += 1 + (character == "\\")
        if depth == 0:
            break
    return position
