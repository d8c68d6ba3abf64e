"""The packages as users install them: in environments that hold nothing else."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

pytestmark = pytest.mark.packaging

Uv = Callable[..., str]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LATER = "0.99.0"
"""A version that the packages of this release say they work with, and that is none of theirs."""

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


def installed(uv: Uv, bin_directory: Path) -> dict[str, str]:
    """Versions by name."""
    listed = json.loads(uv("pip", "list", "--format", "json", "--python", bin_directory / "python"))
    return {package["name"]: package["version"] for package in listed}


def later_release(uv: Uv, package: str, directory: Path) -> Path:
    """The wheel of a package as it is here, under a later version."""
    source = directory / package
    shutil.copytree(ROOT / "packages" / package, source, ignore=shutil.ignore_patterns("__pycache__"))
    project = source / "pyproject.toml"
    text, changed = re.subn(
        r'^version = ".*"$', f'version = "{LATER}"', project.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert changed == 1
    project.write_text(text, encoding="utf-8")
    uv("build", "--wheel", "--out-dir", directory / "later", source)
    [wheel] = (directory / "later").glob(f"{package.replace('-', '_')}-*.whl")
    return wheel


def output_of(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def core_alone(uv: Uv, wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("environments") / "core"
    return new_environment(uv, directory, "--no-index", wheels["observabilipy-core"])


def test_core_installs_without_an_index_and_brings_nothing_else(uv: Uv, core_alone: Path) -> None:
    assert installed(uv, core_alone).keys() == {"observabilipy-core"}


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


ADAPTERS = ("observabilipy_asgi", "observabilipy_django", "observabilipy_fastapi", "observabilipy_wsgi.flask")


def environment_of(uv: Uv, directory: Path, wheels: Iterable[Path], *requirements: str) -> Path:
    """A virtual environment with these requirements, ours from these wheels and from nowhere else."""
    directory.mkdir()
    # A constraint installs nothing by itself: somebody must ask. Its address keeps out what an index may have.
    constraints = directory / "constraints.txt"
    lines = [f"{wheel.name.partition('-')[0].replace('_', '-')} @ {wheel.as_uri()}\n" for wheel in wheels]
    constraints.write_text("".join(lines), encoding="utf-8")
    return new_environment(uv, directory / "environment", "--constraints", constraints, *requirements)


def imported(commands: Path, *names: str) -> list[str]:
    """Import these; gives the names that they have."""
    program = f"import {', '.join(names)}; print({', '.join(f'{name}.__name__' for name in names)})"
    return output_of(commands / "python", "-I", "-c", program).split()


def test_the_extras_of_core_bring_the_siblings_from_the_same_build(
    uv: Uv, wheels: Mapping[str, Path], tmp_path: Path
) -> None:
    commands = environment_of(uv, tmp_path / "all", wheels.values(), "observabilipy-core[all,flask]")
    names = ("observabilipy", "observabilipy_sqlite", *ADAPTERS)

    assert imported(commands, *names) == list(names)


def test_core_with_sqlite_and_fastapi_serves_a_request(uv: Uv, wheels: Mapping[str, Path], tmp_path: Path) -> None:
    commands = environment_of(uv, tmp_path / "served", wheels.values(), "observabilipy-core[sqlite,fastapi]", "uvicorn")
    (tmp_path / "shop.py").write_text((EXAMPLES / "fastapi_example.py").read_text(encoding="utf-8"), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:  # uvicorn takes it over, and listens at its port
        server = subprocess.Popen(
            [commands / "uvicorn", "--fd", str(listener.fileno()), "shop:app"],
            cwd=tmp_path,
            env={**os.environ, "OBSERVABILIPY_TOKEN": "letmein"},
            stderr=subprocess.PIPE,
            pass_fds=[listener.fileno()],
        )
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with urlopen(Request(f"{address}/orders/gold", method="POST"), timeout=60) as answer:
                status = answer.status
            asked = Request(f"{address}/metrics", headers={"Authorization": "Bearer letmein"})
            with urlopen(asked, timeout=60) as answer:
                metrics = answer.read().decode()
        finally:
            server.terminate()
            _, errors = server.communicate(timeout=60)

    assert (status, 'orders_total{tier="gold"} 1' in metrics, b"Traceback" in errors) == (200, True, False)


@pytest.mark.parametrize("later", ["core", "adapters"])
def test_packages_of_a_later_release_go_with_those_of_this_one(
    uv: Uv, wheels: Mapping[str, Path], tmp_path: Path, later: str
) -> None:
    chosen = {name for name in wheels if (name == "observabilipy-core") == (later == "core")}
    released = [later_release(uv, name, tmp_path) if name in chosen else wheel for name, wheel in wheels.items()]
    commands = environment_of(uv, tmp_path / "mixed", released, "observabilipy-core[all,flask]")
    versions = {name: version for name, version in installed(uv, commands).items() if name in wheels}

    assert {name for name, version in versions.items() if version == LATER} == chosen
    assert imported(commands, "observabilipy_sqlite", *ADAPTERS) == ["observabilipy_sqlite", *ADAPTERS]
    assert 'orders_total{tier="gold"} 3' in output_of(commands / "python", "-I", "-c", SCRIPT)


def test_without_an_adapter_the_others_still_import(uv: Uv, wheels: Mapping[str, Path], tmp_path: Path) -> None:
    commands = environment_of(uv, tmp_path / "some", wheels.values(), "observabilipy-core[all,flask]")
    uv("pip", "uninstall", "--python", commands / "python", "observabilipy-django")
    rest = [name for name in ADAPTERS if "django" not in name]

    assert imported(commands, *rest) == rest
    assert 'orders_total{tier="gold"} 3' in output_of(commands / "python", "-I", "-c", SCRIPT)
    assert "observabilipy-django" not in installed(uv, commands)
