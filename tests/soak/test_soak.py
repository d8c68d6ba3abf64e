"""The soaks, for some seconds each; README.md says how to run the long ones."""

import subprocess
import sys

import pytest
from tests.soak.batches import ROOT

pytestmark = pytest.mark.soak

SHORT = [
    ["tests.soak.writers", "--seconds", "4"],
    ["tests.soak.writers", "--seconds", "3", "--saturating"],
    ["tests.soak.tail", "--seconds", "3"],
    ["tests.soak.kills", "--rounds", "4"],
]


@pytest.mark.parametrize("command", SHORT, ids=" ".join)
def test_a_soak_keeps_its_promises(command: list[str]) -> None:
    soak = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    print(soak.stdout, soak.stderr, sep="\n")

    assert (soak.returncode, soak.stderr) == (0, "")
