"""What wheels and sdists hold, and what they say of themselves."""

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

PACKAGES = {
    path.parent.name: path.parent for path in sorted(Path(__file__).parents[2].glob("packages/*/pyproject.toml"))
}

pytestmark = pytest.mark.packaging
each_package = pytest.mark.parametrize("package", PACKAGES)


def wheel_files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def sdist_files(sdist: Path) -> set[str]:
    """Relative to the one top directory."""
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def files_on_disk(directory: Path, below: Path) -> set[str]:
    files = (path for path in below.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(directory).as_posix() for path in files}


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


def requirements(wheel: Path) -> list[str]:
    return metadata(wheel).get_all("Requires-Dist", [])


def test_every_package_is_built(wheels: dict[str, Path], sdists: dict[str, Path]) -> None:
    assert set(wheels) == set(sdists) == set(PACKAGES)


@each_package
def test_a_wheel_holds_the_sources_and_nothing_else(wheels: dict[str, Path], package: str) -> None:
    source = PACKAGES[package] / "src"
    held = {name for name in wheel_files(wheels[package]) if ".dist-info/" not in name}

    assert held == files_on_disk(source, source)


@each_package
def test_a_wheel_holds_its_type_marker_and_its_licence(wheels: dict[str, Path], package: str) -> None:
    names = {name.rpartition("/")[2] for name in wheel_files(wheels[package])}

    assert names >= {"py.typed", "LICENSE"}


@each_package
def test_an_sdist_holds_sources_tests_changelog_and_licence(sdists: dict[str, Path], package: str) -> None:
    directory = PACKAGES[package]
    expected = files_on_disk(directory, directory / "src") | files_on_disk(directory, directory / "tests")
    expected |= {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}

    assert expected - sdist_files(sdists[package]) == set()


@each_package
def test_the_metadata_names_the_licence_and_the_oldest_python(wheels: dict[str, Path], package: str) -> None:
    told = metadata(wheels[package])

    assert (told["License-Expression"], told["License-File"], told["Requires-Python"]) == ("MIT", "LICENSE", ">=3.11")


@each_package
def test_the_metadata_says_what_an_index_shows(wheels: dict[str, Path], package: str) -> None:
    told = metadata(wheels[package])
    classifiers = set(told.get_all("Classifier", []))
    topics = {line.partition(" :: ")[0] for line in classifiers}

    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= classifiers
    assert {"Development Status", "Intended Audience", "Operating System", "Topic", "Typing"} <= topics
    assert all((told["Summary"], told["Keywords"], told["Author"]))
    assert told["Description-Content-Type"] == "text/markdown"
    assert told.get_payload() == (PACKAGES[package] / "README.md").read_text(encoding="utf-8")


def test_wheels_are_the_same_bytes_wherever_and_whenever_they_are_built(
    uv: Callable[..., str], wheels: dict[str, Path], tmp_path: Path
) -> None:
    built = {}
    for package, directory in PACKAGES.items():
        copy = tmp_path / package
        shutil.copytree(directory, copy, copy_function=shutil.copyfile)  # with other times than those of the originals
        uv("build", "--wheel", "--out-dir", tmp_path / "wheels", copy)
        [wheel] = (tmp_path / "wheels").glob(f"{package.replace('-', '_')}-*.whl")
        built[package] = wheel.read_bytes()

    assert {package for package, wheel in wheels.items() if wheel.read_bytes() != built[package]} == set()


@each_package
def test_siblings_are_required_from_the_floor_up_to_the_next_major(wheels: dict[str, Path], package: str) -> None:
    named = {line.partition(";")[0].strip() for line in requirements(wheels[package]) if "observabilipy" in line}
    # An extra that collects other extras names its own package, which is of this version anyway.
    siblings = {line for line in named if not line.startswith(f"{package}[")}

    assert {line for line in siblings if not line.endswith(">=0.1,<1")} == set()


def test_core_requires_nothing_unless_an_extra_is_asked_for(wheels: dict[str, Path]) -> None:
    required = requirements(wheels["observabilipy-core"])

    assert [line for line in required if "extra ==" not in line] == []
