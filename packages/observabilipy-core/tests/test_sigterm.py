"""SIGTERM, as processes meet it: nothing recorded is lost, and whoever handles it still does."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# Told appends what is committed to a file, so that this test can see it.
RECORDING = """
import os, signal, sys, threading, time
from pathlib import Path
from observabilipy import Observability, sigterm
from observabilipy.storage.memory import MemoryStorage

class Told(MemoryStorage):
    def commit(self, batch):
        report = super().commit(batch)
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            for entry in batch.entries:
                print(entry.message, file=file)
        return report

def terminate():
    os.kill(os.getpid(), signal.SIGTERM)

obs = Observability(Told(), flush_interval=3600, handle_sigterm="gently" not in sys.argv)
"""


def committed(tmp_path: Path, script: str, *arguments: str, setup: str = "") -> tuple[int, str, str]:
    """Exit code, what was printed, and what was committed."""
    path = tmp_path / "committed"
    path.touch()
    program = textwrap.dedent(setup) + RECORDING + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(path), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout, path.read_text(encoding="utf-8")


SERVER = """
def handler(number, frame):
    print("handled")
signal.signal(signal.SIGTERM, handler)
"""


def test_a_handler_that_is_there_already_is_called_after_a_commit(tmp_path: Path) -> None:
    # A server that ends by _exit: nobody runs atexit.
    script = """
        obs.info("before")
        terminate()
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\n" + SERVER) == (0, "handled\n", "before\n")


def test_a_handler_that_comes_later_is_taken_in_at_the_first_record(tmp_path: Path) -> None:
    script = f"""{SERVER}
obs.info("before")
terminate()
os._exit(0)
"""

    assert committed(tmp_path, script) == (0, "handled\n", "before\n")


def test_what_is_recorded_after_the_signal_is_committed_within_moments(tmp_path: Path) -> None:
    script = """
        obs.info("before")
        terminate()
        obs.info("after")
        while "after" not in Path(sys.argv[1]).read_text(encoding="utf-8"):
            time.sleep(0.01)
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\n" + SERVER) == (0, "handled\n", "before\nafter\n")


def test_a_handler_that_is_taken_in_already_is_not_taken_in_twice(tmp_path: Path) -> None:
    script = """
        Observability(Told())
        obs.info("before")
        sigterm.look_again()
        terminate()
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\n" + SERVER) == (0, "handled\n", "before\n")


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    script = """
        obs.info("before")
        terminate()
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n") == (
        0,
        "True\n",
        "",
    )


def test_handle_sigterm_off_leaves_handlers_alone(tmp_path: Path) -> None:
    script = """
        obs.info("before")
        print(signal.getsignal(signal.SIGTERM) is handler)
        os._exit(0)
        """

    assert committed(tmp_path, script, "gently", setup="import signal\n" + SERVER) == (0, "True\n", "")


def test_a_commit_that_hangs_holds_a_handler_up_for_a_second_at_most(tmp_path: Path) -> None:
    script = """
        class Stuck(MemoryStorage):
            def commit(self, batch):
                time.sleep(3600)
        stuck = Observability(Stuck(), flush_interval=3600)
        stuck.info("before")
        terminate()
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\n" + SERVER) == (0, "handled\n", "")


@pytest.mark.parametrize(("seconds", "is_stopping"), [(0, True), (60, False)])
def test_the_process_knows_that_it_stops_and_since_when(tmp_path: Path, seconds: int, is_stopping: bool) -> None:
    script = f"""
        before = sigterm.stopping({seconds})
        terminate()
        print(before, sigterm.stopping({seconds}))
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\n" + SERVER)[1] == f"handled\nFalse {is_stopping}\n"


def test_a_forked_child_does_not_stop_with_its_parent(tmp_path: Path) -> None:
    script = """
        terminate()
        if os.fork() == 0:
            print(sigterm.stopping())
            sys.stdout.flush()
            os._exit(0)
        os.wait()
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\n" + SERVER.replace('print("handled")', "pass")) == (
        0,
        "False\n",
        "",
    )


