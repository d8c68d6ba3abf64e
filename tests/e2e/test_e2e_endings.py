"""Every way in which a process can end, and what the log then holds: ``benchmarks/endings.py`` for ours alone."""

import os
from pathlib import Path

import pytest
from benchmarks.ending_program import ENDINGS, FORKS, LINES, OURS_CRASH, OURS_MEMORY
from benchmarks.endings import ORDERLY, Outcome, hung_children, outcome

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")]


@pytest.mark.parametrize("ending", ORDERLY)
def test_an_orderly_ending_loses_nothing(tmp_path: Path, ending: str) -> None:
    assert outcome(OURS_MEMORY, ending, tmp_path) == Outcome(LINES, LINES), (tmp_path / "errors").read_text()


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_ending_loses_or_repeats_what_survives_a_crash(tmp_path: Path, ending: str) -> None:
    assert outcome(OURS_CRASH, ending, tmp_path) == Outcome(LINES, LINES), (tmp_path / "errors").read_text()


@pytest.mark.parametrize("ours", [OURS_MEMORY, OURS_CRASH])
def test_no_child_hangs_that_is_forked_while_threads_log(tmp_path: Path, ours: str) -> None:
    assert hung_children(ours, tmp_path) == (0, FORKS), (tmp_path / "errors").read_text()
