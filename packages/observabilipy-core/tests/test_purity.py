"""Core stands on the standard library alone and is light to import."""

import ast
import subprocess
import sys
from pathlib import Path

import observabilipy

SOURCE = Path(observabilipy.__file__).parent
HEAVY = {"argparse", "asyncio", "orjson", "sqlite3"}
GUARDED = {"encoding/fast.py": {"orjson"}, "structlog.py": {"structlog"}, "uwsgi.py": {"uwsgidecorators"}}
"""What core uses where it is there, and does without where it is not; ``structlog.py`` nobody else imports."""


def imported_packages(tree: ast.AST) -> set[str]:
    """Top-level names of everything that a module imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("observabilipy" if node.level else str(node.module).partition(".")[0])
    return names


def test_every_import_in_core_is_of_the_standard_library_or_of_core() -> None:
    foreign = {
        str(path.relative_to(SOURCE)): strangers
        for path in SOURCE.rglob("*.py")
        if (strangers := imported_packages(ast.parse(path.read_bytes())) - sys.stdlib_module_names - {"observabilipy"})
    }

    assert foreign == GUARDED


def test_importing_core_loads_neither_asyncio_nor_sqlite3_nor_argparse() -> None:
    # -I: neither the directory nor the variables of this run may help.
    program = "import observabilipy, sys; print(*sys.modules)"
    command = [sys.executable, "-I", "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout

    assert HEAVY & set(loaded.split()) == set()
