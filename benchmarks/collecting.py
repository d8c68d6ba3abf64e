"""What the collectors cost: one look, a round between two looks, an idle service; and what the bridge does.

CPU time, subjects in turns, medians. The idle service is a process of its own on a SQLite file, with and without
collectors in turns; its CPU is what the kernel says it used between two moments, in which nobody asked for anything.

Run it: uv run --group peers python -m benchmarks.collecting [seconds]
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Burst, Subject, Target, heading, measure, median, show_targets
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from observabilipy.bridge import prometheus_client_families
from observabilipy.collectors import Collectors
from observabilipy.collectors.reading import ProcessSource
from observabilipy.encoding.exposition import encode_family
from observabilipy.instruments import Registry

ROUNDS = 15
CALLS = 500
SERIES = 200
IDLE_ROUNDS = 3
IDLE_SECONDS = 20.0
AT_MOST_IDLE = 0.001  # of a core, for an idle worker

OURS, THEIRS, READ, NOT_DUE = (
    "a look of all collectors",
    "prometheus_client's collectors",
    "reading /proc",
    "a round between two looks",
)
BRIDGED, GENERATED = "bridge and encoding", "generate_latest"
SINGLE_BRIDGED, SINGLE_GENERATED = f"the same, {SERIES} families", f"generate_latest, {SERIES} families"

IDLE = """
import sys, time
from observabilipy import Observability
obs = Observability(sys.argv[1], collectors=eval(sys.argv[2]))
obs.info("idle from now on")
time.sleep(1)
print("ready", flush=True)
time.sleep(3600)
"""


def subjects() -> list[Subject]:
    """A loop of its own for each."""
    registry = Registry()
    collectors = Collectors(
        ("process", "python", "library"), registry, commits=lambda: [0.002] * 5, waiting=lambda: 0, interval=5.0
    )
    theirs = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=theirs)
    source = ProcessSource()

    def looks(count: int) -> None:
        for _ in range(count):
            collectors.look(asked=False, last=True)

    def collects(count: int) -> None:
        for _ in range(count):
            list(theirs.collect())

    def reads(count: int) -> None:
        for _ in range(count):
            source()

    def rounds(count: int) -> None:
        for _ in range(count):
            collectors.look(asked=False)

    return [
        Subject(OURS, looks, lambda: registry.collect(1.0).confirm()),
        Subject(THEIRS, collects),
        Subject(READ, reads),
        Subject(NOT_DUE, rounds),
    ]


def scrapes() -> list[Subject]:
    """A body in Prometheus text of what prometheus_client counts: through the bridge, and by itself."""
    few, many = CollectorRegistry(), CollectorRegistry()
    jobs = Counter("jobs", "Jobs.", ["kind", "number"], registry=few)
    took = Histogram("took_seconds", "Time.", ["kind", "number"], registry=few)
    for number in range(SERIES):
        jobs.labels("a", str(number)).inc()
        took.labels("a", str(number)).observe(0.2)
        Counter(f"jobs_{number}", "Jobs.", registry=many).inc()

    def bridged(registry: CollectorRegistry) -> Burst:
        families = prometheus_client_families(registry)

        def burst(count: int) -> None:
            for _ in range(count):
                b"".join([encode_family(family) for family in families()])

        return burst

    def generated(registry: CollectorRegistry) -> Burst:
        def burst(count: int) -> None:
            for _ in range(count):
                generate_latest(registry)

        return burst

    return [
        Subject(BRIDGED, bridged(few)),
        Subject(GENERATED, generated(few)),
        Subject(SINGLE_BRIDGED, bridged(many)),
        Subject(SINGLE_GENERATED, generated(many)),
    ]


def idle_share(collectors: str, seconds: float) -> float:
    """Of a core, what a service takes that is asked for nothing."""
    with TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory, 'idle.db')}"
        process = subprocess.Popen([sys.executable, "-c", IDLE, url, collectors], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        before, began = _cpu_seconds(process.pid), time.monotonic()
        time.sleep(seconds)
        share = (_cpu_seconds(process.pid) - before) / (time.monotonic() - began)
        process.kill()
        process.wait()
        process.stdout.close()
        return share


def _cpu_seconds(pid: int) -> float:
    # Nanoseconds on a core; /proc/PID/stat counts in hundredths of a second, too coarse for an idle process.
    return sum(
        int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def main() -> None:
    """Print the table."""
    print(heading("observabilipy-core", "prometheus-client"))
    taken = measure(subjects(), rounds=ROUNDS, calls=CALLS)
    taken |= measure(scrapes(), rounds=ROUNDS, calls=3)
    for name in taken:
        print(f"{name:40}{median(taken, name) / 1000:10.2f} us")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else IDLE_SECONDS
    shares: dict[str, list[float]] = {"()": [], "('process', 'python', 'library')": []}
    if os.path.exists("/proc/self/schedstat"):  # noqa: PTH110 - Linux
        for _ in range(IDLE_ROUNDS):
            for collectors, found in shares.items():
                found.append(idle_share(collectors, seconds))
        for collectors, found in shares.items():
            print(f"idle, {f'collectors={collectors}':50}{statistics.median(found) * 1e6:8.0f} us of CPU a second")
        without, having = (statistics.median(found) for found in shares.values())
        verdict = "met" if having - without <= AT_MOST_IDLE else "MISSED"
        print(f"an idle worker takes {having - without:.5f} of a core more, at most {AT_MOST_IDLE}: {verdict}")
    show_targets(taken, [Target(OURS, THEIRS, 1.0), Target(BRIDGED, GENERATED, 1.0)])


if __name__ == "__main__":
    main()
