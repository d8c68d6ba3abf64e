"""What one call that logs costs its caller, beside the other libraries: CPU time of the calling thread.

A call has a message and four attributes (int, str, float, bool). It is measured as shipped: level check, context,
accounting of what is dropped. Bursts are short enough for every library's queue; what a burst left behind is carried
away before the next one, outside of the measured time.

Run it: uv run --group peers python -m benchmarks.capture
"""

import contextlib
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Subject, Target, heading, measure, median, ratio, show_targets
from benchmarks.ours import opened, stored
from benchmarks.peers import LIBRARIES, Library, Sink, extra_calls, opentelemetry_batch, standard_logger, text_calls

from observabilipy import Observability

ROUNDS = 31
CALLS = 2_000  # OpenTelemetry's queue holds 2,048

TEXT, STRUCTLOG = "stdlib text", "structlog, orjson"
INFO, CRASH = "ours", "ours, crash"
LOGGING, LOGGING_TEXT = "ours, by logging with extra", "ours, by logging with text"
OURS = (INFO, "ours, in a context of two", "ours, bound to two", LOGGING, LOGGING_TEXT, CRASH)
NEWER = sys.version_info >= (3, 12)
TARGETS = (
    Target(INFO, TEXT, 0.12 if NEWER else 0.08),
    Target(INFO, STRUCTLOG, 0.16 if NEWER else 0.12),
    Target(CRASH, TEXT, 0.25),
    Target(LOGGING, TEXT, 0.75),
    Target(LOGGING_TEXT, TEXT, 0.75),
)


def native(obs: Observability) -> Library:
    """Our own calls."""

    def burst(calls: int) -> None:
        for number in range(calls):
            obs.info("order placed", order=number, tier="gold", amount=19.99, paid=True)

    def disabled(calls: int) -> None:
        for number in range(calls):
            obs.debug("order placed", order=number, tier="gold", amount=19.99, paid=True)

    return Library(obs.info, burst, disabled, obs.flush)


def in_context(obs: Observability) -> Library:
    """The same inside a ``context`` of two attributes."""
    plain = native(obs)

    def burst(calls: int) -> None:
        with obs.context(request_id="0af7651916cd43dd", user=7):
            plain.burst(calls)

    return Library(plain.log, burst, plain.disabled, obs.flush)


def bound(obs: Observability) -> Library:
    """The same by a logger with two bound attributes."""
    log = obs.bind(component="orders", region="eu")

    def burst(calls: int) -> None:
        for number in range(calls):
            log.info("order placed", order=number, tier="gold", amount=19.99, paid=True)

    def disabled(calls: int) -> None:
        for number in range(calls):
            log.debug("order placed", order=number, tier="gold", amount=19.99, paid=True)

    return Library(log.info, burst, disabled, obs.flush)


def through_logging(obs: Observability) -> Library:
    """Standard logging with our handler, and attributes in ``extra``."""
    return extra_calls(standard_logger("ours.extra", obs.logging_handler()), obs.flush)


def text_through_logging(obs: Observability) -> Library:
    """The very call that is measured for text, into our handler."""
    return text_calls(standard_logger("ours.text", obs.logging_handler()), obs.flush)


def empty() -> Library:
    """A function that does nothing: what a call with four keywords costs."""

    def log(message: str, /, **attributes: object) -> None:
        pass

    def burst(calls: int) -> None:
        for number in range(calls):
            log("order placed", order=number, tier="gold", amount=19.99, paid=True)

    return Library(log, burst, burst)


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as opened_here:

        def store(name: str, **options: str) -> Observability:
            return opened_here.enter_context(opened(Path(directory, f"{name}.db"), level="INFO", **options))

        print(heading("structlog", "orjson", "python-json-logger", "loguru", "opentelemetry-sdk"))
        memory, crash = store("memory"), store("crash", log_durability="crash")
        ours = [native(memory), in_context(memory), bound(memory), through_logging(memory)]
        ours += [text_through_logging(memory), native(crash)]
        libraries = dict(zip(OURS, ours, strict=True))
        libraries |= {name: build(Sink.null()) for name, build in LIBRARIES.items()}
        libraries["OpenTelemetry, batch"] = opentelemetry_batch()
        libraries["an empty function"] = empty()
        show("one call", {name: Subject(name, it.burst, it.drain) for name, it in libraries.items()})
        show("one call below the level", {name: Subject(name, it.disabled, it.drain) for name, it in libraries.items()})
        emitted = (ROUNDS + 1) * CALLS * len(ours)
        print(f"ours: {emitted} emitted, {stored(memory) + stored(crash)} stored")
        for library in libraries.values():
            library.close()


def show(title: str, subjects: dict[str, Subject]) -> None:
    """Measure, and print a table."""
    taken = measure(list(subjects.values()), rounds=ROUNDS, calls=CALLS)
    print(f"\n{title + ', CPU of the caller':44}{'ns':>8}{'/ text':>9}{'/ structlog':>13}")
    for name in subjects:
        print(
            f"{name:44}{median(taken, name):8.0f}{ratio(taken, name, TEXT):9.3f}{ratio(taken, name, STRUCTLOG):13.3f}"
        )
    if "below" not in title:
        show_targets(taken, TARGETS)


if __name__ == "__main__":
    main()
