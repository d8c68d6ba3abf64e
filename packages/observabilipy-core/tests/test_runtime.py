"""The embedded runtime: its thread, its endings, forks."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from observabilipy import (
    ConfigurationError,
    EmbeddedRuntime,
    InMemoryLogStorage,
    LogEntry,
    LogQuery,
    Observability,
    RetentionPolicy,
)
from observabilipy.models import from_micros
from observabilipy.ports import Batch, CommitReport
from observabilipy.storage.memory import MemoryStorage
from observabilipy.testing import FakeClock


async def messages(obs: Observability) -> list[str]:
    return [entry.message async for entry in obs.storage.read_logs(LogQuery())]


def runtime_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("observabilipy")]


def test_no_thread_runs_before_the_first_record() -> None:
    obs = Observability(handle_sigterm=False)
    obs.counter("jobs_total", "Jobs.")
    before = runtime_threads()
    obs.info("first")
    after = runtime_threads()
    obs.close()

    assert (before, after, runtime_threads()) == ([], ["observabilipy"], [])


async def test_records_are_committed_without_being_asked() -> None:
    with Observability(flush_interval=0.01, handle_sigterm=False) as obs:
        obs.info("hello")
        while not await messages(obs):
            await asyncio.sleep(0.005)

        assert await messages(obs) == ["hello"]


async def test_flush_commits_what_was_recorded_before() -> None:
    with Observability(flush_interval=3600, handle_sigterm=False) as obs:
        obs.info("sync")
        flushed = obs.flush()
        obs.info("async")

        assert (flushed, await obs.aflush(), await messages(obs)) == (True, True, ["sync", "async"])


async def test_concurrent_flushes_share_the_work() -> None:
    with Observability(flush_interval=3600, handle_sigterm=False) as obs:
        obs.info("x")

        assert await asyncio.gather(*(obs.aflush() for _ in range(50))) == [True] * 50


async def test_close_commits_ends_the_thread_and_may_be_called_again() -> None:
    obs = Observability(flush_interval=3600, handle_sigterm=False)
    obs.info("last words")
    await obs.aclose()
    obs.close()

    assert (await messages(obs), runtime_threads()) == (["last words"], [])


async def test_what_is_recorded_after_close_is_given_up_and_one_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    obs = Observability(handle_sigterm=False)
    obs.close()
    obs.info("too late")
    obs.info("too late")

    assert [record.getMessage() for record in caplog.records] == [
        "log entries are dropped (closed); observabilipy_log_entries_dropped_total counts them by level"
    ]


async def test_after_a_rest_the_next_record_wakes_the_runtime() -> None:
    obs = Observability(flush_interval=3600, handle_sigterm=False)
    obs.info("before")
    await obs.runtime.arest()
    resting = runtime_threads()
    obs.info("after")
    working = runtime_threads()
    obs.close()

    assert (resting, working, await messages(obs)) == ([], ["observabilipy"], ["before", "after"])


async def test_the_runtime_applies_retention_and_samples_the_history_of_plain_storages() -> None:
    clock = FakeClock()
    logs = InMemoryLogStorage(clock=clock)
    await logs.write_logs([LogEntry(clock() - 100, "INFO", "old"), LogEntry(clock(), "INFO", "new")])
    policy = RetentionPolicy(max_age=60)
    async with EmbeddedRuntime(logs, log_retention=policy, retention_interval=0.01, clock=clock):
        while [entry.message async for entry in logs.read_logs(LogQuery())] != ["new"]:
            await asyncio.sleep(0.01)


async def test_the_runtime_samples_the_history() -> None:
    storage = MemoryStorage()
    with Observability(storage, flush_interval=0.01, history_interval=0.01, handle_sigterm=False) as obs:
        obs.counter("jobs_total", "Jobs.").inc()
        while not await storage.count_samples():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("option", "value"),
    [("flush_interval", 0), ("history_interval", -1), ("flush_interval", float("nan")), ("flush_interval", "1")],
)
def test_intervals_must_be_positive(option: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{option} must be a positive number, got {value!r}"):
        Observability(handle_sigterm=False, **{option: value})  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_retention": 60}, "log_retention must be a RetentionPolicy or a LevelRetentionPolicy, got 60: write"),
        ({"history_retention": "1d"}, "history_retention must be a RetentionPolicy, got '1d': write"),
        ({"history_retention": RetentionPolicy(max_bytes=1)}, "retention of a history knows max_age and max_count"),
    ],
)
def test_retention_that_cannot_be_kept_is_refused_at_once(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Observability(handle_sigterm=False, **options)  # type: ignore[arg-type]  # on purpose


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


RECORDING = """
    import json, os, signal, sys
    from pathlib import Path
    from observabilipy import Observability
    from observabilipy.storage.memory import MemoryStorage

    class Told(MemoryStorage):
        '''Appends what is committed to a file, so that the parent of this process can see it.'''
        def commit(self, batch):
            report = super().commit(batch)
            with open({path!r}, "a", encoding="utf-8") as file:
                for entry in batch.entries:
                    print(entry.message, file=file)
                for sample in batch.samples:
                    if sample.value:
                        print(sample.name, sample.value, file=file)
            return report

    obs = Observability(Told(), collectors=(), flush_interval=3600)
    jobs = obs.counter("jobs_total", "Jobs.")
    """


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise RuntimeError('on purpose')", 1),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), signal.SIGTERM)", 0),
    ],
)
def test_orderly_endings_lose_nothing(tmp_path: Path, ending: str, code: int) -> None:
    path = tmp_path / "committed"
    script = textwrap.dedent(RECORDING.format(path=str(path))) + f"jobs.inc(7)\nobs.info('last words')\n{ending}\n"
    done = run(script)

    assert (done.returncode, sorted(path.read_text(encoding="utf-8").split("\n"))) == (
        code,
        ["", "jobs_total 7", "last words"],
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_reports_its_own_records_and_never_the_parents(tmp_path: Path) -> None:
    path = tmp_path / "committed"
    script = textwrap.dedent(RECORDING.format(path=str(path))) + textwrap.dedent("""
        jobs.inc(100)
        obs.info("parent before")
        child = os.fork()
        if child == 0:
            jobs.inc(1)
            obs.info("child")
            sys.exit(0)
        os.waitpid(child, 0)
        jobs.inc(10)
        obs.info("parent after")
        """)
    done = run(script)

    assert (done.returncode, sorted(path.read_text(encoding="utf-8").split("\n"))) == (
        0,
        ["", "child", "jobs_total 1", "jobs_total 10", "jobs_total 100", "parent after", "parent before"],
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_lose_nothing(tmp_path: Path, method: str) -> None:
    path = tmp_path / "committed"
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(RECORDING.format(path=str(path)))
        + textwrap.dedent(f"""
            import multiprocessing
            def work(number):
                jobs.inc(number)
                obs.info(f"child {{number}}")
            if __name__ == "__main__":
                context = multiprocessing.get_context({method!r})
                children = [context.Process(target=work, args=(number,)) for number in (1, 2)]
                for child in children: child.start()
                for child in children: child.join()
            """),
        encoding="utf-8",
    )
    subprocess.run([sys.executable, program], timeout=60, check=True, stderr=subprocess.DEVNULL)

    assert sorted(path.read_text(encoding="utf-8").split("\n")) == [
        "",
        "child 1",
        "child 2",
        "jobs_total 1",
        "jobs_total 2",
    ]


@pytest.mark.parametrize("way", ["flush", "close", "rest"])
def test_a_storage_that_asks_for_a_flush_in_mid_commit_is_told_no(way: str) -> None:
    answers: list[bool] = []

    class Asking(MemoryStorage):
        def commit(self, batch: Batch) -> CommitReport:
            answers.append(obs.flush())
            return super().commit(batch)

    obs = Observability(Asking(), collectors=(), flush_interval=3600, handle_sigterm=False)
    obs.info("m")
    if way == "flush":
        obs.flush()
    elif way == "rest":
        asyncio.run(obs.runtime.arest())
    obs.close()

    assert answers == [False]


async def test_flush_tells_the_truth_about_records_of_many_threads() -> None:
    committed: list[str] = []

    class Listed(MemoryStorage):
        def commit(self, batch: Batch) -> CommitReport:
            committed.extend(entry.message for entry in batch.entries)
            return super().commit(batch)

    missing: list[str] = []
    obs = Observability(Listed(), flush_interval=3600, handle_sigterm=False)

    def work(name: int) -> None:
        for number in range(100):
            message = f"{name} {number}"
            obs.info(message)
            if obs.flush() and message not in committed:
                missing.append(message)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        await obs.runtime.arest()
    for thread in threads:
        thread.join()
    obs.close()

    assert (missing, len(committed)) == ([], 400)


def test_sigterm_during_close_waits_for_what_close_has_begun(tmp_path: Path) -> None:
    path = tmp_path / "committed"
    script = textwrap.dedent(RECORDING.format(path=str(path))) + textwrap.dedent("""
        class Interrupted(Told):
            def commit(self, batch):
                os.kill(os.getpid(), signal.SIGTERM)
                return super().commit(batch)
        obs = Observability(Interrupted(), collectors=(), flush_interval=3600)
        obs.info("last words")
        obs.close()
        """)
    done = run(script)

    assert (done.returncode, path.read_text(encoding="utf-8")) == (-15, "last words\n")


def test_a_counter_that_outlives_every_other_reference_still_counts(tmp_path: Path) -> None:
    path = tmp_path / "committed"
    script = textwrap.dedent(RECORDING.format(path=str(path))) + textwrap.dedent("""
        import gc
        del obs
        gc.collect()
        jobs.inc(7)
        """)
    done = run(script)

    assert (done.returncode, path.read_text(encoding="utf-8")) == (0, "jobs_total 7\n")


async def test_a_blocking_flush_inside_a_running_loop_uses_plain_storages_too() -> None:
    logs = InMemoryLogStorage()
    with Observability(logs, flush_interval=3600, handle_sigterm=False) as obs:
        obs.info("m")

        assert (obs.flush(), await messages(obs)) == (True, ["m"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_memory_in_a_forked_worker_warns_once_and_names_sqlite(tmp_path: Path) -> None:
    script = textwrap.dedent(RECORDING.format(path=str(tmp_path / "committed"))) + textwrap.dedent("""
        obs.info("parent")
        child = os.fork()
        if child == 0:
            obs.info("child"); obs.info("child")
            sys.exit(0)
        os.waitpid(child, 0)
        """)

    assert run(script).stderr == (
        "memory:// and ring:// hold what one process records, and this one is a worker among others:"
        ' use "sqlite:///observability.db" to have all of them counted together\n'
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_no_child_hangs_that_was_forked_while_threads_record(tmp_path: Path) -> None:
    script = textwrap.dedent(RECORDING.format(path=str(tmp_path / "committed"))) + textwrap.dedent("""
        import threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # the threads of this script, not ours
        stop = threading.Event()
        def work():
            while not stop.is_set():
                obs.info("x", n=1); jobs.inc()
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads: thread.start()
        bad = 0
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(10)
                obs.info("child"); jobs.inc(); obs.flush()
                os._exit(0)
            bad += os.waitpid(child, 0)[1] != 0
        stop.set()
        for thread in threads: thread.join()
        print(bad)
        """)

    assert run(script).stdout == "0\n"


def test_timestamps_are_those_of_the_clock() -> None:
    clock = FakeClock()
    storage = MemoryStorage(clock=clock)
    obs = Observability(storage, clock=clock, handle_sigterm=False)
    obs.info("now")
    obs.close()
    facts = asyncio.run(storage.log_facts())

    assert facts.levels["INFO"].oldest == from_micros(round(clock() * 1e6))
