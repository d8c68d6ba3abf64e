"""A real server on this machine, and clients that keep connections to every one of its workers."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

TOKEN = "e2e-token"
ORDERS_SERVICE = Path(__file__).with_name("orders_service.py")
PATIENCE_SECONDS = 60.0
"""For what takes a second or two, on a machine that is busy with something else."""

REPORT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(REPORT, []):
        terminalreporter.write_line(line)


def eventually(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            pytest.fail(f"not within {PATIENCE_SECONDS:g} s: {what}")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Client:
    """One kept connection, to whichever worker took it."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)

    def ask(self, method: str, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        sent = {"Authorization": f"Bearer {TOKEN}", **headers}
        self._connection.request(method, target, headers=sent)
        # Workers of uvicorn write head and body apart, on sockets that wait for our acknowledgement in between. Linux
        # delays that by 40 ms, and forgets this option with every answer.
        if hasattr(socket, "TCP_QUICKACK"):
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        response = self._connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def get(self, target: str, **headers: str) -> str:
        status, _, body = self.ask("GET", target, **headers)
        assert status == 200, body
        return body.decode()

    def close(self) -> None:
        self._connection.close()


class Server:
    """A service in a process group of its own, and what its workers know.

    Args:
        directory: where it runs, and where its store and what it prints are.
        command: starts it; ``{port}`` stands for the port that it shall listen at.
        workers: how many processes answer.
        flush_interval: of each of them.
        environment: further variables.
    """

    def __init__(
        self,
        directory: Path,
        command: Sequence[str],
        *,
        workers: int,
        flush_interval: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.workers = workers
        self.flush_interval = flush_interval
        self.port = free_port()
        self.storage = f"sqlite:///{directory / 'observability.db'}"
        self._command = [part.replace("{port}", str(self.port)) for part in command]
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.directory,
                env={
                    **os.environ,
                    "OBSERVABILIPY_TOKEN": TOKEN,
                    "ORDERS_STORAGE": self.storage,
                    "ORDERS_FLUSH_INTERVAL": str(self.flush_interval),
                    **self._environment,
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._accepts, f"the server accepts connections: {self.log()}")

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self) -> str:
        return (self.directory / "server.log").read_text(encoding="utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """To the supervisor, as an init system sends it."""
        assert self._process is not None
        self._process.send_signal(number)

    def terminate(self, patience: float = PATIENCE_SECONDS) -> None:
        """SIGTERM, and wait until the supervisor has stopped its workers and itself."""
        assert self._process is not None
        self.signal(signal.SIGTERM)
        self._process.wait(patience)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE_SECONDS)

    def client(self) -> "closing[Client]":
        """A kept connection to any worker."""
        return closing(Client(self.port))

    @contextmanager
    def clients(self) -> Iterator[dict[int, Client]]:
        """A kept connection to every worker, by the worker's process id."""
        kept: dict[int, Client] = {}
        with ExitStack() as opened:

            def every_worker_is_reached() -> bool:
                for client in [opened.enter_context(self.client()) for _ in range(2 * self.workers)]:
                    kept.setdefault(int(client.get("/pid")), client)
                return len(kept) == self.workers

            eventually(every_worker_is_reached, f"a connection to each of {self.workers} workers: {self.log()}")
            yield kept

    def order(self, numbers: Iterable[int]) -> list[int]:
        """Place these orders over kept connections to every worker, and give those that were answered."""
        waiting = iter(numbers)
        shared = threading.Lock()  # guards the iterator
        answered: list[int] = []

        def work(client: Client) -> None:
            while True:
                with shared:
                    number = next(waiting, None)
                if number is None:
                    return
                status, _, _ = client.ask("POST", f"/orders/{number}")
                if status == 200:
                    answered.append(number)

        with self.clients() as clients:
            threads = [threading.Thread(target=work, args=(client,)) for client in clients.values()]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return sorted(answered)

    def entries(self, query: str) -> Iterator[str]:
        """The lines of /logs, page after page by its links, until one holds nothing."""
        with self.client() as client:
            while True:
                status, headers, body = client.ask("GET", f"/logs?{query}")
                assert status == 200, body
                if not body:
                    return
                yield from body.decode().splitlines()
                link = re.search(r'<\?([^>]*)>; rel="next"', headers["link"])
                assert link is not None, headers
                query = link[1]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def uvicorn_command(source: Path, workers: int) -> list[str]:
    """``source`` holds the application as ``app``."""
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(source.parent), "--port", "{port}"]
    # A worker that this machine does not let start within the default 5 s would be killed and started again. Not much
    # longer: a supervisor that was asking a worker when that was killed waits so long for the answer.
    command += ["--workers", str(workers), "--no-access-log", "--timeout-worker-healthcheck", "15"]
    return [*command, f"{source.stem}:app"]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start a service, under uvicorn if no command is given; it ends with the module at the latest.

    It runs in a directory of its own, with a copy of ``files`` if there are any.
    """
    with ExitStack() as running:

        def start(
            *,
            workers: int,
            flush_interval: float = 0.2,
            source: Path = ORDERS_SERVICE,
            command: Sequence[str] | None = None,
            environment: Mapping[str, str] | None = None,
            files: Path | None = None,
        ) -> Server:
            directory = tmp_path_factory.mktemp("service")
            if files is not None:
                shutil.copytree(files, directory, dirs_exist_ok=True)
            server = Server(
                directory,
                command or uvicorn_command(source, workers),
                workers=workers,
                flush_interval=flush_interval,
                environment=environment,
            )
            return running.enter_context(server)

        yield start


@pytest.fixture(scope="session")
def wait() -> Callable[[Callable[[], bool], str], None]:
    return eventually


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> list[str]:
    """Lines that are printed when all tests are over: what was measured, and nothing is asserted about."""
    return request.config.stash[REPORT]


@pytest.fixture(scope="module")
def unused_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def token() -> str:
    return TOKEN
