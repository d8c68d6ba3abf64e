"""The demo as a person runs it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

Wait = Callable[[Callable[[], bool], str], None]
COMMAND = str(Path(sys.executable).with_name("observabilipy"))


class Demo:
    """The command under way, and what it printed."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self._printed = directory / "printed"
        with self._printed.open("wb") as out:
            self.process = subprocess.Popen(
                [COMMAND, "demo", *arguments],
                env={**{name: os.environ[name] for name in os.environ.keys() - {"UV"}}, "TMPDIR": str(directory)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def printed(self) -> str:
        return self._printed.read_text(encoding="utf-8")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.printed()
        return "stops" in self.printed()

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.printed(), re.MULTILINE)
        assert match is not None, self.printed()
        return match[1]

    @property
    def port(self) -> int:
        return int(self.found(r"http://127\.0\.0\.1:(\d+)"))

    @property
    def token(self) -> str:
        return self.found(r"^  token +(\S+)$")

    def status(self, path: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    begun: list[Demo] = []

    def begin(*arguments: str) -> Demo:
        begun.append(Demo(tmp_path, *arguments))
        return begun[-1]

    yield begin
    for each in begun:
        each.process.terminate()  # it stops its server itself
        each.process.wait(60)


def left_behind(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name != "printed"]


def test_the_demo_runs_for_a_while_and_leaves_nothing_behind(
    demo: Callable[..., Demo], wait: Wait, tmp_path: Path
) -> None:
    run = demo("--seconds", "10")
    wait(run.is_ready, "the demo says where it is")
    statuses = [run.status("/metrics"), run.status("/logs"), run.status("/products/1")]

    def tail_shows_it() -> bool:
        command = [COMMAND, "tail", "--no-follow", "-q", "GET /products/1 200", f"http://127.0.0.1:{run.port}"]
        environment = {**os.environ, "OBSERVABILIPY_TOKEN": run.token}
        return (
            b"GET /products/1 200"
            in subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
        )

    wait(tail_shows_it, "the request is in the log, at most a flush interval later")

    assert statuses == [200, 200, 200]
    assert (run.process.wait(60), left_behind(tmp_path)) == (0, [])


def test_the_demo_prints_lines_that_are_ready_to_use(demo: Callable[..., Demo], wait: Wait) -> None:
    run = demo("--workers", "1")
    wait(run.is_ready, "the demo says where it is")
    port, token = run.port, run.token

    assert [line.strip() for line in run.printed().splitlines() if token in line] == [
        f"token     {token}",
        f"metrics   curl -H 'Authorization: Bearer {token}' http://127.0.0.1:{port}/metrics",
        f"logs      curl -H 'Authorization: Bearer {token}' 'http://127.0.0.1:{port}/logs?limit=10'",
        f"follow    OBSERVABILIPY_TOKEN={token} observabilipy tail http://127.0.0.1:{port}",
        f"credentials: {token}",
    ]


def test_control_c_ends_the_demo_in_order(demo: Callable[..., Demo], wait: Wait, tmp_path: Path) -> None:
    run = demo("--workers", "2")
    wait(run.is_ready, "the demo says where it is")
    run.process.send_signal(signal.SIGINT)

    assert (run.process.wait(60), run.printed().splitlines()[-1], left_behind(tmp_path)) == (0, "Ctrl-C stops it.", [])
