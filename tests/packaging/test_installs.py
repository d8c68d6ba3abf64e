"""The packages as users install them: in environments that hold nothing else."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

Uv = Callable[..., str]

# A script on core alone: counts, logs, and prints both.
SCRIPT = """
import asyncio

from observabilipy import LogQuery, Observability, encode_logs, encode_metrics


async def tell(obs):
    for chunks in (encode_metrics(obs.storage.totals()), encode_logs(obs.storage.read_logs(LogQuery()))):
        async for chunk in chunks:
            print(chunk.decode(), end="")


with Observability("memory://") as obs:
    orders = obs.counter("orders_total", "Orders placed.", labels=("tier",))
    orders.labels("gold").inc()
    orders.labels("gold").inc(2)
    obs.info("order placed", cents=1999)
    obs.flush()
    asyncio.run(tell(obs))
"""


def new_environment(uv: Uv, directory: Path, *installs: str | Path) -> Path:
    """A virtual environment with these installed; gives the directory of its commands."""
    uv("venv", "--python", sys.executable, directory)
    bin_directory = directory / "bin"
    uv("pip", "install", "--python", bin_directory / "python", *installs)
    return bin_directory


def installed(uv: Uv, bin_directory: Path) -> set[str]:
    listed = json.loads(uv("pip", "list", "--format", "json", "--python", bin_directory / "python"))
    return {package["name"] for package in listed}


def output_of(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def core_alone(uv: Uv, wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("environments") / "core"
    return new_environment(uv, directory, "--no-index", wheels["observabilipy-core"])


def test_core_installs_without_an_index_and_brings_nothing_else(uv: Uv, core_alone: Path) -> None:
    assert installed(uv, core_alone) == {"observabilipy-core"}


def test_core_alone_imports(core_alone: Path) -> None:
    program = "import observabilipy; print(observabilipy.__name__)"

    assert output_of(core_alone / "python", "-I", "-c", program) == "observabilipy\n"


def test_core_alone_brings_the_command(core_alone: Path) -> None:
    assert "usage: observabilipy" in output_of(core_alone / "observabilipy", "--help")


def test_a_script_on_core_alone_counts_and_logs(core_alone: Path) -> None:
    lines = output_of(core_alone / "python", "-I", "-c", SCRIPT).splitlines()
    entry = json.loads(lines[-1])

    assert 'orders_total{tier="gold"} 3' in lines
    assert (entry["level"], entry["message"], entry["attributes"]) == ("INFO", "order placed", {"cents": 1999})


def test_the_extras_of_core_bring_the_siblings_from_the_same_build(
    uv: Uv, wheels: Mapping[str, Path], artefacts: Path, tmp_path: Path
) -> None:
    # A constraint installs nothing by itself: the extras must ask. Its address keeps out what an index may have.
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("".join(f"{name} @ {path.as_uri()}\n" for name, path in wheels.items()), encoding="utf-8")
    commands = new_environment(
        uv,
        tmp_path / "extras",
        "--constraints",
        constraints,
        "--find-links",
        artefacts,
        "observabilipy-core[all,flask]",
    )
    adapters = ("asgi", "fastapi", "django.middleware", "wsgi.flask")
    names = ("observabilipy", "observabilipy_sqlite", *(f"observabilipy_{adapter}" for adapter in adapters))
    program = f"import {', '.join(names)}; print({', '.join(f'{name}.__name__' for name in names)})"

    assert output_of(commands / "python", "-I", "-c", program).split() == list(names)
