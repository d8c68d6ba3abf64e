"""Following /logs of a service with several workers, through real servers."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from observabilipy.models import parse_cursor
from observabilipy_sqlite import SQLiteStorage

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = pytest.mark.e2e

Wait = Callable[[Callable[[], bool], str], None]

TOKEN = "e2e-token"
HERE = Path(__file__).parent
ORDERS = [f"/orders/{number}" for number in range(400)]
CLIENTS = 8
KEPT = 50
"""Entries that retention leaves behind the slowest follower."""

PYTHON = [sys.executable, "-m"]
UVICORN = [*PYTHON, "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"]
GUNICORN = [*PYTHON, "gunicorn", "--bind", "127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "8"]
SERVERS = {
    "uvicorn": ("servers_asgi", [*UVICORN, "follow_services:app"]),
    "gunicorn gthread": ("servers_wsgi", [*GUNICORN, "follow_services:app"]),
    "waitress": (
        "servers_wsgi",
        [*PYTHON, "waitress", "--threads", "8", "--listen", "127.0.0.1:{port}", "follow_services:app"],
    ),
}


def started(serve: "Callable[..., Server]", name: str, workers: int, follow_seconds: float) -> "Server":
    module, command = SERVERS[name]
    settings = {"ORDERS_MODULE": module, "FOLLOW_SECONDS": str(follow_seconds), "PYTHONPATH": str(HERE)}
    if workers > 1:
        command = [*command[:-1], "--workers", str(workers), command[-1]]
    return serve(command=command, workers=workers, flush_interval=0.05, environment=settings)


class Follower:
    """A client that comes back with its last cursor, or by the link, whenever its stream has come to its end."""

    def __init__(self, port: int, query: str) -> None:
        self.paths: list[object] = []
        self.cursor = ""
        self.streams = self.gaps = self.empty_lines = 0
        self.streaming = Event()
        self.error: BaseException | None = None
        self._port = port
        self._query = query
        self._stopped = Event()
        self._thread = Thread(target=self._run)

    @property
    def position(self) -> int:
        return parse_cursor(self.cursor).position if self.cursor else 0

    def stop_after_this_stream(self) -> None:
        self._stopped.set()
        self._thread.join()

    def __enter__(self) -> "Follower":
        self._thread.start()
        self.streaming.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_after_this_stream()

    def _run(self) -> None:
        try:
            after = "after=start"
            while not self._stopped.is_set():
                after = self._stream(after)
        except BaseException as error:  # noqa: BLE001 - for the test to see
            self.error = error
        finally:
            self.streaming.set()

    def _stream(self, after: str) -> str:
        """Read one stream to its end, and give what to go on after."""
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            target = f"/logs?follow=1&{self._query}&{after}"
            connection.request("GET", target, headers={"Authorization": f"Bearer {TOKEN}"})
            response = connection.getresponse()
            assert response.status == 200, response.read()
            self.streams += 1
            self.gaps += response.getheader("X-Observabilipy-Gap") is not None
            self.streaming.set()
            rest = b""
            # Not readline(), to which a stream that breaks off looks whole.
            while chunk := response.read1(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._take(line)
            assert rest == b""
            link = re.search("after=([^&>]*)>", response.getheader("Link", ""))
            assert link is not None
        return f"after={self.cursor or link[1]}"

    def _take(self, line: bytes) -> None:
        if not line:
            self.empty_lines += 1
            return
        entry = json.loads(line)
        self.cursor = entry["cursor"]
        if "path" in entry["attributes"]:  # else the service itself said something
            self.paths.append(entry["attributes"]["path"])


@contextmanager
def retention(path: Path, followers: list[Follower]) -> Iterator[list[int]]:
    """Deletes what the slowest follower has well behind it, all the time."""
    over = Event()
    deleted: list[int] = []

    async def run() -> None:
        storage = SQLiteStorage(path)
        while not over.is_set():
            reached = min(follower.position for follower in followers)
            facts = await storage.log_facts()
            deleted.append(await storage.delete_oldest_logs(max(0, reached - KEPT - facts.oldest)))
            await asyncio.sleep(0.05)
        await storage.aclose()

    thread = Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield deleted
    finally:
        over.set()
        thread.join()


def place(port: int, paths: list[str]) -> set[bytes]:
    """Place orders on connections of their own, and give the processes that took them."""

    def order(path: str) -> bytes:
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read()

    with ThreadPoolExecutor(CLIENTS) as clients:
        return set(clients.map(order, paths))


@pytest.mark.parametrize(("name", "workers"), [("uvicorn", 4), ("gunicorn gthread", 2)])
def test_followers_of_several_workers_get_each_entry_once_while_old_ones_are_deleted(
    name: str, workers: int, serve: "Callable[..., Server]", wait: Wait, report: list[str]
) -> None:
    server = started(serve, name, workers, follow_seconds=1)
    place(server.port, ["/orders/first"])
    with ExitStack() as opened:
        queries = ("", f"attr.path={ORDERS[-1]}")  # the last one is not deleted before everybody was told
        every, some = [opened.enter_context(Follower(server.port, query)) for query in queries]
        with retention(server.directory / "observability.db", [every]) as deleted:
            processes = place(server.port, ORDERS)
            wait(lambda: len(every.paths) > len(ORDERS), f"{len(every.paths)} of {len(ORDERS)} entries")
            wait(lambda: bool(some.paths) and every.streams > 2 and some.streams > 2, "a third stream of each")
    server.terminate()
    report.append(
        f"{name}: {len(processes)} processes wrote {len(ORDERS)} entries, {sum(deleted)} of them were deleted,"
        f" {every.streams} streams told each of them once"
    )

    assert (every.error, some.error, every.gaps) == (None, None, 0), server.log()
    assert sorted(map(str, every.paths)) == sorted(["/orders/first", *ORDERS])
    assert some.paths == ORDERS[-1:]
    assert len(processes) > 1
    assert sum(deleted) > len(ORDERS) / 4


@pytest.mark.parametrize(("name", "workers"), [("uvicorn", 2), ("gunicorn gthread", 2), ("waitress", 1)])
def test_followers_do_not_hold_up_the_end_of_a_server(
    name: str, workers: int, serve: "Callable[..., Server]", report: list[str]
) -> None:
    server = started(serve, name, workers, follow_seconds=25)
    followers = [Follower(server.port, "") for _ in range(2 * workers)]
    with ExitStack() as opened:
        for follower in followers:
            opened.enter_context(follower)
            follower._stopped.set()
        began = time.monotonic()
        server.terminate(10)
        took = time.monotonic() - began
    report.append(f"{name}: {len(followers)} followers, stopped within {took:.1f} s")

    # Waitress ends by the signal itself, in the middle of everything.
    assert [follower.error for follower in followers if name != "waitress" and follower.error is not None] == []
