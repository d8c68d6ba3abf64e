"""SIGTERM under each server: what was answered is committed, however long the flush interval is."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from observabilipy import HistogramValue, LogEntry, LogQuery
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = pytest.mark.e2e

Wait = Callable[[Callable[[], bool], str], None]

TOKEN = "e2e-token"
HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "servers.md"
ORDERS = range(200)
CLIENTS = 8
STORE = "observability.db"
LISTEN = {
    "daphne": ["--bind", "127.0.0.1", "--port", "{port}"],
    "granian": ["--host", "127.0.0.1", "--port", "{port}"],
    "gunicorn": ["--bind", "127.0.0.1:{port}"],
    "hypercorn": ["--bind", "127.0.0.1:{port}"],
    "uvicorn": ["--host", "127.0.0.1", "--port", "{port}"],
    "uwsgi": ["--http-socket", "127.0.0.1:{port}"],
    "waitress-serve": ["--listen", "127.0.0.1:{port}"],
}
"""How each server is told where to listen."""


@dataclass(frozen=True)
class Row:
    """A server as people start it. ``orders:app`` stands for the application, which ``service`` holds."""

    command: str
    service: str = "servers_asgi"
    workers: int = 2
    reload: bool = False

    def __str__(self) -> str:
        return f"{self.command} + SIGHUP" if self.reload else self.command


UWSGI = (
    "uwsgi --plugin python3 --module orders:app --master --processes 2"
    ' --hook-master-start "unix_signal:15 gracefully_kill_them_all"'
)
ROWS = [
    Row("uvicorn orders:app", workers=1),
    Row("uvicorn --workers 4 orders:app", workers=4),
    Row("uvicorn --lifespan off orders:app", workers=1),
    Row("uvicorn --workers 2 django_orders:asgi", "servers_django"),
    Row("gunicorn --workers 2 orders:app", "servers_wsgi"),
    Row("gunicorn --workers 2 flask_orders:app", "servers_flask"),
    Row("gunicorn --workers 2 --worker-class gthread --threads 4 orders:app", "servers_wsgi"),
    Row("gunicorn --workers 2 --worker-class gevent orders:app", "servers_wsgi"),
    Row("gunicorn --workers 2 --worker-class uvicorn.workers.UvicornWorker orders:app"),
    Row("gunicorn --workers 2 --worker-class asgi orders:app"),
    Row("gunicorn --workers 2 --preload orders:app", "servers_wsgi"),
    Row("gunicorn --workers 2 --max-requests 20 orders:app", "servers_wsgi"),
    Row("gunicorn --workers 2 orders:app", "servers_wsgi", reload=True),
    Row("hypercorn --workers 2 orders:app"),
    Row("granian --interface asgi --workers 2 orders:app"),
    Row("daphne orders:app", workers=1),
    Row("waitress-serve orders:app", "servers_wsgi", workers=1),
    Row("waitress-serve django_orders:wsgi", "servers_django", workers=1),
    Row(f"{UWSGI} --enable-threads", "servers_wsgi"),
    Row(UWSGI, "servers_wsgi"),
    Row(f"{UWSGI} --enable-threads --lazy-apps", "servers_wsgi"),
    Row("granian --interface wsgi --workers 2 --workers-kill-timeout 2 orders:app", "servers_wsgi"),
]


def command(row: Row) -> list[str]:
    program, *arguments = shlex.split(re.sub(r"\w*orders:", f"{row.service}:", row.command))
    found = shutil.which(program, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{program} is not installed")
    return [found, *LISTEN[program], *arguments]


def environment() -> dict[str, str]:
    """The services, and for uWSGI, which brings a Python of its own, what is installed for this one."""
    installed = [path for path in sys.path if path and not path.startswith(sys.base_prefix)]
    return {"PYTHONPATH": os.pathsep.join([str(HERE), *installed])}


def answer(port: int, path: str) -> bytes:
    """Over a connection of its own, because a kept one would stay with one worker."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return body