UWSGI = """
import sys, types
sys.modules["uwsgi"] = types.SimpleNamespace(opt={}, worker_id=lambda: 1)
"""


def test_where_threads_do_not_run_whoever_records_commits_when_it_is_time(tmp_path: Path) -> None:
    script = """
        quick = Observability(Told(), flush_interval=0.001)
        quick.info("first")
        time.sleep(0.01)
        quick.info("second")
        print([thread.name for thread in threading.enumerate()], Path(sys.argv[1]).read_text(encoding="utf-8").split())
        """

    assert committed(tmp_path, script, setup=UWSGI) == (0, "['MainThread'] ['first']\n", "first\nsecond\n")


def test_where_threads_do_not_run_a_flush_is_done_by_who_asks(tmp_path: Path) -> None:
    script = """
        obs.info("first")
        obs.info("second")
        print(obs.flush())
        os._exit(0)
        """

    assert committed(tmp_path, script, setup=UWSGI) == (0, "True\n", "first\nsecond\n")


@pytest.mark.parametrize("options", ['{"enable-threads": True}', '{"enable-threads": b"true"}', '{"threads": b"2"}'])
def test_uwsgi_with_threads_is_like_everywhere_else(tmp_path: Path, options: str) -> None:
    script = """
        obs.info("first")
        print(obs.flush(), [thread.name for thread in threading.enumerate()])
        os._exit(0)
        """

    assert committed(tmp_path, script, setup=UWSGI.replace("opt={}", f"opt={options}")) == (
        0,
        "True ['MainThread', 'observabilipy']\n",
        "first\n",
    )


def test_a_long_answer_ends_with_the_process(tmp_path: Path) -> None:
    script = """
        import asyncio
        from observabilipy.http import Request, Stopped

        async def download():
            for _ in range(9_000):
                obs.info("x" * 1_000)
            obs.flush()
            long = Observability(obs.storage, auth="public", handle_sigterm=False)
            response = await long.endpoints.handle(Request("GET", "/logs", b"limit=all"))
            async for _ in response.body:
                if not sigterm.stopping():
                    terminate()
                await asyncio.sleep(0.05)  # a slow client

        try:
            asyncio.run(download())
        except Stopped as stopped:
            print(stopped)
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\n" + SERVER)[:2] == (
        0,
        "handled\nthe process ends, and the answer is not whole: ask again from where it broke off\n",
    )


@pytest.mark.parametrize(("setup", "code"), [("", -15), ("import signal\n" + SERVER, 0)], ids=["nobody", "a server"])
def test_sigterm_in_the_middle_of_a_fork_waits_for_its_end(tmp_path: Path, setup: str, code: int) -> None:
    pytest.importorskip("observabilipy_sqlite", reason="SQLite's lock is what a handler would wait for")
    script = """
        stored = Observability(f"sqlite:///{sys.argv[1]}.db", flush_interval=3600)
        stored.counter("jobs_total", "Jobs.").inc(7)
        stored.flush()
        os.register_at_fork(after_in_parent=terminate)  # called while all is paused
        stored.info("last words")
        obs.info("last words")
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
        """

    assert committed(tmp_path, script, setup=setup)[::2] == (code, "last words\n")


def test_stores_that_hang_hold_a_handler_up_for_a_second_together(tmp_path: Path) -> None:
    script = """
        class Stuck(MemoryStorage):
            def commit(self, batch):
                time.sleep(3600)
        for _ in range(30):
            stuck = Observability(Stuck(), flush_interval=3600)
            stuck.info("before")
        signal.alarm(15)
        terminate()
        os._exit(0)
        """

    assert committed(tmp_path, script, setup="import signal\n" + SERVER) == (0, "handled\n", "")
