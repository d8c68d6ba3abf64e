"""The storm over one application: python -m tests.storm.storm fastapi REQUESTS SEED. Tells what it saw as JSON."""

import asyncio
import gc
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tests.storm.applications import APPLICATIONS, PREFIX
from tests.storm.drivers import Answer
from tests.storm.hostile import Hostile, hostile_requests

from observabilipy import LogQuery, Observability

__all__ = ["main"]

_STATM = Path("/proc/self/statm")
_SHOWN_CHARACTERS = 1_500
_EVERY_ANSWER = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


class _Faults:
    """What was wrong: how often, and the first example of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, fault: str, number: int, request: Hostile, answer: object) -> None:
        self.counts[fault] += 1
        if fault not in self.examples:
            shown = f"request {number}: {answer!r:.{_SHOWN_CHARACTERS}} for {request!r:.{_SHOWN_CHARACTERS}}"
            self.examples[fault] = shown


def main(name: str, requests: int, seed: int) -> dict[str, Any]:  # Any: JSON
    """Let the storm loose over an application, and give what it showed."""
    ask, obs = APPLICATIONS[name]()
    faults = _Faults()
    statuses: Counter[tuple[str, int]] = Counter()
    warm_bytes = 0
    began = time.process_time()
    for number, request in enumerate(islice(hostile_requests(seed, PREFIX), requests)):
        if number == requests // 3:
            warm_bytes = _resident_bytes()
        try:
            answer = ask(request)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            faults.add(f"raised {type(error).__name__}", number, request, error)
            continue
        statuses[request.reads or "application", answer.status] += 1
        for fault in _wrong(request, answer):
            faults.add(fault, number, request, answer)
    seconds = time.process_time() - began
    end_bytes = _resident_bytes()
    kept = asyncio.run(_kept(obs))
    obs.close()
    return {
        "found": {
            "faults": faults.counts,
            "endpoint_statuses": sorted({status for reads, status in statuses if reads != "application"}),
            **kept,
        },
        "grown_bytes": end_bytes - warm_bytes,
        "examples": faults.examples,
        "figures": {
            "cpu_microseconds_each": round(seconds / requests * 1e6),
            "resident_bytes": end_bytes,
            "answers": {f"{reads} {status}": count for (reads, status), count in sorted(statuses.items())},
        },
    }


def _wrong(request: Hostile, answer: Answer) -> Iterator[str]:
    """What no answer may be."""
    if answer.status >= 500:
        yield f"{request.reads or 'application'} answered {answer.status}"
    if request.method == "HEAD" and request.reads and answer.has_body:
        yield "HEAD with a body"
    if request.reads is None:
        return
    if answer.status not in _allowed(request):
        yield f"{request.reads} answered {answer.status}, {'with' if request.has_token else 'without'} a token"
    headers = dict(answer.headers)
    if any(headers.get(name) != value for name, value in _EVERY_ANSWER.items()):
        yield f"{answer.status} without a security header"
    if any(name.startswith("access-control-") for name in headers):
        yield "CORS"
    if answer.status == 405 and headers.get("allow") != "GET, HEAD":
        yield "405 without Allow"
    if answer.status == 401 and "www-authenticate" not in headers:
        yield "401 without WWW-Authenticate"
    if any(not value.isprintable() or not value.isascii() for value in headers.values()):
        yield "header with characters that do not belong there"


def _allowed(request: Hostile) -> set[int]:
    """What an endpoint may answer. Some frameworks take "get" for GET."""
    if request.method not in {"GET", "HEAD"} and request.method.upper() not in {"GET", "HEAD"}:
        return {405}
    read = {200} if request.reads == "/health" else {200, 400} if request.has_token else {401}
    return read if request.method in {"GET", "HEAD"} else {*read, 405}


async def _kept(obs: Observability) -> dict[str, Any]:
    """What the store holds afterwards."""
    await obs.aflush()
    families = [family async for family in obs.storage.totals()]
    served = [series.labels for family in families for series in family.series if family.name.startswith("http_server")]
    return {
        "routes": sorted({labels["route"] for labels in served if "route" in labels}),
        "methods": sorted({labels["method"] for labels in served}),
        "troubles": {
            f"{family.name}{dict(series.labels)}": series.value
            for family in families
            for series in family.series
            if family.name.startswith("observabilipy_") and family.name.endswith("_total")  # the others are no troubles
        },
        "entries": await obs.storage.count_logs(LogQuery()),
    }


def _resident_bytes() -> int:
    """Of this process now; where nobody tells that, the most it ever had."""
    gc.collect()
    if _STATM.exists():
        return int(_STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), indent=2))
