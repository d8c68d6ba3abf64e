"""The process: its CPU time, memory and open files, under the names that Prometheus' client libraries use.

Source: Prometheus, "Writing client libraries", "Process metrics".
"""

from collections.abc import Callable
from typing import TypeAlias, cast

from observabilipy.collectors.marks import Followed, Growth
from observabilipy.collectors.reading import ProcessReading, ProcessSource
from observabilipy.instruments import Counter, Gauge, Registry
from observabilipy.models import Aggregate

__all__ = ["ProcessCollector"]

_Gauges: TypeAlias = tuple[tuple[str, str, str, Aggregate, Callable[[ProcessReading], float | None]], ...]

_GAUGES: _Gauges = (
    (
        "process_resident_memory_bytes",
        "Resident memory of the living workers, in bytes.",
        "bytes",
        "sum",
        lambda reading: reading.resident_bytes,
    ),
    (
        "process_virtual_memory_bytes",
        "Virtual memory of the living workers, in bytes.",
        "bytes",
        "sum",
        lambda reading: reading.virtual_bytes,
    ),
    ("process_open_fds", "Open file descriptors of the living workers.", "", "sum", lambda reading: reading.open_fds),
    (
        "process_max_fds",
        "File descriptors that a process may open, the lowest limit of the living workers.",
        "",
        "min",
        lambda reading: reading.max_fds,
    ),
    (
        "process_start_time_seconds",
        "When the oldest of the living workers began, in unix seconds.",
        "seconds",
        "min",
        lambda reading: reading.start_time,
    ),
)

_begun = False  # whether somebody counts the CPU time of this process from its beginning on


class ProcessCollector:
    """Follows this process. CPU time adds up over all workers there ever were, the gauges over those that live.

    The first one in a process counts the CPU time that it took to get here, further ones what is used from now on, so
    that a store that is closed and opened again gets nothing twice.

    Args:
        registry: where the instruments are.
        read: looks at the process.
    """

    def __init__(self, registry: Registry, read: Callable[[], ProcessReading] | None = None) -> None:
        global _begun  # noqa: PLW0603 - it is the process that has begun
        self._read = read or ProcessSource()
        since = self._read().cpu_seconds if _begun else 0.0
        _begun = True
        cpu = registry.counter(
            "process_cpu_seconds_total", "User and system CPU time of all workers, in seconds.", (), unit="seconds"
        )
        self._cpu = Growth(cast("Counter", cpu), since)
        self._gauges = [
            (Followed(cast("Gauge", registry.gauge(name, help_, (), unit=unit, aggregate=aggregate))), value_of)
            for name, help_, unit, aggregate, value_of in _GAUGES
        ]

    def look(self) -> None:
        """Read once and record."""
        reading = self._read()
        self._cpu.follow(reading.cpu_seconds)
        for gauge, value_of in self._gauges:
            gauge.follow(value_of(reading))

    def begin_anew(self) -> None:
        """In a forked child: its CPU time begins at 0."""
        self._cpu.begin_anew(0.0)
        for gauge, _ in self._gauges:
            gauge.begin_anew()
