"""The pages: their Python runs, what they show is what it prints, their commands are known, their links lead somewhere.

A page is one program: its Python blocks run in order, in a fresh process and an empty directory. A `text` block that
follows a Python block, with nothing in between, is what it printed. What a reader need not see stands in a comment that
begins with `<!-- python`.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# docs/command.md has a test of its own, tests/test_command_document.py, and its own terminal.
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("packages/*/README.md"))
    if page.name != "command.md"
)
PYTHON = re.compile(
    r"^(?:```python|<!-- python)\n(.*?)^(?:```|-->)\n(?:\n*```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL
)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s:]+)?(?:#([\w-]+))?\)")
MARK = "\x1e"

# What is another one each time.
VARYING = (
    (re.compile(r"\b1[789]\d{8}\.\d+"), "TIME"),
    (re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r'"[0-9a-z]{8}-(?=\d+")'), '"GENERATION-'),
    (re.compile(r'("(?:request_id|trace_id)":)"\w+"'), r"\1ID"),
    (re.compile(r'("duration_seconds":)[\d.e-]+'), r"\1SECONDS"),
    (re.compile(r'("lineno":)\d+'), r"\1LINE"),  # of the page
)

# Who runs the lines of shell blocks, or why nobody does. A line is looked for from the top.
COMMANDS = {
    r"pip install uv && uv run observabilipy demo$": "tests/e2e/test_e2e_demo.py runs the demo",
    r"pip install uv && uv run pytest$": "is how this runs",
    r"pip install ": "tests/packaging/test_installs.py installs wheels, as an index has no unreleased ones",
    r"OBSERVABILIPY_TOKEN=letmein uvicorn shop:app --workers 4": "tests/e2e/test_e2e_example.py serves that code",
    r"curl ": "asks the server of the block before; tests/e2e/test_e2e_example.py asks the same",
    r"observabilipy ": "tests/test_command_document.py runs every verb",
    r"umask 077; sqlite3 ": "the Python of the same page does the same",
    r"python -m venv |\. \.venv": "makes an environment, as tests/packaging does",
    r"#|$": "says nothing to the shell",
}


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def program(text: str) -> str:
    """The Python of a page on the lines where it stands there, and a mark before what each block prints."""
    lines = [""] * (text.count("\n") + 1)
    for block in PYTHON.finditer(text):
        first = text.count("\n", 0, block.start(1))
        lines[first - 1] = f"print({MARK!r})"
        code = block[1].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines)


def comparable(printed: str | None) -> str:
    printed = (printed or "").strip()
    for pattern, word in VARYING:
        printed = pattern.sub(word, printed)
    return printed


def headings(text: str) -> Iterator[str]:
    """Their anchors, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.*)$", prose, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [page for page in PAGES if PYTHON.search(read(page))])
def test_the_python_of_a_page_runs_and_prints_what_the_page_shows(page: str, tmp_path: Path) -> None:
    text = read(page)
    source = tmp_path / Path(page).name.replace(".md", ".py")
    source.write_text(program(text), encoding="utf-8")
    shown = [comparable(block[2]) for block in PYTHON.finditer(text)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OBSERVABILIPY")}
    environ |= {"PYTHONIOENCODING": "utf-8"}

    done = subprocess.run(
        [sys.executable, "-W", "error", source.name],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    _, *printed = done.stdout.split(f"{MARK}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert [comparable(output) for output in printed] == shown


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_are_run_somewhere(page: str) -> None:
    lines = [line for block in SHELL.findall(read(page)) for line in block.splitlines()]

    assert [line for line in lines if not any(re.match(known, line) for known in COMMANDS)] == []


@pytest.mark.parametrize("page", [*PAGES, "docs/command.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "VERSIONING.md"])
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    here = ROOT / page
    for target, anchor in LINK.findall(read(page)):
        there = (here.parent / target).resolve() if target else here
        if there.is_dir() and anchor:
            there /= "README.md"
        assert there.exists(), target
        assert not anchor or anchor in headings(there.read_text(encoding="utf-8")), f"{target}#{anchor}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("packages/")])
def test_the_pages_that_a_package_names_are_there(page: str) -> None:
    """By name: a link out of the package would lead nowhere on a package index."""
    named = re.findall(r"`(docs/[\w.-]+)`", read(page))

    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES)
def test_toml_of_a_page_can_be_read(page: str) -> None:
    for block in re.findall(r"^```toml\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL):
        assert tomllib.loads(block)


def test_the_front_page_stays_short() -> None:
    assert len(read("README.md").splitlines()) < 130
