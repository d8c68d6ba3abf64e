"""Several real processes on one file: opening, counting, killing, forking and exiting."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from observabilipy.models import LogEntry, LogQuery, counter
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")

_HEAD = """
import asyncio, os, sqlite3, subprocess, sys, threading, time
from observabilipy.models import Family, LogEntry, LogQuery, MetricKind, counter, gauge
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage

path = sys.argv[1]

def commit(storage, sequence, worker="w"):
    entry = LogEntry(0, "INFO", f"{worker} {sequence}")
    storage.commit(Batch(Worker(worker), sequence, (entry, entry), (counter("a_total"),)))
"""


def _start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c",
         _HEAD + textwrap.dedent(script), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip


def _run(script: str, *arguments: object) -> tuple[int, str, str]:
    """Exit status, output and errors, once every process that the script left behind has ended, too."""
    process = _start(script, *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


async def _stored(path: Path) -> tuple[list[str], object]:
    """The messages in their order, and the value of the only series."""
    storage = SQLiteStorage(path)
    messages = [entry.message async for entry in storage.read_logs(LogQuery())]
    values = [series.value async for family in storage.totals() for series in family.series]
    await storage.aclose()
    return messages, values[0] if values else None


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@needs_fork
def test_twelve_processes_that_open_a_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    script = """
        statuses = []
        for round in range(5):
            gate, opener = os.pipe()
            children = []
            for number in range(12):
                pid = os.fork()
                if pid == 0:
                    os.close(opener)
                    os.read(gate, 1)
                    commit(SQLiteStorage(f"{path}{round}"), 1, f"w{number}")
                    os._exit(0)
                children.append(pid)
            os.close(opener)
            os.close(gate)
            statuses += [os.waitpid(pid, 0)[1] for pid in children]
            (count,) = sqlite3.connect(f"{path}{round}").execute("SELECT sum(entries) FROM segment").fetchone()
            statuses.append(count)
        print(statuses)
        os._exit(0)  # the connections of this script are not what is tested
    """
    status, out, err = _run(script, tmp_path / "obs.db")

    assert (status, out, err) == (0, f"{([0] * 12 + [24]) * 5}\n", "")


def test_totals_of_four_processes_are_exact(tmp_path: Path) -> None:
    script = """
        storage = SQLiteStorage(path)
        for sequence in range(1, 101):
            commit(storage, sequence, sys.argv[2])
            if sequence % 10 == 0:
                storage.maintain()
        storage.close()
    """
    processes = [_start(script, tmp_path / "obs.db", f"w{number}") for number in range(4)]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    messages, total = asyncio.run(_stored(tmp_path / "obs.db"))

    assert (errors, total, len(messages)) == ([""] * 4, 400, 800)
    assert messages[::2] == messages[1::2], "the two entries of a batch are not neighbours"
    assert [m for m in messages[::2] if m.startswith("w2 ")] == [f"w2 {number}" for number in range(1, 101)]


async def test_a_tail_sees_each_entry_of_other_processes_once_and_in_order(tmp_path: Path) -> None:
    script = """
        storage = SQLiteStorage(path)
        for sequence in range(1, 151):
            commit(storage, sequence, sys.argv[2])
    """
    storage = SQLiteStorage(tmp_path / "obs.db")
    processes = [_start(script, storage.path, f"w{number}") for number in range(3)]
    seen: list[LogEntry] = []
    running = True
    while running:
        running = any(process.poll() is None for process in processes)
        after = seen[-1].cursor if seen else None
        seen += [entry async for entry in storage.read_logs(LogQuery(after=after))]
    everything = [entry async for entry in storage.read_logs(LogQuery())]
    await storage.aclose()
    errors = [process.communicate(timeout=60)[1] for process in processes]

    assert errors == [""] * 3
    assert len(everything) == 900
    assert [entry.cursor for entry in seen] == [entry.cursor for entry in everything]


async def test_a_client_that_follows_cursors_sees_each_entry_once_while_four_processes_write_compact_and_delete(
    tmp_path: Path,
) -> None:
    script = """
        storage, worker = SQLiteStorage(path), sys.argv[2]
        for sequence in range(1, 151):
            entries = [LogEntry(sequence, level, f"{worker} {sequence}") for level in ("INFO", "DEBUG", "INFO")]
            storage.commit(Batch(Worker(worker), sequence, tuple(entries)))
            if sequence % 7 == 0:
                asyncio.run(storage.delete_oldest_logs(sequence % 40, "DEBUG"))
            if sequence % 10 == 0:
                storage.maintain()
        storage.close()
    """
    storage, other = SQLiteStorage(tmp_path / "obs.db"), SQLiteStorage(tmp_path / "obs.db")
    workers = [f"w{number}" for number in range(4)]
    processes = [_start(script, storage.path, worker) for worker in workers]
    seen: list[dict[str, str]] = []
    gone = 0
    after = None
    running = True
    while running:
        running = any(process.poll() is None for process in processes)
        async for page in storage.read_ndjson(LogQuery(after=after)):
            after = page.last
            seen += map(json.loads, page.lines.splitlines())
        read = sum(line["level"] == "INFO" for line in seen)
        gone += await other.delete_oldest_logs(read - gone, "INFO")
    await other.aclose()
    await storage.aclose()
    errors = [process.communicate(timeout=60)[1] for process in processes]
    positions = [int(line["cursor"].partition("-")[2]) for line in seen]
    until_they_were_read = [line["message"] for line in seen if line["level"] == "INFO"]

    assert errors == [""] * 4
    assert positions == sorted(set(positions))
    assert {worker: [m for m in until_they_were_read if m.startswith(worker)] for worker in workers} == {
        worker: [f"{worker} {sequence}" for sequence in range(1, 151) for _ in "12"] for worker in workers
    }


async def test_no_acknowledged_batch_is_lost_or_doubled_by_kill_nine(tmp_path: Path) -> None:
    script = """
        storage = SQLiteStorage(path)
        for sequence in range(1, 100_000):
            commit(storage, sequence, sys.argv[2])
            print(sequence, flush=True)
    """
    workers = ["w0", "w1", "w2"]
    acknowledged = []
    processes = [_start(script, tmp_path / "obs.db", worker) for worker in workers]
    for process in processes:
        assert process.stdout is not None
        for _ in range(40):
            process.stdout.readline()
        process.kill()
    for process in processes:
        assert process.stdout is not None
        acknowledged.append(40 + len(process.stdout.readlines()))
        assert process.communicate(timeout=60)[1] == ""
    storage = SQLiteStorage(tmp_path / "obs.db")
    for worker, last in zip(workers, acknowledged, strict=True):  # each repeats the batch whose end is unclear
        entry = LogEntry(0, "INFO", f"{worker} {last + 1}")
        storage.commit(Batch(Worker(worker), last + 1, (entry, entry), (counter("a_total"),)))
    (sound,) = storage._database.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchone())
    await storage.aclose()
    messages, total = await _stored(tmp_path / "obs.db")
    expected = {
        worker: [f"{worker} {number}" for number in range(1, last + 2) for _ in "12"]
        for worker, last in zip(workers, acknowledged, strict=True)
    }

    assert sound == "ok"
    assert {worker: [m for m in messages if m.startswith(worker)] for worker in workers} == expected
    assert total == sum(acknowledged) + 3


async def test_a_newcomer_begins_anew_at_once_beside_a_worker_that_still_has_the_deleted_file(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    for sequence in range(1, 30):
        storage.commit(Batch(Worker("old"), sequence, (LogEntry(0, "INFO", f"old {sequence}"),)))
    storage.path.unlink()
    script = "storage = SQLiteStorage(path); commit(storage, 1, 'new'); storage.close()"
    newcomer = await asyncio.to_thread(_run, script, storage.path)
    storage.commit(Batch(Worker("old"), 30, (LogEntry(0, "INFO", "old 30"),)))
    await storage.aclose()
    messages, _ = await _stored(storage.path)

    assert newcomer == (0, "", "")
    assert messages == ["new 1", "new 1", "old 30"]


@needs_fork
def test_parent_and_child_go_on_after_a_fork(tmp_path: Path) -> None:
    script = """
        storage = SQLiteStorage(path)
        commit(storage, 1, "parent")
        asyncio.run(storage.log_facts())
        pid = os.fork()
        if pid == 0:
            commit(storage, 1, "child")
            asyncio.run(storage.write_logs([LogEntry(0, "INFO", "child")] * 2))
            storage.close()
            sys.exit(0)
        commit(storage, 2, "parent")
        print(os.waitpid(pid, 0)[1])
        asyncio.run(storage.write_logs([LogEntry(0, "INFO", "parent")] * 2))
        print(asyncio.run(storage.count_logs(LogQuery())))
    """
    got = _run(script, tmp_path / "obs.db")

    assert got == (0, "0\n10\n", "")


@needs_fork
def test_a_child_that_outlives_its_parent_loses_nothing_when_strangers_come_and_go(tmp_path: Path) -> None:
    script = """
        stranger = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        stranger += "print(*c.execute('SELECT sum(entries) FROM segment')); c.close()"
        storage = SQLiteStorage(path)
        commit(storage, 1, "parent")
        asyncio.run(storage.log_facts())
        alive, dead = os.pipe()
        if os.fork():
            os._exit(0)
        os.close(dead)
        os.read(alive, 1)
        commit(storage, 1, "child")
        subprocess.run([sys.executable, "-c", stranger, path])
        commit(storage, 2, "child")
        asyncio.run(storage.write_logs([LogEntry(0, "INFO", "child")] * 2))
        subprocess.run([sys.executable, "-c", stranger, path])
    """
    status, out, err = _run(script, tmp_path / "obs.db")

    assert (status, [line for line in out.split("\n") if line], err) == (0, ["(4,)", "(8,)"], "")


@needs_fork
def test_a_fork_waits_for_transactions_that_run(tmp_path: Path) -> None:
    script = """
        storage = SQLiteStorage(path)
        commit(storage, 1, "parent")
        inside, leave = threading.Event(), threading.Event()

        def slow(connection):
            inside.set()
            leave.wait()
            connection.execute("INSERT INTO meta VALUES ('slow', 1)")

        thread = threading.Thread(target=storage._database.write, args=(slow,))
        thread.start()
        inside.wait()
        threading.Timer(0.1, leave.set).start()
        pid = os.fork()
        if pid == 0:
            commit(storage, 1, "child")
            storage.close()
            os._exit(0)
        thread.join()
        print(os.waitpid(pid, 0)[1], asyncio.run(storage.count_logs(LogQuery())))
        print(storage._database.read(lambda connection: connection.execute("SELECT count(*) FROM meta").fetchone()))
    """
    got = _run(script, tmp_path / "obs.db")

    assert got == (0, "0 4\n(2,)\n", "")


@needs_fork
def test_a_connection_that_had_to_be_inherited_is_neither_used_nor_closed(tmp_path: Path) -> None:
    script = """
        import observabilipy_sqlite.database as database
        storage = SQLiteStorage(path)
        commit(storage, 1, "parent")
        inside, leave = threading.Event(), threading.Event()
        database._PATIENCE_SECONDS = 0.01
        held = storage._database
        inherited = held._connection
        held._lock.acquire()
        pid = os.fork()
        if pid == 0:
            commit(storage, 1, "child")
            print(inherited in database._INHERITED, held._connection is not inherited)
            print(inherited.execute("SELECT 1").fetchone())
            storage.close()
            sys.exit(0)
        print(os.waitpid(pid, 0)[1])
        held._lock.release()
        commit(storage, 2, "parent")
        print(asyncio.run(storage.count_logs(LogQuery())))
    """
    status, out, err = _run(script, tmp_path / "obs.db")

    assert (status, sorted(out.splitlines()), err) == (0, ["(1,)", "0", "6", "True True"], "")


@pytest.mark.parametrize("way", ["pass", "sys.exit(0)", "del storage; asyncio.run(asyncio.sleep(0))"])
def test_a_storage_that_nobody_closed_ends_with_the_interpreter_in_silence(tmp_path: Path, way: str) -> None:
    script = """
        storage = SQLiteStorage(path)
        async def main():
            await storage.write_logs([LogEntry(0, "INFO", "x")])
            reading = storage.read_logs(LogQuery())
            await anext(reading)
            await reading.aclose()
        asyncio.run(main())
        commit(storage, 1)
    """
    if way.startswith("del"):
        script = script.replace("storage = ", "keep = storage = ")
    status, out, err = _run(textwrap.dedent(script) + way, tmp_path / "obs.db")

    assert (status, out, err) == (0, "", "")
    assert _names(tmp_path) == ["obs.db"], "the last one to close has not copied the WAL into the file"


def test_sqlite_adds_integers_beyond_64_bits_as_floats() -> None:
    """Why totals are added in Python: SQLite gives no error, and no integer, ever again."""
    connection = sqlite3.connect(":memory:")
    (total,) = connection.execute(f"SELECT {2**63 - 1} + 1").fetchone()
    connection.close()

    assert (total, type(total)) == (2.0**63, float)
