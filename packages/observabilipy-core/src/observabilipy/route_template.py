"""Route templates: the rules of all frameworks in one spelling, so that the same route gives the same series."""

from functools import lru_cache
from typing import Literal

__all__ = ["mount_template", "route_template"]

_MOUNTS = 50
"""An application has fewer; what is more comes from paths of clients, which could fill a family."""

_mounts: set[str] = set()

_CLOSING = {"<": ">", "{": "}"}


@lru_cache(maxsize=1024)  # an application has that many rules at most; the rest is spelled anew each time
def route_template(rule: str, name: Literal["first", "last"] = "first") -> str:
    """Spell a rule as ``/orders/{id}``: a slash first, each parameter as its name in braces, without its type.

    Args:
        rule: as a framework writes it: ``/orders/<int:id>``, ``/orders/{id:int}``, ``orders/<id:re:[0-9]+>``.
        name: whether a parameter's name comes first (Bottle, Falcon, Pyramid, Litestar, Starlette) or last (Django,
            Werkzeug, Flask, Quart) when colons separate it from its type.
    """
    spelled = []
    position = 0
    while position < len(rule):
        character = rule[position]
        if character in _CLOSING:
            end = _closing(rule, position)
            spelled.append(f"{{{_name(rule[position + 1 : end], name)}}}")
            position = end + 1
        else:
            spelled.append(character)
            position += 1
    text = "".join(spelled)
    return text if text.startswith("/") else f"/{text}"


def _closing(rule: str, start: int) -> int:
    """Where the parameter that begins here ends; a type's own arguments may hold brackets of the same kind."""
    opening, closing = rule[start], _CLOSING[rule[start]]
    depth = 0
    for position in range(start, len(rule)):
        depth += (rule[position] == opening) - (rule[position] == closing)
        if depth == 0:
            return position
    return len(rule)


def _name(parameter: str, name: Literal["first", "last"]) -> str:
    part = parameter.partition(":")[0] if name == "first" else parameter.rpartition(":")[2]
    return part.strip()


def mount_template(prefix: str) -> str:
    """Spell where something is mounted: as it is for the first fifty, then as ``/{mount}``.

    Frameworks tell the prefix as it stood in the path, and not which part of it is a parameter.
    """
    if prefix in _mounts or not prefix:
        return prefix
    if len(_mounts) >= _MOUNTS:
        return "/{mount}"
    _mounts.add(prefix)
    return prefix
