"""Scrapes while workers come, fork, restart and are killed: no counter is ever lower than in an earlier answer."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from observabilipy.http import Endpoints, Request
from observabilipy_sqlite import SQLiteStorage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here"),
]

OPENMETRICS = ((b"accept", b"application/openmetrics-text"),)
NAMES = ("_total", "_bucket", "_count", "_sum")


@contextmanager
def worker(path: Path) -> Iterator[subprocess.Popen[str]]:
    program = Path(__file__).with_name("counting_worker.py")
    process = subprocess.Popen([sys.executable, program, path], stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "counting\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


class Scraper:
    """Scrapes by two readers in turns, and notes what was lower than before."""

    def __init__(self, path: Path) -> None:
        self._storages = [SQLiteStorage(path), SQLiteStorage(path)]
        self._endpoints = [Endpoints(storage, auth="public") for storage in self._storages]
        self.seen: dict[str, float] = {}
        self.fell: list[str] = []

    async def scrape(self, times: int) -> None:
        for _ in range(times):
            for endpoints in self._endpoints:
                response = await endpoints.handle(Request("GET", "/metrics", b"", OPENMETRICS))
                body = b"".join([chunk async for chunk in response.body]).decode()
                self._compare(body)

    def _compare(self, body: str) -> None:
        found = {
            f"{sample.name}{sorted(sample.labels.items())}": sample.value
            for metric in text_string_to_metric_families(body)  # type: ignore[no-untyped-call] # foreign
            for sample in metric.samples
            if sample.name.endswith(NAMES)
        }
        self.fell += [name for name, value in self.seen.items() if found.get(name, -1.0) < value]
        self.seen = found

    async def aclose(self) -> None:
        for storage in self._storages:
            await storage.aclose()


async def test_nothing_makes_a_counter_go_down(tmp_path: Path) -> None:
    path = tmp_path / "obs.db"
    scraper = Scraper(path)
    first = "done_total[('kind', 'first')]"
    begun = []
    try:
        for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):  # each overlaps with the next one
            with worker(path):
                await scraper.scrape(10)
                with worker(path) as other:
                    await scraper.scrape(10)
                    other.send_signal(end)
                    await asyncio.to_thread(other.wait)
                    await scraper.scrape(10)
                    begun.append(scraper.seen[first])
    finally:
        await scraper.aclose()

    assert (scraper.fell, begun) == ([], [2, 4, 6, 8])
