"""Every public name says what it is for."""

import inspect
from collections.abc import Iterator

import pytest
from tests.public_api.listing import MODULES, things


def undocumented(package: str) -> Iterator[str]:
    for name, thing in things(package):
        own_name = name.rpartition(".")[2]
        if own_name.startswith("test_"):  # those of the contracts are sentences already
            continue
        if inspect.isclass(thing) or inspect.isroutine(thing) or isinstance(thing, property):
            said = (inspect.getdoc(thing) or "").strip()
            if not said or said.startswith(f"{own_name}("):  # what a dataclass says of itself
                yield name


@pytest.mark.parametrize("package", MODULES)
def test_every_public_name_has_a_docstring(package: str) -> None:
    assert list(undocumented(package)) == []
