"""What is public of each package, as text: a line for each name, with its parameters."""

import importlib
import inspect
from collections.abc import Iterator
from enum import Enum

__all__ = ["MODULES", "listing", "split", "things"]

MODULES = {
    "observabilipy-core": [
        "observabilipy",
        "observabilipy.errors",
        "observabilipy.http",
        "observabilipy.models",
        "observabilipy.ports",
        "observabilipy.storage",
        "observabilipy.structlog",
        "observabilipy.testing",
    ],
    "observabilipy-sqlite": ["observabilipy_sqlite"],
    "observabilipy-asgi": ["observabilipy_asgi"],
    "observabilipy-fastapi": ["observabilipy_fastapi"],
    "observabilipy-django": ["observabilipy_django", "observabilipy_django.middleware", "observabilipy_django.urls"],
    "observabilipy-wsgi": ["observabilipy_wsgi", "observabilipy_wsgi.flask"],
}


def listing(package: str) -> str:
    """The public names of a package, a line each."""
    return "".join(f"{name}{_parameters(thing)}\n" for name, thing in things(package))


def things(package: str) -> Iterator[tuple[str, object]]:
    """The public names of a package and of the members of its classes, and what they name."""
    for module in MODULES[package]:
        found = importlib.import_module(module)
        for public in sorted(getattr(found, "__all__", ())):
            yield from _named(f"{module}.{public}", getattr(found, public))


def split(text: str) -> tuple[int, str]:
    """The checksum of the changelog that was last looked at, and the listing."""
    head, _, names = text.partition("\n")
    return int(head.split()[1]), names


def _named(name: str, thing: object) -> Iterator[tuple[str, object]]:
    yield name, thing
    for member in sorted(_members(thing)) if inspect.isclass(thing) else ():
        found = inspect.getattr_static(thing, member, None)  # None: it has an annotation alone
        yield f"{name}.{member}", found.__func__ if isinstance(found, classmethod | staticmethod) else found


def _members(thing: type) -> set[str]:
    """Of the class and of those of ours that it is made of."""
    ours = [base for base in thing.__mro__ if base.__module__.startswith("observabilipy")]
    return {name for base in ours for name in (*vars(base), *vars(base).get("__annotations__", ())) if name[0] != "_"}


def _parameters(thing: object) -> str:
    """As in a call; annotations and defaults, which Pythons spell in different ways, are left out."""
    is_ours = inspect.isclass(thing) and thing.__module__.startswith("observabilipy")
    if not ((is_ours or inspect.isroutine(thing)) and callable(thing)) or (
        inspect.isclass(thing) and issubclass(thing, Enum | Exception)
    ):
        return ""
    signature = inspect.signature(thing)
    empty = inspect.Parameter.empty
    bare = [
        parameter.replace(annotation=empty, default=empty if parameter.default is empty else ...)
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=empty)).replace("=Ellipsis", "=...")
