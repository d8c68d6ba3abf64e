"""The embedded runtime where Python starts no thread: at a limit of the system, and when the interpreter ends."""

import subprocess
import sys
import textwrap
import threading

import pytest

from observabilipy import LogQuery, Observability


async def test_records_wait_while_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Observability(handle_sigterm=False, collectors=()) as obs:
        with monkeypatch.context() as limit:
            limit.setattr(threading.Thread, "start", refuse)
            obs.info("one")
            obs.info("two")
        obs.flush()
        messages = [entry.message async for entry in obs.storage.read_logs(LogQuery())]
        failures = [series.value async for family in obs.storage.totals() for series in family.series]

        assert (messages, failures) == (["one", "two"], [2])


def test_what_is_recorded_first_when_python_ends_is_committed_without_a_word() -> None:
    # From 3.12 on no thread can be started by then.
    script = """
        import asyncio, atexit
        from observabilipy import LogQuery, Observability

        async def show():
            print([entry.message async for entry in obs.storage.read_logs(LogQuery())])

        obs = Observability("memory://", collectors=())
        atexit._clear()  # what follows runs backwards: the record, our own hook, show
        atexit.register(lambda: asyncio.run(show()))
        atexit.register(obs.close)
        atexit.register(obs.info, "first and last")
    """

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("['first and last']\n", "")
