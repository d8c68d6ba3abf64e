"""What a log entry costs the whole process, from the call until it is where it stays, beside the other libraries.

CPU time of the process, all its threads and the kernel's work for it: for ours until SQLite has committed, for the
others until a null stream got the line. What a library does in a thread counts, as draining waits for it. SQLite packs
later what was committed: a line of its own has that, too; of the others it is done between the turns.

Run it: uv run --group peers python -m benchmarks.pipeline
"""

import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.capture import native, through_logging
from benchmarks.measure import Subject, Target, heading, measure, median, nothing, ratio, show_targets
from benchmarks.ours import maintained, opened, stored, unattended
from benchmarks.peers import LIBRARIES, Library, Sink, opentelemetry_batch

from observabilipy import Observability

ROUNDS = 15
CALLS = 5_000  # our buffer holds 10,000

TEXT = "stdlib text"
SQLITE = "ours to SQLite"
PACKED = "ours to SQLite, and packed"
LOGGED = "ours to SQLite, by logging with extra"
TARGETS = (Target(SQLITE, TEXT, 0.40),)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened_here:
        print(heading("structlog", "orjson", "python-json-logger", "loguru", "opentelemetry-sdk"))
        stores = {"ours to memory": Observability(handle_sigterm=False)}
        stores[SQLITE] = opened(Path(directory, "memory.db"))
        stores[PACKED] = opened(Path(directory, "packed.db"))
        stores["ours to SQLite, crash"] = opened(Path(directory, "crash.db"), log_durability="crash")
        for obs in stores.values():
            unattended(opened_here.enter_context(obs))
        libraries: dict[str, Library] = {name: native(obs) for name, obs in stores.items()}
        libraries[PACKED] = replace(libraries[PACKED], drain=partial(maintained, stores[PACKED]))
        logged = unattended(opened_here.enter_context(opened(Path(directory, "logging.db"))))
        libraries[LOGGED] = through_logging(logged)
        libraries |= {name: build(Sink.null()) for name, build in LIBRARIES.items()}
        libraries["OpenTelemetry, batch, in memory"] = opentelemetry_batch(queue_size=2 * CALLS)
        stores[LOGGED] = logged
        settle = {name: partial(maintained, obs) for name, obs in stores.items()}
        subjects = [Subject(name, it.burst, it.drain, settle.get(name, nothing)) for name, it in libraries.items()]
        taken = measure(subjects, rounds=ROUNDS, calls=CALLS, clock=time.process_time_ns, drained=True)
        emitted = (ROUNDS + 1) * CALLS
        print(f"\n{'one entry, CPU of the process':44}{'ns':>8}{'/ text':>9}")
        for name in libraries:
            print(f"{name:44}{median(taken, name):8.0f}{ratio(taken, name, TEXT):9.3f}")
        show_targets(taken, TARGETS)
        print(f"{emitted} emitted, {stored(stores[SQLITE])} stored")
        for library in libraries.values():
            library.close()


if __name__ == "__main__":
    main()
