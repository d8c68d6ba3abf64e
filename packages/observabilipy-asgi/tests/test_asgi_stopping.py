"""Answers of ours under way when the process is told to end."""

import subprocess
import sys
import textwrap

# A server of its own, in a process of its own, because the signal belongs to the whole process.
SCRIPT = """
import asyncio, os, signal
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
from observabilipy import Observability
from observabilipy_asgi import ObservabilityApp, app
app._PATIENCE_SECONDS = 3600  # not this ends it
from observabilipy_asgi.testing import http_scope

async def main():
    obs = Observability(auth="public")
    for _ in range(100):
        obs.info("x" * 1000)
    endpoints = ObservabilityApp(obs)
    sent = []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append((message["type"], message.get("more_body")))
        if message["type"] == "http.response.body":
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()  # a client that takes nothing any more

    await endpoints(http_scope("/logs", query=b"limit=all"), receive, send)
    print(sent)
    await obs.aclose()

asyncio.run(main())
"""


def test_a_client_that_does_not_read_does_not_hold_up_the_end() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == (
        "handled\n[('http.response.start', None), ('http.response.body', True)]\n",
        "",
    )
