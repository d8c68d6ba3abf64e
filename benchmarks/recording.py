"""What counting costs the caller, beside its peers, and what a series costs in memory.

Each round is a process of its own, one with prometheus_client as it is and one with its multiprocess mode, which an
environment variable chooses at import. Within a process the subjects take turns. OpenTelemetry's instruments are those
of its SDK with a reader in memory.

Run it: uv run --group peers python -m benchmarks.recording
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.measure import Burst, Subject, heading, measure

PROCESSES = 4
ROUNDS = 12
CALLS = 4_000
CHILDREN = 10_000
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 60)  # ours; 15, as theirs get
FILES = "PROMETHEUS_MULTIPROC_DIR"

CALLS_OF = {
    "inc()": "counter.inc()",
    "inc(2.5)": "bytes.inc(2.5)",
    "labels(a, b, c).inc()": "labelled.labels('a', 'b', 'c').inc()",
    "labels(x=a, y=b, z=c).inc()": "labelled.labels(x='a', y='b', z='c').inc()",
    "set(4.5)": "gauge.set(4.5)",
    "set(4)": "gauge.set(4)",
    "observe(0.3)": "histogram.observe(0.3)",
    "labels(a, b, c).observe(0.3)": "measured.labels('a', 'b', 'c').observe(0.3)",
    "with time():": "\n  with histogram.time(): pass",
    "inc(1, exemplar)": "traced.inc(1, {'trace_id': '4bf92f3577b34da6a3ce929d0e0e4736'})",
}
OTEL_CALLS_OF = {
    "inc()": "counter.add(1)",
    "labels(a, b, c).inc()": "counter.add(1, {'x': 'a', 'y': 'b', 'z': 'c'})",
    "set(4.5)": "gauge.set(4.5)",
    "observe(0.3)": "histogram.record(0.3)",
    "labels(a, b, c).observe(0.3)": "histogram.record(0.3, {'x': 'a', 'y': 'b', 'z': 'c'})",
}
AT_LEAST: dict[str, dict[str, float]] = {
    "prometheus": {
        "inc()": 5,
        "labels(a, b, c).inc()": 7,
        "observe(0.3)": 5,
        "set(4.5)": 7,
        "with time():": 2.5,
    },
    "multiprocess": {"inc()": 12, "labels(a, b, c).inc()": 10, "observe(0.3)": 10, "set(4.5)": 25},
}


def burst(call: str, names: dict[str, Any]) -> Burst:
    """So many calls, ten in each turn of the loop, so that the loop costs next to nothing."""
    body = "\n".join(f"  {call}" for _ in range(10))
    namespace = dict(names)
    exec(f"def burst(calls):\n for _ in range(calls // 10):\n{body}\n", namespace)
    made: Burst = namespace["burst"]
    return made


def ours() -> dict[str, Any]:
    """Our instruments, in a process whose runtime has begun."""
    from observabilipy import Observability

    obs = Observability("memory://", flush_interval=3600, handle_sigterm=False)
    labels = ("x", "y", "z")
    made = {
        "obs": obs,
        "counter": obs.counter("a_total", "A."),
        "bytes": obs.counter("f_total", "F."),  # of floats: what is whole stays an int in ours
        "traced": obs.counter("g_total", "G."),
        "labelled": obs.counter("b_total", "B.", labels=labels),
        "gauge": obs.gauge("c", "C."),
        "histogram": obs.histogram("d_seconds", "D.", unit="seconds", buckets=BOUNDS),
        "measured": obs.histogram("e_seconds", "E.", unit="seconds", labels=labels, buckets=BOUNDS),
    }
    obs.flush()
    return made


def theirs() -> dict[str, Any]:
    """Those of prometheus_client, in the mode that the environment chose."""
    import prometheus_client as client

    registry = client.CollectorRegistry()
    labels = ("x", "y", "z")
    gauge_mode: dict[str, Any] = {"multiprocess_mode": "mostrecent"} if FILES in os.environ else {}
    return {
        "counter": client.Counter("a", "A.", registry=registry),
        "bytes": client.Counter("f", "F.", registry=registry),
        "traced": client.Counter("g", "G.", registry=registry),
        "labelled": client.Counter("b", "B.", labels, registry=registry),
        "gauge": client.Gauge("c", "C.", registry=registry, **gauge_mode),
        "histogram": client.Histogram("d_seconds", "D.", registry=registry, buckets=BOUNDS),
        "measured": client.Histogram("e_seconds", "E.", labels, registry=registry, buckets=BOUNDS),
    }


def opentelemetry() -> dict[str, Any]:
    """Those of OpenTelemetry."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")
    return {
        "counter": meter.create_counter("a"),
        "gauge": meter.create_gauge("c"),
        "histogram": meter.create_histogram("d", explicit_bucket_boundaries_advisory=BOUNDS),
    }


def calls() -> None:
    """One process: print what was taken, as JSON."""
    instruments = ours()
    multiprocess = FILES in os.environ
    peers: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
        "ours": (CALLS_OF, instruments),
        "multiprocess" if multiprocess else "prometheus": (CALLS_OF, theirs()),
    }
    if not multiprocess:
        peers["opentelemetry"] = (OTEL_CALLS_OF, opentelemetry())
    subjects = [
        Subject(f"{peer}|{name}", burst(known[name], names))
        for name in CALLS_OF
        for peer, (known, names) in peers.items()
        if name in known and not (multiprocess and "exemplar" in name and peer != "ours")
    ]
    print(json.dumps(measure(subjects, rounds=ROUNDS, calls=CALLS)))
    instruments["obs"].close()


