"""What the libraries make of thirty calls that break loggers (``hostile_values.py``).

Each call has a logger of its own, which writes JSON onto a stream of UTF-8; for ours it is what /logs answers. A call
is *ok* when nothing is raised and one strict line of RFC 8259 came out that still holds what was logged; it *raises*
when the application gets an exception; it is *lost* when nothing came out, and *changed* when what came out is no
strict JSON, is more than one line, or lacks what was logged.

Run it: uv run --group peers python -m benchmarks.hostile
"""

import contextlib
import io
import logging
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

from benchmarks.hostile_values import HOSTILE_CALLS, HostileCall, fault
from benchmarks.measure import heading
from benchmarks.ours import opened
from benchmarks.peers import (
    Library,
    Sink,
    json_logger,
    loguru_bound,
    loguru_json,
    opentelemetry_batch,
    orjson_logger,
    queue_json,
    structlog_json,
    structlog_orjson,
)

from observabilipy import Observability
from observabilipy.http import Request

Verdict: TypeAlias = Literal["ok", "raises", "lost", "changed"]

VERDICTS: tuple[Verdict, ...] = ("ok", "raises", "lost", "changed")

Judge: TypeAlias = Callable[[HostileCall], Verdict]


def verdict(hostile: HostileCall, output: bytes, *, raised: bool) -> Verdict:
    """What became of a call that left these bytes behind."""
    if raised:
        return "raises"
    if not output:
        return "lost"
    if not output.endswith(b"\n") or output.count(b"\n") != 1:
        return "changed"
    return "changed" if fault(output.removesuffix(b"\n"), hostile) else "ok"


def survived(hostile: HostileCall, log: Callable[..., object]) -> bool:
    """Make the call. False when it raised."""
    try:
        hostile.call(log)
    except Exception:  # noqa: BLE001 - this is what is counted
        return False
    return True


def judge_of(build: Callable[[Sink], Library]) -> Judge:
    """Calls by a library that writes to a stream."""

    def judge(hostile: HostileCall) -> Verdict:
        raw = io.BytesIO()
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
        library = build(Sink(text, raw))
        raised = not survived(hostile, library.log)
        library.drain()
        library.close()
        text.detach()  # it would close the bytes
        return verdict(hostile, raw.getvalue(), raised=raised)

    return judge


def our_judge(
    open_storage: Callable[[Path], Observability], log_of: Callable[[Observability], Callable[..., object]]
) -> Judge:
    """Calls by ours, read back from /logs."""

    def judge(hostile: HostileCall) -> Verdict:
        with TemporaryDirectory() as directory:
            obs = open_storage(Path(directory, "observability.db"))
            raised = not survived(hostile, log_of(obs))
            obs.flush()
            answer = obs.endpoints.handle_sync(Request("GET", "/logs"))
            output = b"".join(answer.body)
            obs.close()
            return verdict(hostile, output, raised=raised)

    return judge


def in_memory(_: Path) -> Observability:
    """Into memory://."""
    return Observability(auth="public", handle_sigterm=False)


def through_logging(obs: Observability) -> Callable[..., object]:
    """Standard logging with our handler."""
    logger = logging.getLogger("benchmark.hostile")
    logger.handlers = [obs.logging_handler()]
    logger.setLevel(logging.INFO)
    logger.propagate = False

    def log(message: object, /, **attributes: object) -> None:
        logger.info(message, extra=attributes)

    return log


JUDGES: dict[str, Judge] = {
    "ours, memory": our_judge(in_memory, lambda obs: obs.info),
    "ours, SQLite": our_judge(lambda path: opened(path, auth="public"), lambda obs: obs.info),
    "ours, SQLite, crash": our_judge(
        lambda path: opened(path, auth="public", log_durability="crash"), lambda obs: obs.info
    ),
    "ours through standard logging": our_judge(in_memory, through_logging),
    "python-json-logger": judge_of(json_logger),
    "python-json-logger, orjson": judge_of(orjson_logger),
    "QueueHandler, json in its thread": judge_of(queue_json),
    "structlog, json": judge_of(structlog_json),
    "structlog, orjson": judge_of(structlog_orjson),
    "loguru, keywords": judge_of(loguru_json),
    "loguru, bind": judge_of(loguru_bound),
    "OpenTelemetry, batch, as JSON": judge_of(opentelemetry_batch),
}


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Standard logging reports to stderr what it loses, in tracebacks of megabytes."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def main() -> None:
    """Print the table, and what went wrong."""
    print(heading("structlog", "orjson", "python-json-logger", "loguru", "opentelemetry-sdk"))
    print(f"\n{f'{len(HOSTILE_CALLS)} hostile calls':36}" + "".join(f"{name:>9}" for name in VERDICTS))
    details: list[str] = []
    for name, judge in JUDGES.items():
        found: dict[Verdict, list[str]] = defaultdict(list)
        with silenced():
            for hostile in HOSTILE_CALLS:
                found[judge(hostile)].append(hostile.name)
        print(f"{name:36}" + "".join(f"{len(found[verdict]):9}" for verdict in VERDICTS))
        details += [f"{name}: {verdict}: {', '.join(found[verdict])}" for verdict in VERDICTS[1:] if found[verdict]]
    if "-v" in sys.argv:
        print("", *details, sep="\n")


if __name__ == "__main__":
    main()
