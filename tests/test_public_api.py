"""The public names of every package are those that were written down when its changelog told of them."""

from pathlib import Path

import pytest
from tests.public_api.listing import MODULES, listing, split


@pytest.mark.parametrize("package", MODULES)
def test_public_names_change_with_a_line_in_the_changelog(package: str) -> None:
    written = Path(__file__).with_name("public_api") / f"{package}.txt"
    _, names = split(written.read_text(encoding="utf-8"))

    assert listing(package) == names, "tell of it in CHANGELOG.md and run scripts/public-api"


def test_all_packages_are_listed() -> None:
    packages = {path.name for path in (Path(__file__).parents[1] / "packages").iterdir() if path.is_dir()}

    assert packages == set(MODULES)
