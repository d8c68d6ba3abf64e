"""log_durability="crash": the ring around forks, at the end of a worker, and when its file is removed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from observabilipy.logs.buffer import LogBuffer
from observabilipy.logs.crash_buffer import CrashBuffer
from observabilipy.logs.entries import Finish
from observabilipy.logs.redaction import Redaction
from observabilipy.logs.ring import Ring
from observabilipy.logs.ring_reader import RingReader


class Scene:
    """A buffer, whose ring has the name of the owner at the time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.owner = "first"
        self.behind = LogBuffer(100, lambda level, reason: None, lambda: None)
        self.buffer = CrashBuffer(
            self.behind,
            open_ring=self.open_ring,
            redaction=Redaction(),
            unprotected=lambda: None,
            full_batch=lambda: None,
        )
        self.reader = RingReader(self.buffer, Finish({}, Redaction(), 262_144), lambda error, level: None)

    def open_ring(self) -> Ring:
        return Ring.create(self.directory, self.owner, "host", os.getpid(), {}, capacity=2**16)

    def log(self, *messages: str) -> None:
        for message in messages:
            self.buffer.append("INFO", 1.0, "INFO", message, {}, {})

    def in_ring(self) -> list[str]:
        return [message for _, _, message, _ in self.reader.take(100, self.reader.head)[0]]

    def in_memory(self) -> list[object]:
        return [record[3] for record in self.buffer.drain()]

    def rings(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "rings")


def elsewhere(work: Callable[[], None]) -> None:
    thread = Thread(target=work)
    thread.start()
    thread.join()


def test_the_thread_that_forks_keeps_away_from_the_ring_and_the_others_do_not(scene: Scene) -> None:
    scene.log("before")
    scene.buffer.pause()
    scene.log("forker")
    elsewhere(lambda: scene.log("other"))
    scene.buffer.resume()
    scene.log("after")

    assert (scene.in_ring(), scene.in_memory()) == (["before", "other", "after"], ["forker"])


def test_no_ring_is_made_during_a_fork(scene: Scene) -> None:
    scene.buffer.pause()
    scene.log("forker")
    elsewhere(lambda: scene.log("other"))
    without = scene.buffer.ring
    scene.buffer.resume()
    scene.log("after")

    assert (without, scene.in_ring(), scene.in_memory()) == (None, ["after"], ["forker", "other"])


FORKING = """
import os, sys
from pathlib import Path
from observabilipy.logs.buffer import LogBuffer
from observabilipy.logs.crash_buffer import CrashBuffer
from observabilipy.logs.redaction import Redaction
from observabilipy.logs.ring import Ring

def log(*messages):
    for message in messages:
        buffer.append("INFO", 1.0, "INFO", message, {}, {})

os.register_at_fork(after_in_child=lambda: log("in the child") or log(*"0123456789"))
buffer = CrashBuffer(
    LogBuffer(100, lambda level, reason: None, lambda: None),
    open_ring=lambda: Ring.create(Path(sys.argv[1]), "parent", "host", os.getpid(), {}, capacity=2**16),
    redaction=Redaction(),
    unprotected=lambda: None,
    full_batch=lambda: None,
)
log("before")
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
log("after")
print([b"child" in payload for payload, _ in buffer.ring.read(100)])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_hook_that_logs_in_a_child_before_ours_writes_nothing_over_the_records_of_the_parent(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path / "rings")],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("[False, False]\n", "")


def test_a_record_at_the_end_of_a_worker_makes_no_ring_with_its_name(scene: Scene) -> None:
    def forget() -> None:
        scene.log("between")
        scene.owner = "second"

    scene.log("before")
    scene.in_ring()
    scene.buffer.end_ring(forget)
    scene.log("after")

    assert (scene.rings(), scene.in_memory()) == (["first.ring", "second.ring"], ["between"])


def test_a_ring_whose_file_was_removed_is_emptied_and_replaced_by_another(scene: Scene) -> None:
    scene.log("before")
    (scene.directory / "first.ring").unlink()
    scene.reader.replace_lost()
    scene.log("meanwhile")
    taken = scene.in_ring()
    scene.reader.intend(1, scene.reader.head)
    scene.reader.confirm()
    scene.reader.replace_lost()
    scene.log("after")

    assert (taken, scene.in_memory(), scene.in_ring(), scene.rings()) == (
        ["before"],
        ["meanwhile"],
        ["after"],
        ["first.ring"],
    )


def test_no_ring_is_made_after_the_buffer_was_closed(scene: Scene) -> None:
    scene.buffer.close()
    scene.log("late")

    assert (scene.buffer.ring, scene.in_memory()) == (None, [])
