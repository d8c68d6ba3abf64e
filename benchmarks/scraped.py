"""What the benchmark of scrapes scrapes: the same series for prometheus_client and for ours, in one process or many.

Run by ``benchmarks.scraping``, once for all workers of a file: ours or theirs, the kind, how many, the directory.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram

from observabilipy import Family, HistogramValue, MetricKind, Observability, counter, histogram
from observabilipy.models import MetricSample
from observabilipy.ports import MetricsStoragePort

__all__ = ["KINDS", "fill_ours", "fill_theirs"]

Shape: TypeAlias = tuple[int, int]
"""Families, and series of each."""

KINDS: Mapping[str, tuple[Shape, Shape]] = {
    "100,000 lines of counters": ((100, 1_000), (0, 0)),
    "100,000 lines of histograms": ((0, 0), (7, 840)),
    "mixed": ((20, 1_000), (2, 500)),
    "small": ((1, 1_000), (0, 0)),
}
"""Counters and histograms."""

COUNTER_LABELS, HISTOGRAM_LABELS = ("method", "route", "status"), ("method", "route")
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
OBSERVED = (0.003, 0.03, 0.3, 3.0)
HELP = "What the service has handled since it began."


def counters(kind: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Names, and label values of each series."""
    families, series = KINDS[kind][0]
    for family in range(families):
        yield f"app_requests_{family}", [("GET", f"/api/v1/items/{row}/{{id}}", "200") for row in range(series)]


def histograms(kind: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Names, and label values of each series."""
    families, series = KINDS[kind][1]
    for family in range(families):
        yield f"app_latency_{family}_seconds", [("GET", f"/api/v1/items/{row}/{{id}}") for row in range(series)]


def fill_theirs(registry: CollectorRegistry, kind: str) -> None:
    """Count with prometheus_client."""
    for name, rows in counters(kind):
        theirs = Counter(name, HELP, COUNTER_LABELS, registry=registry)
        for number, row in enumerate(rows):
            theirs.labels(*row).inc(number * 3 + 1)
    for name, times in histograms(kind):
        latency = Histogram(name, HELP, HISTOGRAM_LABELS, registry=registry, buckets=BOUNDS)
        for pair in times:
            for value in OBSERVED:
                latency.labels(*pair).observe(value)


async def fill_ours(storage: MetricsStoragePort, kind: str) -> None:
    """Report the same to a storage."""
    samples: list[MetricSample] = []
    for name, rows in counters(kind):
        await storage.register([Family(f"{name}_total", MetricKind.COUNTER, HELP)])
        samples += [
            counter(f"{name}_total", number * 3 + 1, labels=dict(zip(COUNTER_LABELS, row, strict=True)))
            for number, row in enumerate(rows)
        ]
    for name, times in histograms(kind):
        await storage.register([Family(name, MetricKind.HISTOGRAM, HELP, "seconds", bounds=BOUNDS)])
        value = HistogramValue.of(BOUNDS, OBSERVED)
        samples += [histogram(name, value, labels=dict(zip(HISTOGRAM_LABELS, pair, strict=True))) for pair in times]
    await storage.write_samples(samples)


def count_ours(obs: Observability, kind: str) -> None:
    """Count with the instruments of a worker."""
    for name, rows in counters(kind):
        ours = obs.counter(f"{name}_total", HELP, labels=COUNTER_LABELS)
        for number, row in enumerate(rows):
            ours.labels(*row).inc(number * 3 + 1)
    for name, times in histograms(kind):
        latency = obs.histogram(name, HELP, labels=HISTOGRAM_LABELS, unit="seconds", buckets=BOUNDS)
        for pair in times:
            for value in OBSERVED:
                latency.labels(*pair).observe(value)


def main() -> None:
    """Fork the workers, one after the other. None of them ends in good order."""
    who, kind, workers, directory = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            if who == "theirs":
                fill_theirs(CollectorRegistry(), kind)
            else:
                obs = Observability(f"sqlite:///{directory}/ours/obs.db", auth="public", handle_sigterm=False)
                count_ours(obs, kind)
                obs.flush()
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            raise SystemExit("a worker failed")


if __name__ == "__main__":
    main()
