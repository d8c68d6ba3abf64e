"""What the command takes for a long log: CPU time and peak memory of the process, for a short log and a long one.

A log that is twenty times as long must not take more memory: lines are read, and printed, a piece at a time.

Run it: uv run python -m benchmarks.command
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import heading

SHORT, LONG = 50_000, 1_000_000
AT_MOST = 1.25  # of the memory for the short log
COMMANDS = ("import", "export", "logs -n 10", "logs -q nothing", "doctor")


def write_lines(file: Path, count: int) -> None:
    """Entries as another logger writes them, a hundred a second."""
    with file.open("w", encoding="utf-8") as lines:
        for number in range(count):
            moment = 1_763_826_000 + number / 100
            fields = {"ts": moment, "level": "info", "msg": f"request {number} done", "ms": number % 300}
            lines.write(json.dumps(fields | {"path": f"/orders/{number % 977}"}) + "\n")


def taken(command: str, database: Path, lines: Path) -> tuple[float, float]:
    """Seconds of CPU and megabytes at most of one command."""
    verb, *options = command.split()
    arguments = [verb, str(database), *([str(lines)] if verb == "import" else options)]
    process = subprocess.Popen([sys.executable, "-m", "observabilipy", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with exit code {process.returncode}")
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def main() -> None:
    """Measure and print."""
    print(heading("observabilipy-core", "observabilipy-sqlite"))
    print(f"CPU time and peak memory of a process, logs of {SHORT:,} and of {LONG:,} entries\n")
    print("| observabilipy | CPU s, short | MB, short | CPU s, long | MB, long | memory |")
    print("|---|---:|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as directory:
        logs = {}
        for count in (SHORT, LONG):
            logs[count] = Path(directory) / f"{count}.db", Path(directory) / f"{count}.ndjson"
            write_lines(logs[count][1], count)
        for command in COMMANDS:
            short_cpu, short_memory = taken(command, *logs[SHORT])
            long_cpu, long_memory = taken(command, *logs[LONG])
            share = long_memory / short_memory
            verdict = f"x{share:.2f}, at most x{AT_MOST}: {'met' if share <= AT_MOST else 'MISSED'}"
            numbers = f"{short_cpu:.2f} | {short_memory:.0f} | {long_cpu:.2f} | {long_memory:.0f}"
            print(f"| `{command}` | {numbers} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
