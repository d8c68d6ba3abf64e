"""Processes that end without running what Python runs at its end: what they recorded is committed."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from observabilipy import LogQuery
from observabilipy_sqlite import SQLiteStorage

pytestmark = pytest.mark.e2e

Wait = Callable[[Callable[[], bool], str], None]

CELERY_JOBS = Path(__file__).with_name("celery_jobs.py")
JOBS = [str(number) for number in range(20)]

PROGRAM = """
    import multiprocessing, os, signal, sys, time
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path
    from observabilipy import Observability

    obs = Observability(f"sqlite:///{sys.argv[1]}", flush_interval=3600)
    jobs = obs.counter("jobs_total", "Jobs done.")

    def job(number):
        jobs.inc()
        obs.info("done", number=number)

    def last_job(number, done):
        job(number)
        done.send(number)
        time.sleep(60)

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[2])
"""

WAYS = {
    "an executor that is shut down": """
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            list(executor.map(job, range(20)))
    """,
    "a pool that is closed": """
        pool = context.Pool(2)
        pool.map(job, range(20))
        pool.close()
        pool.join()
    """,
    "a pool whose processes serve three jobs each": """
        pool = context.Pool(2, maxtasksperchild=3)
        pool.map(job, range(20), chunksize=1)
        pool.close()
        pool.join()
    """,
    "a pool that is terminated": """
        with context.Pool(2) as pool:
            pool.map(job, range(20))
    """,
    "processes that are terminated": """
        for number in range(20):
            heard, done = context.Pipe(duplex=False)
            child = context.Process(target=last_job, args=(number, done))
            child.start()
            heard.recv()
            child.terminate()
            child.join()
    """,
}


def kept(path: Path) -> tuple[object, list[str]]:
    """What the counters add up to, and the numbers of the jobs in the log."""

    async def read() -> tuple[object, list[str]]:
        storage = SQLiteStorage(path)
        totals = [series.value async for family in storage.totals(["jobs_total"]) for series in family.series]
        numbers = [str(entry.attributes["number"]) async for entry in storage.read_logs(LogQuery())]
        await storage.aclose()
        return totals[0] if totals else None, sorted(numbers, key=int)

    return asyncio.run(read())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("way", WAYS)
def test_jobs_in_other_processes_are_all_stored(tmp_path: Path, way: str, method: str) -> None:
    program = tmp_path / "program.py"
    ending = textwrap.indent(textwrap.dedent(WAYS[way]), "    ")
    program.write_text(textwrap.dedent(PROGRAM) + ending, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program, tmp_path / "observability.db", method],
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )

    assert (done.returncode, kept(tmp_path / "observability.db")) == (0, (20, JOBS)), done.stderr


def test_jobs_of_a_celery_worker_that_is_stopped_are_all_stored(tmp_path: Path, wait: Wait) -> None:
    settings = {**os.environ, "JOBS_DIRECTORY": str(tmp_path), "PYTHONPATH": str(CELERY_JOBS.parent)}
    with (tmp_path / "celery.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", CELERY_JOBS.stem, "worker", "--concurrency", "2"],
            cwd=tmp_path,
            env=settings,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        subprocess.run([sys.executable, CELERY_JOBS], env=settings, timeout=60, check=True)
        wait(lambda: len(list((tmp_path / "finished").iterdir())) == len(JOBS), "every job is finished")
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(60)
    printed = (tmp_path / "celery.log").read_text(encoding="utf-8")

    assert kept(tmp_path / "observability.db") == (20, JOBS), printed
