"""The endpoints from code without an event loop."""

import asyncio
import gzip
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from observabilipy.errors import StorageUnavailable
from observabilipy.http import Endpoints, Request
from observabilipy.models import LogEntry, LogQuery, counter
from observabilipy.storage.memory import MemoryStorage


class Lines(MemoryStorage):
    """A log of large entries, made up while it is read; it knows how far that went."""

    read_ndjson = None  # type: ignore[assignment] # only what it says itself

    def __init__(self, count: int, error: Exception | None = None) -> None:
        super().__init__()
        self.count = count
        self.error = error
        self.read = 0
        self.closed = 0

    async def read_logs(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        try:
            for number in range(self.count):
                await asyncio.sleep(0)
                self.read += 1
                yield LogEntry(0, "INFO", "x" * 70_000, cursor=f"lines-{number}")  # a chunk each
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1


WHOLE_LOG = Request("GET", "/logs", b"limit=all")


def test_the_answer_is_the_same_as_the_asynchronous_one() -> None:
    storage = MemoryStorage()
    asyncio.run(storage.write_samples([counter("orders_total", 3)]))

    response = Endpoints(storage, auth="public").handle_sync(
        Request("GET", "/metrics", headers=[(b"accept-encoding", b"gzip")])
    )

    assert (response.status, response.headers[0], gzip.decompress(b"".join(response.body))) == (
        200,
        (b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),
        b"# HELP orders_total orders_total, reported without a definition.\n"
        b"# TYPE orders_total counter\norders_total 3\n",
    )


def test_a_problem_is_an_answer_too() -> None:
    response = Endpoints(MemoryStorage(), auth="public").handle_sync(Request("GET", "/logs", b"limit=0"))

    assert (response.status, b"limit must be" in b"".join(response.body)) == (400, True)


def test_chunks_are_made_when_they_are_asked_for() -> None:
    storage = Lines(50)
    response = Endpoints(storage, auth="public").handle_sync(WHOLE_LOG)
    read = [storage.read]
    for _ in range(3):
        next(response.body)
        read.append(storage.read)
    response.body.close()

    assert read == [1, 1, 2, 3]


@pytest.mark.parametrize("chunks", [0, 1])
def test_closing_the_body_closes_the_read_of_the_store(chunks: int) -> None:
    storage = Lines(50)
    body = Endpoints(storage, auth="public").handle_sync(WHOLE_LOG).body
    for _ in range(chunks):
        next(body)
    body.close()

    assert (storage.closed, list(body)) == (1, [])


def test_a_body_may_be_closed_twice_and_after_its_end() -> None:
    body = Endpoints(Lines(2), auth="public").handle_sync(WHOLE_LOG).body
    chunks = list(body)
    body.close()
    body.close()

    assert (len(chunks), list(body)) == (2, [])


def test_a_failure_after_the_beginning_breaks_the_body_off_and_closes_it() -> None:
    storage = Lines(2, StorageUnavailable("gone"))
    body = Endpoints(storage, auth="public").handle_sync(WHOLE_LOG).body

    with pytest.raises(StorageUnavailable, match="gone"):
        list(body)

    assert (storage.closed, list(body)) == (1, [])


def test_a_slow_flush_ends_with_the_answer() -> None:
    ended = []

    async def flush() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    response = Endpoints(MemoryStorage(), auth="public", flush=flush).handle_sync(Request("GET", "/metrics"))
    response.body.close()

    assert (response.status, ended) == (200, ["cancelled"])


def test_several_threads_may_ask_at_once() -> None:
    endpoints = Endpoints(Lines(5), auth="public")
    sizes: list[int] = []

    def ask() -> None:
        response = endpoints.handle_sync(WHOLE_LOG)
        sizes.append(len(list(response.body)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sizes == [5, 5, 5, 5]


async def test_within_an_event_loop_it_refuses_to_block() -> None:
    with pytest.raises(RuntimeError, match=r"an event loop runs in this thread: await handle\(\) there"):
        Endpoints(MemoryStorage(), auth="public").handle_sync(Request("GET", "/metrics"))


def test_green_threads_scrape_at_the_same_time() -> None:
    pytest.importorskip("gevent", reason="gevent is not installed here")
    program = """
from gevent import monkey
monkey.patch_all()

import gevent
from observabilipy import Observability
from observabilipy.http import Request

obs = Observability(auth="public", handle_sigterm=False)
obs.counter("jobs_total", "Jobs.").inc()

def scrape():
    response = obs.endpoints.handle_sync(Request("GET", "/metrics"))
    return response.status, b"jobs_total 1" in b"".join(response.body)

print({greenlet.get() for greenlet in [gevent.spawn(scrape) for _ in range(20)]})
obs.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )

    assert (done.stdout, done.stderr) == ("{(200, True)}\n", "")


def test_a_green_thread_that_waits_for_news_keeps_nobody_from_a_scrape() -> None:
    pytest.importorskip("gevent", reason="gevent is not installed here")
    program = """
from gevent import monkey
monkey.patch_all()

import gevent
from observabilipy.http import Endpoints, Limits, Request
from observabilipy.storage.memory import MemoryStorage

an_hour = Limits(poll_seconds=3_600, follow_seconds=36_000, keep_alive_seconds=36_000)
endpoints = Endpoints(MemoryStorage(), auth="public", limits=an_hour)
news = endpoints.handle_sync(Request("GET", "/logs", b"follow=1")).body
print(next(news))
waiting = gevent.spawn(next, news)
gevent.sleep(0)
print(endpoints.handle_sync(Request("GET", "/metrics")).status, waiting.ready())
waiting.kill()
news.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )

    assert done.stdout == "b'\\n'\n200 False\n", done.stderr
