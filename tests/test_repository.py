"""What holds for the repository as a whole, whoever writes the next file."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
MAX_LINES = 400

# Written in parts, so that this file does not hold what it forbids.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
]
MACHINE_DIRECTORIES = ["/".join(("", name, "")) for name in ("root", "home", "Users", "work")]


def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, encoding="utf-8", check=False
    )


def unpacked_files() -> Iterator[str]:
    """The tree without what .gitignore names: for a source archive, which has no git directory."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        if path.is_file() and not any(fnmatch(part, rule) for part in relative.parts for rule in ignored):
            yield relative.as_posix()


def repository_files() -> list[str]:
    """Files that are in the repository, or would be with the next commit."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = listed.stdout.split("\0") if listed.returncode == 0 else unpacked_files()
    return sorted(name for name in names if (ROOT / name).is_file())


def lines_that_match(pattern: str) -> list[str]:
    search = re.compile(pattern, re.IGNORECASE).search
    return [
        f"{name}:{number}: {line.strip()}"
        for name in repository_files()
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if search(line)
    ]


def public_names(tree: ast.Module) -> set[str]:
    """What a module defines at its top level without a leading underscore; imports and type variables do not count."""
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "ParamSpec"))):
                pass
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case _:
                pass
    return {name for name in names if not name.startswith("_")}


def declared_names(tree: ast.Module) -> set[str]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return set(ast.literal_eval(value))
            case _:
                pass
    return set()


def public_modules() -> list[str]:
    sources = [name for name in repository_files() if re.fullmatch(r"packages/[^/]+/src/.*\.py", name)]
    return [name for name in sources if not Path(name).stem.startswith("_") or Path(name).stem == "__init__"]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert lines_that_match("|".join(re.escape(host) for host in REGISTRY_HOSTS)) == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert lines_that_match(rf"(?<![\w.}}:/])({'|'.join(MACHINE_DIRECTORIES)})[\w.]") == []


def test_the_lock_file_stays_out_of_the_repository() -> None:
    assert "uv.lock" not in repository_files()


def test_no_module_is_longer_than_the_limit() -> None:
    modules = [name for name in repository_files() if name.endswith(".py")]
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in modules}

    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_two_test_modules_share_a_name() -> None:
    names = [Path(name).name for name in repository_files() if Path(name).name.startswith("test_")]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_everything_that_a_package_promises(package: str) -> None:
    import_name = package.replace("-", "_").removesuffix("_core")
    promised = ["pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", f"src/{import_name}/py.typed"]
    prefix = f"packages/{package}/"
    held = {name.removeprefix(prefix) for name in repository_files() if name.startswith(prefix)}

    assert [name for name in promised if name not in held] == []
    assert any(re.fullmatch(r"tests/(.+/)?test_\w+\.py", name) for name in held)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_released_by_a_tag_of_its_own(package: str) -> None:
    workflow = ROOT / f".github/workflows/release-{package.removeprefix('observabilipy-')}.yml"
    others = {name for name in PACKAGES if name != package}
    text = workflow.read_text(encoding="utf-8")

    assert f'tags: ["{package}/v*"]' in text
    assert f"package: {package}\n" in text
    assert not any(name in text for name in others)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_rehearsal_without_an_address_never_reaches_the_upload(package: str) -> None:
    workflow = ROOT / f".github/workflows/release-{package.removeprefix('observabilipy-')}.yml"
    _, _, rehearsal = workflow.read_text(encoding="utf-8").partition("  rehearse:")
    refusal = rehearsal.find('test -n "$INDEX"')

    # Given an empty address, the action takes its default: the real index.
    assert 0 < refusal < rehearsal.find("gh-action-pypi-publish")


@pytest.mark.packaging
@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("v0.1.0", "the tag is v0.1.0, and packages/observabilipy-core/pyproject.toml has version"),
        ("observabilipy-core/v99.0.0", "the tag is observabilipy-core/v99.0.0, and packages/observabilipy-core/"),
    ],
)
def test_a_release_whose_tag_says_something_else_is_refused(tag: str, problem: str, tmp_path: Path) -> None:
    command: list[str | Path] = [ROOT / "scripts" / "release", "observabilipy-core", tag, tmp_path / "release"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)

    assert (done.returncode, f"not released: {problem}" in done.stderr, list(tmp_path.iterdir())) == (1, True, [])


def test_every_public_module_declares_all_that_it_defines() -> None:
    trees = {name: ast.parse((ROOT / name).read_bytes()) for name in public_modules()}
    undeclared = {name: public_names(tree) - declared_names(tree) for name, tree in trees.items()}

    assert {name: names for name, names in undeclared.items() if names} == {}


def test_every_mark_has_a_job_in_continuous_integration() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    marks = [line.partition(":")[0] for line in settings["tool"]["pytest"]["markers"]]
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")

    assert [mark for mark in marks if f"- mark: {mark}\n" not in workflow] == []
