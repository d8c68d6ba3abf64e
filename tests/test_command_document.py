"""docs/command.md: what it shows is what a terminal of 80 columns shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
termios = pytest.importorskip("termios", reason="Windows has no pseudo-terminals")

DOCUMENT = Path(__file__).parents[1] / "docs" / "command.md"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What is another one each time, or on each machine.
VARYING = (
    (re.compile(r"2026-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "NOW"),
    (re.compile(r"[0-9a-f]{8}-(?=\d)"), "GENERATION-"),
    (re.compile(r"Bearer [\w-]+"), "Bearer TOKEN"),
    (re.compile(r"SQLite: version [\d.]+"), "SQLite: version"),
    (re.compile(r"schema: version [\d.]+"), "schema: version"),
    (re.compile(r"file system: .*"), "file system: KIND"),
    (re.compile(r"\d+ MB are free"), "MB are free"),
    (re.compile(r"storage: \d+"), "storage: SIZE"),
    (re.compile(r"chmod 600 \S+"), "chmod 600 FILE"),
)


def comparable(text: str) -> list[str]:
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return [" ".join(line.split()) for line in text.splitlines()]


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a block, and what is printed after it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def on_terminal(command: list[str], directory: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OBSERVABILIPY")}
    environ |= {
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "TERM": "xterm",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}",
    }
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=directory, env=environ)
    os.close(slave)
    seen = b""
    try:
        while piece := os.read(master, 65_536):
            seen += piece
    except OSError:  # Linux: the other end is closed
        pass
    process.wait(60)
    os.close(master)
    # What progress wrote is wiped away again.
    return re.sub(r"\r[^\r\n]*\r\x1b\[K", "", seen.decode().replace("\r\n", "\n"))


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse of each Python prints usage in its own way")
def test_what_the_document_shows_is_what_is_printed(tmp_path: Path) -> None:
    for kind, block in BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")):
        if kind == "python":
            subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True)
            continue
        for command, printed in commands(block):
            if command == "cat lines.ndjson":
                (tmp_path / "lines.ndjson").write_text(printed, encoding="utf-8")
            assert comparable(on_terminal(["bash", "-c", command], tmp_path)) == comparable(printed), command