def place(server: "Server", numbers: range, halfway: Callable[[], None] = lambda: None) -> set[bytes]:
    """Place orders, all of which must be answered, and give the processes that did it."""

    def order(number: int) -> bytes:
        if number == numbers[len(numbers) // 2]:
            halfway()
        return answer(server.port, f"/orders/{number}")

    with ThreadPoolExecutor(CLIENTS) as clients:
        return set(clients.map(order, numbers))


def is_whole(server: "Server") -> bool:
    """Whether every worker answers."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        return len(set(clients.map(answer, [server.port] * CLIENTS, ["/pid"] * CLIENTS))) == server.workers


@dataclass(frozen=True)
class Kept:
    """What a store holds: what the application counted, what was measured, and the paths of the access entries."""

    counted: float
    measured: int
    paths: list[str]

    def __str__(self) -> str:
        return f"stored {self.counted:g} counted, {self.measured} measured, {len(self.paths)} entries"


def kept(path: Path) -> Kept:
    async def read() -> Kept:
        storage = SQLiteStorage(path)
        counted, measured = 0.0, 0
        async for family in storage.totals(["orders_total", "http_server_request_duration_seconds"]):
            for series in family.series:
                match series.value:
                    case HistogramValue(counts=counts):
                        measured += sum(counts)
                    case float() | int() as value:
                        counted += value
        paths = [str(entry.attributes["path"]) async for entry in storage.read_logs(LogQuery(min_level="INFO"))]
        await storage.aclose()
        return Kept(counted, measured, sorted(paths))

    return asyncio.run(read())


def every(numbers: range) -> Kept:
    return Kept(len(numbers), len(numbers), sorted(f"/orders/{number}" for number in numbers))


def test_the_page_about_servers_names_each_row_and_no_other() -> None:
    table = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = [re.findall("`([^`]+)`", line)[0] for line in table]

    assert sorted(named) == sorted(str(row) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_server_that_is_stopped_loses_nothing(
    row: Row, serve: "Callable[..., Server]", wait: Wait, report: list[str]
) -> None:
    server = serve(command=command(row), workers=row.workers, flush_interval=3600, environment=environment())
    wait(lambda: is_whole(server), f"each of {row.workers} workers answers")
    processes = place(server, ORDERS, (lambda: server.signal(signal.SIGHUP)) if row.reload else (lambda: None))
    server.terminate()
    found = kept(server.directory / STORE)
    report.append(f"{row}: {len(processes)} processes answered {len(ORDERS)}; {found}")

    assert found == every(ORDERS), server.log()
    assert len(processes) >= min(row.workers, 2)


NO_OTHER_STREAMS = ("--preload", "--max-requests", "--lazy-apps", "SIGHUP")
STREAMING = [row for row in ROWS if not any(option in str(row) for option in NO_OTHER_STREAMS)]
LONG_LOG = 40_000
"""Entries of about 1.5 KB: what no buffer on the way takes in one go."""
ABOUT_TO_END = 10.0
"""Seconds. Without our care it is 30, or for as long as a client likes."""


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / STORE
    storage = SQLiteStorage(path)
    entries = tuple(LogEntry(time.time(), "DEBUG", "x" * 1_500) for _ in range(2_000))
    for sequence in range(LONG_LOG // len(entries)):
        storage.commit(Batch(Worker("w"), sequence, entries))
    storage.close()
    return path


@contextmanager
def download(server: "Server", *, bytes_per_second: int) -> Iterator[None]:
    """A client that asked for the whole log, and takes so much of it; with 0, one that stalls."""
    over = Event()

    def take() -> None:
        with suppress(OSError):  # the server cuts the connection
            while not over.wait(0.05) and client.recv(bytes_per_second // 20):
                pass

    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.settimeout(60)
        client.connect(("127.0.0.1", server.port))
        client.sendall(f"GET /logs?limit=all HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        received = b""
        while len(received) < 500_000:
            received += client.recv(65_536)
        taking = Thread(target=take if bytes_per_second else over.wait)
        taking.start()
        try:
            yield
        finally:
            over.set()
            taking.join()


@pytest.mark.parametrize("row", STREAMING, ids=str)
def test_open_downloads_neither_hold_up_the_end_of_a_server_nor_cost_records(
    row: Row, serve: "Callable[..., Server]", long_log: Path, tmp_path: Path, report: list[str]
) -> None:
    if row.command.startswith("hypercorn") and sys.version_info >= (3, 12):
        pytest.skip("hypercorn tells nobody that it stops, and from Python 3.12 on waits for every connection")
    store = tmp_path / STORE
    shutil.copy(long_log, store)
    settings = {**environment(), "ORDERS_STORAGE": f"sqlite:///{store}"}
    server = serve(command=command(row), workers=row.workers, flush_interval=3600, environment=settings)
    place(server, ORDERS)
    with download(server, bytes_per_second=0), download(server, bytes_per_second=200_000):
        began = time.monotonic()
        server.terminate(ABOUT_TO_END)
        took = time.monotonic() - began
    found = kept(store)
    report.append(f"{row}: two downloads open, stopped within {took:.1f} s; {found}")

    assert found == every(ORDERS), server.log()
