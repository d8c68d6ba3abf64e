"""Rings, and processes that are killed, forked or in each other's way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from observabilipy.logs.leftover import REST, leftovers

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals, forks and file locks")

SETUP = """
import json, mmap, os, struct, sys, threading, time
from pathlib import Path
from observabilipy.logs.leftover import leftovers
from observabilipy.logs.ring import Ring

directory = Path(sys.argv[1])

def make(name="w1", capacity=1 << 20):
    return Ring.create(directory, name, "host", os.getpid(), {}, capacity=capacity)

def say(*words):
    print(*words, flush=True)
"""


@contextmanager
def running(directory: Path, script: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process with pipes; killed in the end."""
    command = [sys.executable, "-W", "error", "-c", SETUP + textwrap.dedent(script), str(directory), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def said(process: "subprocess.Popen[str]") -> list[str]:
    """Everything until it is done."""
    assert process.stdout is not None
    return process.stdout.read().splitlines()


def tell(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def killed(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, "this takes too long"
        time.sleep(0.001)


def found(directory: Path, max_records: int = 100) -> list[tuple[int, list[bytes]]]:
    batches: list[tuple[int, list[bytes]]] = []
    for leftover in leftovers(directory):
        with leftover:
            batches += leftover.batches(max_records)
    return batches


THREADS = """
told = mmap.mmap(os.open(sys.argv[2], os.O_RDWR), 32)

def record(thread):
    number = 0
    while True:
        if ring.append(b"%d %d" % (thread, number)):
            number += 1
            told[8 * thread : 8 * thread + 8] = struct.pack("<Q", number)  # pack_into would write zeros first

def start():
    sys.setswitchinterval(1e-5)
    for thread in range(4):
        threading.Thread(target=record, args=(thread,), daemon=True).start()
"""


def counted(path: Path) -> list[int]:
    """How many appends of each thread returned."""
    told = path.read_bytes()
    return [int.from_bytes(told[at : at + 8], "little") for at in range(0, 32, 8)]


def numbers(payloads: list[bytes]) -> list[list[int]]:
    """What came of each thread, in order."""
    pairs = [payload.split() for payload in payloads]
    return [[int(number) for thread, number in pairs if int(thread) == each] for each in range(4)]


def assert_each_once(recovered: list[list[int]], returned: list[int]) -> None:
    assert recovered == [list(range(len(each))) for each in recovered]
    # One more may be whole whose append did not return any more, or was not told yet.
    assert [len(each) - count for each, count in zip(recovered, returned, strict=True) if len(each) - count > 1] == []
    assert [count for each, count in zip(recovered, returned, strict=True) if len(each) < count] == []


@pytest.mark.parametrize("appends", [1, 500, 3_000])
def test_what_was_appended_survives_the_kill_of_its_process(tmp_path: Path, appends: int) -> None:
    counts = tmp_path / "counts"
    counts.write_bytes(bytes(32))
    script = THREADS + 'ring = make()\nstart()\nsay("on")\nthreading.Event().wait()'
    with running(tmp_path / "rings", script, str(counts)) as process:
        until(lambda: sum(counted(counts)) >= appends)
        killed(process)

    payloads = [payload for _, batch in found(tmp_path / "rings") for payload in batch]
    assert_each_once(numbers(payloads), counted(counts))


@pytest.mark.parametrize("rounds", [1, 3, 30, 100])
def test_store_and_ring_have_each_record_once_whenever_the_process_is_killed(tmp_path: Path, rounds: int) -> None:
    # A small ring goes round and is full all the time. The store is a file of lines; a half one is not committed.
    counts, store = tmp_path / "counts", tmp_path / "store"
    counts.write_bytes(bytes(32))
    store.touch()
    script = THREADS + textwrap.dedent(
        """
        ring = make(capacity=8192)
        start()
        file = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND)
        sequence = 0
        while True:
            if records := ring.read(50):
                sequence += 1
                ring.intend(sequence, records[-1][1])
                line = json.dumps([sequence, [payload.decode() for payload, _ in records]]) + "\\n"
                os.write(file, line.encode())
                ring.confirm()
        """
    )
    with running(tmp_path / "rings", script, str(counts), str(store)) as process:
        until(lambda: store.read_bytes().count(b"\n") >= rounds)
        killed(process)

    committed: dict[int, list[str]] = dict(map(json.loads, store.read_text("utf-8").rpartition("\n")[0].splitlines()))
    for sequence, payloads in found(tmp_path / "rings"):
        if sequence > max(committed):
            committed[sequence] = [payload.decode() for payload in payloads]
    payloads = [payload.encode() for payloads in committed.values() for payload in payloads]
    assert_each_once(numbers(payloads), counted(counts))


FORKED = """
ring = make()
ring.append(b"the parent's")
child = os.fork()
if not child:
    if sys.argv[2] == "abandons":
        ring.abandon()
        assert not ring.append(b"the child's")
    say("forked")
    sys.stdin.readline()
    os._exit(0)
sys.stdin.readline()
"""


def test_a_child_that_abandons_the_ring_leaves_the_parents_claim_and_file(tmp_path: Path) -> None:
    with running(tmp_path, FORKED, "abandons") as process:
        heard(process)
        while_both_live = list(leftovers(tmp_path))
        names = [path.name for path in tmp_path.iterdir()]
        killed(process)

        assert (while_both_live, names) == ([], ["w1.ring"])
        assert found(tmp_path) == [(REST + 1, [b"the parent's"])]  # the child lives


def test_a_child_that_keeps_the_ring_keeps_it_from_being_recovered_until_it_ends(tmp_path: Path) -> None:
    with running(tmp_path, FORKED, "keeps") as process:
        heard(process)
        killed(process)
        while_the_child_lives = found(tmp_path)
        tell(process)
        until(lambda: bool(found(tmp_path)))

    assert (while_the_child_lives, found(tmp_path)) == ([], [(REST + 1, [b"the parent's"])])


def test_a_parent_that_closes_the_ring_lets_it_be_recovered_beside_a_child_that_keeps_it(tmp_path: Path) -> None:
    script = """
        ring = make()
        ring.append(b"one")
        if not os.fork():
            sys.stdin.readline()
            os._exit(0)
        ring.close()
        say("closed")
        os.wait()
    """
    with running(tmp_path, script) as process:
        heard(process)

        assert found(tmp_path) == [(REST + 1, [b"one"])]


def left_behind(directory: Path, names: str, records: int) -> None:
    """Rings of a process that was killed."""
    script = """
        rings = [make(name) for name in sys.argv[2].split()]
        for ring in rings:
            for number in range(int(sys.argv[3])):
                ring.append(b"%d" % number)
            ring.read(3)
            ring.intend(1, 96)
        say("made")
        sys.stdin.readline()
    """
    with running(directory, script, names, str(records)) as process:
        heard(process)
        killed(process)


def test_a_recovery_that_is_killed_is_repeated_with_the_same_batches(tmp_path: Path) -> None:
    left_behind(tmp_path, "w1", 20)
    script = """
        (leftover,) = leftovers(directory)
        for batch in leftover.batches(10):
            say(batch)
            sys.stdin.readline()
    """
    recoveries: list[list[str]] = []
    for steps in (1, 2, 3):
        with running(tmp_path, script) as process:
            recoveries.append([])
            for _ in range(steps):
                recoveries[-1].append(heard(process))
                tell(process)
            killed(process)

    first = (1, [b"0", b"1", b"2"])
    rest = [b"%d" % number for number in range(3, 20)]
    expected = [str(first), str((1 + REST + 1, rest[:10])), str((1 + REST + 2, rest[10:]))]
    assert recoveries == [expected[:1], expected[:2], expected]


def test_what_a_recovery_releases_is_free_though_a_child_was_forked_meanwhile(tmp_path: Path) -> None:
    left_behind(tmp_path, "w1", 3)
    script = """
        (leftover,) = leftovers(directory)
        if not os.fork():
            sys.stdin.readline()
            os._exit(0)
        leftover.release()
        say("released")
        os.wait()
    """
    with running(tmp_path, script) as process:
        heard(process)

        assert found(tmp_path) == [(1, [b"0", b"1", b"2"])]


def test_of_those_who_recover_at_once_each_ring_has_one(tmp_path: Path) -> None:
    names = [f"w{number}" for number in range(40)]
    left_behind(tmp_path, " ".join(names), 5)
    script = """
        sys.stdin.readline()
        for _ in range(20):
            for leftover in leftovers(directory):
                with leftover:
                    say(leftover.worker_id, len(list(leftover.batches(10))))
                    leftover.remove()
    """
    with running(tmp_path, script) as one, running(tmp_path, script) as two, running(tmp_path, script) as three:
        for process in (one, two, three):
            tell(process)
        claimed = [line for process in (one, two, three) for line in said(process)]

    assert (sorted(claimed), list(tmp_path.iterdir())) == (sorted(f"{name} 2" for name in names), [])


def test_nobody_recovers_a_ring_that_is_being_made(tmp_path: Path) -> None:
    looking = """
        say("looking")
        while True:
            for leftover in leftovers(directory):
                say("recovered", leftover.worker_id)
                leftover.remove()
    """
    making = """
        for number in range(500):
            ring = make(f"w{number}", 4096)
            assert ring.append(b"one")
            assert (directory / f"w{number}.ring").exists()
            ring.read(1)
            ring.intend(1, 32)
            ring.confirm()
            ring.close()
        say("made")
    """
    with running(tmp_path, looking) as one, running(tmp_path, looking) as two, running(tmp_path, making) as maker:
        heard(one)
        heard(two)
        made = heard(maker)
        for process in (one, two):
            killed(process)
        told = [heard(one), heard(two)]

    assert (made, told, list(tmp_path.iterdir())) == ("made", ["", ""], [])


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """A file system of so many bytes."""
    mount = shutil.which("mount")
    path.mkdir()
    if mount is None or os.geteuid():
        pytest.skip("only root can mount a small tmpfs")
    command = [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    if (done := subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)).returncode:
        pytest.skip(f"cannot mount a small tmpfs: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("can_allocate", [True, False])
def test_a_full_disk_refuses_the_ring_and_nothing_half_made_stays(tmp_path: Path, can_allocate: bool) -> None:
    script = "" if can_allocate else "del os.posix_fallocate\n"
    script += textwrap.dedent(
        """
        try:
            make(capacity=8 << 20)
        except OSError as error:
            say(error.strerror, list(directory.iterdir()), os.statvfs(directory).f_bavail * 4096)
        """
    )
    with small_disk(tmp_path / "disk", "1m") as disk, running(disk, script) as process:
        told = heard(process)

    assert told == f"No space left on device [] {1 << 20}"


def test_a_disk_that_fills_up_later_does_not_reach_a_ring(tmp_path: Path) -> None:
    script = """
        ring = make(capacity=512 << 10)
        try:
            (directory / "filler").write_bytes(bytes(1 << 20))
        except OSError as error:
            say(error.strerror)
        while ring.append(bytes(1000)):
            pass
        say(len(ring.read(10_000)))
    """
    with small_disk(tmp_path / "disk", "1m") as disk, running(disk, script) as process:
        told = [heard(process), heard(process)]
        exit_code = process.wait()

    assert (told, exit_code) == (["No space left on device", str((512 << 10) // 1024)], 0)


def test_a_stopped_process_is_alive(tmp_path: Path) -> None:
    with running(tmp_path, 'ring = make()\nring.append(b"one")\nsay("made")\nsys.stdin.readline()') as process:
        heard(process)
        process.send_signal(signal.SIGSTOP)
        while_stopped = found(tmp_path)
        killed(process)

    assert (while_stopped, found(tmp_path)) == ([], [(REST + 1, [b"one"])])