def memory() -> None:
    """One process: bytes of a series, counted once, before it was ever collected."""
    import prometheus_client as client

    from observabilipy import Observability

    obs = Observability("memory://", flush_interval=3600, handle_sigterm=False)
    obs.counter("begun_total", "B.").inc()
    limit = 2 * CHILDREN
    registry = client.CollectorRegistry()
    our_counter = obs.counter("a_total", "A.", labels=("x",), series_limit=limit)
    our_histogram = obs.histogram("d_seconds", "D.", labels=("x",), buckets=BOUNDS, series_limit=limit)
    their_counter = client.Counter("a", "A.", ("x",), registry=registry)
    their_histogram = client.Histogram("d_seconds", "D.", ("x",), registry=registry, buckets=BOUNDS)
    many: dict[str, Callable[[str], object]] = {
        "ours|counter": lambda value: our_counter.labels(value).inc(),
        "prometheus|counter": lambda value: their_counter.labels(value).inc(),
        "ours|histogram": lambda value: our_histogram.labels(value).observe(0.3),
        "prometheus|histogram": lambda value: their_histogram.labels(value).observe(0.3),
    }
    found = {}
    tracemalloc.start()
    for name, count in many.items():
        count("first")
        before, _ = tracemalloc.get_traced_memory()
        for number in range(CHILDREN):
            count(f"value {number}")
        found[name] = (tracemalloc.get_traced_memory()[0] - before) / CHILDREN
    tracemalloc.stop()
    print(json.dumps(found))
    obs.close()


def collecting() -> None:
    """One process: milliseconds of CPU for a look at so many series, idle and all changed."""
    from observabilipy.instruments import Registry

    registries: dict[str, tuple[Registry, Callable[[int], object]]] = {}
    labels = [str(number) for number in range(CHILDREN)]
    for kind in ("counter", "gauge", "histogram"):
        registry = Registry()
        name = f"a{'_total' * (kind == 'counter')}"
        family: Any = getattr(registry, kind)(name, "A.", ("x",), series_limit=CHILDREN)
        children = [family.labels(label) for label in labels]
        method = {"counter": "inc", "gauge": "set", "histogram": "observe"}[kind]
        registries[kind] = registry, partial(change_all, [getattr(child, method) for child in children])
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for kind, (registry, change) in registries.items():
            change(1)
            for state in ("all changed", "idle"):
                started = time.process_time_ns()
                collection = registry.collect(1.0)
                found.setdefault(f"{kind}s, {state}", []).append((time.process_time_ns() - started) / 1e6)
                collection.confirm()
                del collection  # not in the time of the next one
    print(json.dumps(found))


def change_all(records: list[Callable[[float], object]], value: float) -> None:
    """Record once in every series."""
    for record in records:
        record(value)


def run(part: str, *, multiprocess: bool = False) -> dict[str, Any]:  # Any: what that part prints
    """What a part prints in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, **({FILES: directory} if multiprocess else {})}
        command = [sys.executable, "-m", "benchmarks.recording", part]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the tables."""
    single: dict[str, list[float]] = {}
    several: dict[str, list[float]] = {}
    for _ in range(PROCESSES):
        for taken, multiprocess in ((single, False), (several, True)):
            for subject, times in run("calls", multiprocess=multiprocess).items():
                taken.setdefault(subject, []).extend(times)
    print(heading("prometheus_client", "opentelemetry-sdk"))
    print(f"\n{'one call, CPU of the caller':30}{'ours ns':>9}", end="")
    peers = {"prometheus": single, "multiprocess": several, "opentelemetry": single}
    print("".join(f"{f'{peer} ns':>20}{'/ ours':>8}" for peer in peers))
    ratios: dict[tuple[str, str], float] = {}
    for name in CALLS_OF:
        print(f"{name:30}{statistics.median(single[f'ours|{name}']):9.0f}", end="")
        for peer, taken in peers.items():
            theirs_took = taken.get(f"{peer}|{name}")
            if theirs_took is None:
                print(f"{'':28}", end="")
                continue
            pairs = zip(theirs_took, taken[f"ours|{name}"], strict=True)
            ratios[peer, name] = statistics.median(their / our for their, our in pairs)
            print(f"{statistics.median(theirs_took):20.0f}{ratios[peer, name]:8.1f}", end="")
        print()
    for peer, wanted in AT_LEAST.items():
        for name, least in wanted.items():
            verdict = "met" if ratios[peer, name] >= least else "MISSED"
            print(f"{name}: {ratios[peer, name]:.1f} times faster than {peer}, at least {least}: {verdict}")
    sizes = run("memory")
    print(f"\n{'bytes of one labelled series':30}{'ours':>9}{'prometheus':>20}")
    for kind, at_most in (("counter", 1 / 2), ("histogram", 1 / 4)):
        our, their = sizes[f"ours|{kind}"], sizes[f"prometheus|{kind}"]
        print(f"{kind:30}{our:9.0f}{their:20.0f}")
        verdict = "met" if our / their <= at_most else "MISSED"
        print(f"{kind}: {our / their:.2f} of prometheus, at most {at_most:.2f}: {verdict}")
    print(f"\n{f'looking at {CHILDREN:,} series, CPU':40}{'ms':>8}")
    for name, milliseconds in run("collecting").items():
        print(f"{name:40}{statistics.median(milliseconds):8.2f}")


if __name__ == "__main__":
    {"calls": calls, "memory": memory, "collecting": collecting}[sys.argv[1]]() if sys.argv[1:] else main()
