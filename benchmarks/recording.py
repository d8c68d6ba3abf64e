"""What recording costs the caller, beside its peers: CPU time, interleaved, medians, one run.

Run it: uv run python benchmarks/recording.py
"""

import gc
import io
import logging
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import prometheus_client

from observabilipy import Observability

ROUNDS = 15
CALLS = 5_000


def nanoseconds(call: Callable[[], object]) -> float:
    """CPU nanoseconds of this thread for one call."""
    started = time.thread_time_ns()
    for _ in range(CALLS):
        call()
    return (time.thread_time_ns() - started) / CALLS


def stdlib_logger() -> logging.Logger:
    """Text logging into a stream that keeps nothing."""
    logger = logging.Logger("bench")
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.stream.write = len  # type: ignore[method-assign]  # a null stream
    logger.addHandler(handler)
    return logger


def main() -> None:
    """Print the table."""
    obs = Observability("memory://", flush_interval=3600, handle_sigterm=False)
    registry = prometheus_client.CollectorRegistry()
    ours = obs.counter("a_total", "A."), obs.counter("b_total", "B.", labels=("x", "y"))
    theirs = (
        prometheus_client.Counter("a", "A.", registry=registry),
        prometheus_client.Counter("b", "B.", ["x", "y"], registry=registry),
    )
    our_time = obs.histogram("c_seconds", "C.", unit="seconds")
    their_time = prometheus_client.Histogram("c_seconds", "C.", registry=registry)
    text = stdlib_logger()
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "inc()": (ours[0].inc, theirs[0].inc),
        "labels(a, b).inc()": (lambda: ours[1].labels("a", "b").inc(), lambda: theirs[1].labels("a", "b").inc()),
        "observe(0.3)": (lambda: our_time.observe(0.3), lambda: their_time.observe(0.3)),
        "info(message, 4 values)": (
            lambda: obs.info("order placed", tier="gold", cents=1999, ok=True, ratio=0.5),
            lambda: text.info("order placed %s %d %s %f", "gold", 1999, True, 0.5),
        ),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in pairs}
    for _ in range(ROUNDS):
        for name, (our, their) in pairs.items():
            gc.collect()
            taken[name].append((nanoseconds(our), nanoseconds(their)))
            obs.flush()
    obs.close()
    print(f"Python {platform.python_version()}, prometheus_client {version('prometheus_client')}, CPU ns per call")
    print(f"{'call':28}{'ours':>8}{'peer':>8}{'peer / ours':>13}")
    for name, times in taken.items():
        our_median, their_median = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(their / our for our, their in times)
        print(f"{name:28}{our_median:8.0f}{their_median:8.0f}{ratio:12.1f}x")


if __name__ == "__main__":
    main()
