"""How the benchmarks measure: CPU time, subjects that take turns in each round, medians, everything in one run."""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeAlias

__all__ = [
    "Burst",
    "Subject",
    "Taken",
    "Target",
    "heading",
    "measure",
    "median",
    "nothing",
    "ratio",
    "show_targets",
]

Burst: TypeAlias = Callable[[int], None]
"""Makes so many calls, in a loop of its own: a call of a benchmark around each of them would cost as much as ours."""

Taken: TypeAlias = Mapping[str, Sequence[float]]
"""Nanoseconds of CPU for one call, by subject and round."""


def nothing() -> None:
    """What a subject does that has nothing to do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that is measured; ``drain`` carries away what a burst left behind, ``settle`` comes before its turn."""

    name: str
    burst: Burst
    drain: Callable[[], object] = nothing
    settle: Callable[[], object] = nothing


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for what a subject takes, as a share of what another one takes in the same round."""

    subject: str
    peer: str
    at_most: float


def heading(*distributions: str) -> str:
    """What was measured on: Python, the machine, how busy it is, and versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in distributions)
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {load}\n{versions}".strip()


def measure(
    subjects: Sequence[Subject],
    *,
    rounds: int,
    calls: int,
    clock: Callable[[], int] = time.thread_time_ns,
    drained: bool = False,
) -> dict[str, list[float]]:
    """Let the subjects take turns; nanoseconds for one call by round.

    Args:
        subjects: each is warmed up by one burst that does not count.
        rounds: how often each has its turn.
        calls: of a burst.
        clock: gives nanoseconds; of this thread, or of the process.
        drained: the time that draining takes counts, too.
    """
    taken: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for subject in subjects:
        subject.burst(calls)
        subject.drain()
    for _ in range(rounds):
        for subject in subjects:
            subject.settle()
            gc.collect()
            started = clock()
            subject.burst(calls)
            spent = clock() - started
            if drained:
                subject.drain()
                spent = clock() - started
            else:
                subject.drain()
            taken[subject.name].append(spent / calls)
    return taken


def median(taken: Taken, name: str) -> float:
    """Of what a subject took."""
    return statistics.median(taken[name])


def ratio(taken: Taken, name: str, peer: str) -> float:
    """What a subject took as a share of what a peer took: the median over the rounds."""
    return statistics.median(ours / theirs for ours, theirs in zip(taken[name], taken[peer], strict=True))


def show_targets(taken: Taken, targets: Sequence[Target]) -> None:
    """Print which of the limits hold."""
    for target in targets:
        if target.subject in taken and target.peer in taken:
            found = ratio(taken, target.subject, target.peer)
            verdict = "met" if found <= target.at_most else "MISSED"
            print(f"{target.subject}: {found:.3f} of {target.peer}, at most {target.at_most:.2f}: {verdict}")
