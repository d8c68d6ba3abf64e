"""Every package's wheel and sdist, built once; and uv to install them with."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The environment of this run must not leak into the environments that these tests make.
OURS = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "PYTHONPATH")


@pytest.fixture(scope="session")
def uv() -> Callable[..., str]:
    """Run uv in the workspace, whose settings then hold. Gives what it printed; fails with what it complained about."""
    program = os.environ.get("UV") or shutil.which("uv")
    if program is None:
        pytest.fail("the packaging tests need uv: pip install uv")
    environment = {name: value for name, value in os.environ.items() if name not in OURS}

    def run(*arguments: str | Path) -> str:
        command = [program, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
        )
        if done.returncode:
            pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    return run


@pytest.fixture(scope="session")
def artefacts(uv: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that holds them all."""
    directory = tmp_path_factory.mktemp("artefacts")
    uv("build", "--all-packages", "--out-dir", directory)
    return directory


@pytest.fixture(scope="session")
def wheels(artefacts: Path) -> dict[str, Path]:
    """Wheels by package."""
    return {path.name.partition("-")[0].replace("_", "-"): path for path in artefacts.glob("*.whl")}


@pytest.fixture(scope="session")
def sdists(artefacts: Path) -> dict[str, Path]:
    """Sdists by package."""
    return {path.name.partition("-")[0].replace("_", "-"): path for path in artefacts.glob("*.tar.gz")}
