"""The scripts in examples/ print what they say."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: Path, directory: Path) -> str:
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=directory, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def promised(script: Path) -> str:
    """What stands behind "prints" in its docstring, up to the next paragraph that is not indented."""
    docstring = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    found = re.search(r"prints[^\n]*:\n\n((?:    [^\n]*\n?)+)", docstring)
    assert found is not None, docstring
    return dedent(found[1]).rstrip("\n") + "\n"


@pytest.mark.parametrize("name", ["ring_buffer", "embedded_runtime", "logging"])
def test_a_script_prints_what_it_says(name: str, tmp_path: Path) -> None:
    script = EXAMPLES / f"{name}_example.py"

    assert run(script, tmp_path) == promised(script)


def test_the_second_run_of_the_script_with_a_file_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    script = EXAMPLES / "sqlite_example.py"
    first, second = run(script, tmp_path), run(script, tmp_path)
    command = [str(Path(sys.executable).with_name("observabilipy")), "logs", "observability.db", "--since", "1h"]
    logs = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True).stdout

    assert ("runs: 1\n" in first, second, logs.count("table read")) == (True, promised(script), 4)


def test_structlog_prints_its_own_lines_besides(tmp_path: Path) -> None:
    script = EXAMPLES / "structlog_example.py"
    lines = run(script, tmp_path).splitlines(keepends=True)

    own = [(event["event"], event["level"], "exception" in event) for event in map(json.loads, lines[:2])]
    assert (own, "".join(lines[2:])) == (
        [("order placed", "info", False), ("payment failed", "error", True)],
        promised(script),
    )


def test_the_script_with_core_alone_prints_metrics_and_logs(tmp_path: Path) -> None:
    lines = run(EXAMPLES / "script_example.py", tmp_path).splitlines(keepends=True)
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    text = "".join(line for line in lines if not line.startswith("{"))
    rows = {
        sample.labels["table"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "rows_total"
    }

    assert (rows, [(entry["message"], entry["attributes"]["rows"]) for entry in entries]) == (
        {"orders": 1200, "customers": 80},
        [("table read", 1200), ("table read", 80)],
    )
