"""What ``import observabilipy`` costs: CPU time of a process of its own over that of a bare interpreter.

The processes take turns; the figures are medians of what one took more than the bare interpreter of its round. With
``-v``, the modules that cost most by ``-X importtime``.

Run it: uv run --group peers python -m benchmarks.importing [-v]
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import heading

ROUNDS = 15
AT_MOST_MS = 60.0
BARE, OURS = "a bare interpreter", "import observabilipy"

PROGRAMS = {
    BARE: "",
    OURS: OURS,
    "obs.info to memory://": (
        "from observabilipy import Observability\nwith Observability() as obs: obs.info('order placed', order=7)"
    ),
    "obs.info to SQLite": (
        "from observabilipy import Observability\n"
        "with Observability('sqlite:///import.db') as obs: obs.info('order placed', order=7)"
    ),
    "import logging": "import logging",
    "import logging, json, sqlite3, contextvars": "import logging, json, sqlite3, contextvars",
    "import pythonjsonlogger.json": "import pythonjsonlogger.json",
    "import structlog": "import structlog",
    "import loguru": "import loguru",
    "import OpenTelemetry's logs": "import opentelemetry.sdk._logs.export",
    "import prometheus_client": "import prometheus_client",
}


def environment(directory: str) -> dict[str, str]:
    """Bytecode is written at the first import and read from then on, wherever the sources lie."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(directory, "bytecode"))}


def milliseconds(program: str, directory: str) -> float:
    """CPU of a process that runs this: its own and the kernel's for it."""
    for left in Path(directory).glob("*.db*"):
        left.unlink()
    process = subprocess.Popen([sys.executable, "-c", program], cwd=directory, env=environment(directory))
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{program!r} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1000


def heavy_modules(program: str, directory: str, count: int) -> list[str]:
    """Lines of ``-X importtime``: the modules that took longest by themselves."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program],
        env=environment(directory),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.removeprefix("import time:") for line in done.stderr.splitlines()[1:]]
    return sorted(lines, key=lambda line: -int(line.partition("|")[0]))[:count]


def main() -> None:
    """Print the table."""
    print(heading("structlog", "python-json-logger", "loguru", "opentelemetry-sdk", "prometheus-client"))
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with TemporaryDirectory() as directory:
        for program in PROGRAMS.values():
            milliseconds(program, directory)
        for _ in range(ROUNDS):
            for name, program in PROGRAMS.items():
                taken[name].append(milliseconds(program, directory))
        heavy = heavy_modules(OURS, directory, 30) if "-v" in sys.argv else []
    over = {
        name: statistics.median(it - bare for it, bare in zip(times, taken[BARE], strict=True))
        for name, times in taken.items()
    }
    print(f"\n{'a process of its own, CPU':48}{'ms':>8}{'over bare':>11}")
    for name, times in taken.items():
        print(f"{name:48}{statistics.median(times):8.1f}{over[name]:11.1f}")
    verdict = "met" if over[OURS] <= AT_MOST_MS else "MISSED"
    print(f"{OURS}: {over[OURS]:.1f} ms, at most {AT_MOST_MS:.0f} ms: {verdict}")
    if heavy:
        print("self [us] | cumulative | imported package", *heavy, sep="\n")


if __name__ == "__main__":
    main()
