"""Answers of /logs when the process is told to end: in processes of their own, because the signal belongs to one."""

import subprocess
import sys
import textwrap

SETUP = """
import asyncio, os, signal
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
from observabilipy import LogEntry, sigterm
from observabilipy.http import Endpoints, Request, Stopped
from observabilipy.storage.memory import MemoryStorage

sigterm.watch()
storage = MemoryStorage()
# For the limits no time passes.
endpoints = Endpoints(storage, auth="public", monotonic=lambda: 0.0, on_cut=print)

def terminate():
    if not sigterm.stopping():
        os.kill(os.getpid(), signal.SIGTERM)
"""


def printed(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SETUP + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout


def test_a_follower_comes_to_an_orderly_end() -> None:
    script = """
        async def follow():
            async for chunk in (await endpoints.handle(Request("GET", "/logs", b"follow=1"))).body:
                terminate()
                print(chunk or "nothing yet")

        asyncio.run(follow())
        print("ended")
        """

    assert printed(script) == "handled\nb'\\n'\nnothing yet\nended\n"


def test_a_follower_in_a_thread_comes_to_an_orderly_end() -> None:
    script = """
        body = endpoints.handle_sync(Request("GET", "/logs", b"follow=1")).body
        print(next(body))
        terminate()
        print(list(body))
        """

    assert printed(script) == "b'\\n'\nhandled\n[]\n"


def test_a_follower_far_behind_does_not_read_on() -> None:
    script = """
        async def follow():
            await storage.write_logs([LogEntry.info("x" * 10_000) for _ in range(1_000)])
            chunks = 0
            async for chunk in (await endpoints.handle(Request("GET", "/logs", b"follow=1&after=start"))).body:
                chunks += 1
                terminate()
            print(chunks)

        asyncio.run(follow())
        """

    assert printed(script) == "handled\n1\n"


def test_a_download_breaks_off_and_is_counted() -> None:
    script = """
        async def download():
            await storage.write_logs([LogEntry.info("x" * 1_000) for _ in range(9_000)])
            async for chunk in (await endpoints.handle(Request("GET", "/logs", b"limit=all"))).body:
                terminate()
                await asyncio.sleep(0.05)  # a slow client

        try:
            asyncio.run(download())
        except Stopped as stopped:
            print(stopped)
        """

    assert printed(script) == (
        "handled\nstopped\nthe process ends, and the answer is not whole: ask again from where it broke off\n"
    )
