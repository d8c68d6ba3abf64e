"""``observabilipy demo``: the shop under uvicorn with several workers, with visitors, until it is stopped."""

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from observabilipy import ConfigurationError, ObservabilityError
from observabilipy.command import Command
from observabilipy_fastapi.shop import STORAGE_VARIABLE
from observabilipy_fastapi.traffic import Traffic

__all__ = ["command"]

_START_SECONDS = 60
_STOP_SECONDS = 15

_TEXT = """\
A shop runs at http://127.0.0.1:{port}, with {workers} workers and made-up visitors.
Its metrics and logs are in one file: {database}

  token     {token}
  metrics   curl -H 'Authorization: Bearer {token}' http://127.0.0.1:{port}/metrics
  logs      curl -H 'Authorization: Bearer {token}' 'http://127.0.0.1:{port}/logs?limit=10'
  follow    OBSERVABILIPY_TOKEN={token} {run}observabilipy tail http://127.0.0.1:{port}

For Prometheus:

scrape_configs:
  - job_name: shop
    scrape_interval: 5s
    authorization:
      credentials: {token}
    static_configs:
      - targets: ["127.0.0.1:{port}"]

{ending}"""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (default: one that is free)")
    parser.add_argument("--workers", type=int, default=4, help="processes that serve (default: 4)")
    parser.add_argument("--seconds", type=float, help="stop after so long (default: at Ctrl-C)")


def _run(arguments: argparse.Namespace) -> int:
    _check_installed()
    if arguments.workers < 1:
        raise ConfigurationError(f"--workers must be 1 or more, got {arguments.workers}")
    stop = threading.Event()
    with _stopped_by_signals(stop), TemporaryDirectory(prefix="observabilipy-demo-") as directory:
        port = arguments.port or _free_port()
        database = Path(directory) / "observability.db"
        token = secrets.token_urlsafe(16)
        with _shop(port, arguments.workers, database, token) as server:
            if _await_answer(port, server, stop):
                ending = "Ctrl-C stops it." if arguments.seconds is None else f"It stops after {arguments.seconds:g} s."
                run = "uv run " if "UV" in os.environ else ""  # uv tells what it runs; the command is not on PATH then
                text = _TEXT.format(
                    port=port, workers=arguments.workers, database=database, token=token, run=run, ending=ending
                )
                print(text, flush=True)
                with Traffic(port):
                    stop.wait(arguments.seconds)
    return 0


def _check_installed() -> None:
    missing = [name for name in ("uvicorn", "observabilipy_sqlite") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the demo needs {' and '.join(missing)}, not installed here: pip install 'observabilipy-fastapi[demo]'"
        )


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]  # not on Windows
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _shop(port: int, workers: int, database: Path, token: str) -> "Iterator[subprocess.Popen[bytes]]":
    """The server while it is needed; afterwards none of its processes is left."""
    settings = ["--factory", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
    settings += ["--log-level", "warning", "--no-access-log"]
    variables = {"OBSERVABILIPY_TOKEN": token, STORAGE_VARIABLE: f"sqlite:///{database}"}
    environment = {**os.environ, **variables}
    environment.pop("OBSERVABILIPY_TOKEN_FILE", None)
    server = subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "uvicorn", "observabilipy_fastapi.shop:create_shop", *settings],
        env=environment,
        start_new_session=True,  # Ctrl-C is for us alone: we stop the server in order
    )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _kill(server)


def _kill(server: "subprocess.Popen[bytes]") -> None:
    """End a server that does not stop, and its workers with it."""
    if hasattr(os, "killpg"):
        os.killpg(server.pid, signal.SIGKILL)
    else:  # Windows
        server.kill()
    server.wait()


def _await_answer(port: int, server: "subprocess.Popen[bytes]", stop: threading.Event) -> bool:
    """True once the shop answers, False when it is no longer wanted."""
    give_up = time.monotonic() + _START_SECONDS
    while not _answers(port):
        if server.poll() is not None:
            raise ObservabilityError(f"uvicorn ended with exit code {server.returncode}: see its message above")
        if time.monotonic() > give_up:
            raise ObservabilityError(f"the shop did not answer within {_START_SECONDS} s")
        if stop.wait(0.1):
            return False
    return True


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


command = Command("run a small shop with metrics, logs and made-up visitors", _configure, _run)
