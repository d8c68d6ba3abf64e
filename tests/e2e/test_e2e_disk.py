"""Disks and files in trouble, for real: the application notices nothing, and writing goes on when the cause is gone."""

import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.e2e.application import Application, said

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name != "posix", reason="Windows locks open files")]

Wait = Callable[[Callable[[], bool], str], None]

WRITING = "observabilipy_failures_total writing to the storage"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", place], check=False, capture_output=True, encoding="utf-8"
    )
    if mounted.returncode:
        pytest.skip(f"only root may mount a tmpfs: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "obs.db"


@pytest.fixture
def resumed(wait: Wait, report: list[str], request: pytest.FixtureRequest) -> Callable[[Application, range], object]:
    """Wait until these numbers and no others are stored, and say how long it took."""

    def wait_for(app: Application, numbers: range) -> object:
        began = time.monotonic()
        wait(
            lambda: app("read").get("numbers") == {"INFO": list(numbers)},
            f"the entries {numbers} are stored: {app('read')}",
        )
        report.append(f"{request.node.name}: resumed {time.monotonic() - began:.1f} s after the cause was gone")
        return app("read")["totals"]["work_total"]

    return wait_for


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Somebody else takes all the room that there is."""
    descriptor = os.open(disk / "others", os.O_CREAT | os.O_WRONLY)
    try:
        for size in (2**20, 2**12):
            while written(descriptor, size):
                pass
    finally:
        os.close(descriptor)
    yield
    (disk / "others").unlink()


def written(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, bytes(size)) == size
    except OSError:
        return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def removed(path: Path) -> Iterator[None]:
    shutil.rmtree(path.parent)
    yield
    path.parent.mkdir()


def failed_once(app: Application) -> bool:
    """The trouble was noticed and counted, and told once. The application must have ended."""
    return said(app.printed, "writing to the storage failed") == 1


def test_a_full_disk(disk: Path, resumed: Callable[[Application, range], object]) -> None:
    with Application(disk / "obs.db") as app:
        app("log", 100)
        before = app("flush")
        with full(disk):
            app("log", 5_000, "info", 100)
            during = [app("flush")]
            app("log", 500)
            during.append(app("flush"))
        work = resumed(app, range(5_600))
        failures = app("read")["totals"][WRITING]

    assert (before, during, work, failures >= 2, failed_once(app)) == (True, [False, False], 5_600, True, True)


def test_on_a_full_disk_retention_makes_room_for_new_entries(disk: Path, wait: Wait) -> None:
    settings = {"log_retention": {"INFO": {"max_count": 500}}}
    with Application(disk / "obs.db", settings=settings, runtime={"retention_interval": 3.0}) as app:
        app("log", 500)
        app("flush")
        wait((disk / "obs.db-ballast").exists, "the ballast is there")
        with closing(sqlite3.connect(disk / "obs.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM segment").fetchall()  # the WAL cannot be copied beyond this moment
            app("log", 3_000, "info", 100)
            before = app("flush")
            with full(disk):
                reader.execute("ROLLBACK")
                app("log", 3_000, "info", 100)
                wait(lambda: app("count")["counts"] == {"INFO": 500}, "only the newest entries are left")
                wait(lambda: app("read")["numbers"]["INFO"][-1] == 6_499, "the newest entry is stored")
                during = app("flush")
        numbers = app("read")["numbers"]["INFO"]

    assert (before, during, numbers) == (True, True, list(range(6_000, 6_500)))


def test_at_its_cap_the_file_takes_every_flush_while_others_fill_the_disk(disk: Path) -> None:
    with Application(disk / "obs.db", options="?max_bytes=4194304", settings={"flush_interval": 60}) as app:
        flushes = [flushed(app) for _ in range(150)]
        before = app("count")["totals"]["observabilipy_log_entries_evicted_total INFO"]
        with full(disk):
            flushes += [flushed(app) for _ in range(1_000)]
            after = app("count")["totals"]["observabilipy_log_entries_evicted_total INFO"]
        numbers = app("read")["numbers"]["INFO"]
    with closing(sqlite3.connect(disk / "obs.db")) as database:
        (sound,) = database.execute("PRAGMA quick_check").fetchone()

    assert (flushes.count(False), len(flushes), numbers[-1], sound) == (0, 1_150, 22_999, "ok")
    assert numbers == list(range(numbers[0], 23_000))
    assert (before > 0, after > before, said(app.printed, "the storage has reached max_bytes")) == (True, True, 1)


def flushed(app: Application) -> bool:
    """Whether twenty entries of 5,000 bytes that cannot be compressed were stored at once."""
    app("noise", 20, 5_000)
    return bool(app("flush"))


def test_a_file_system_that_is_read_only(disk: Path, resumed: Callable[[Application, range], object]) -> None:
    with Application(disk / "obs.db") as app:
        app("log", 1)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with Application(disk / "obs.db") as app:
        app("log", 500)
        during = app("flush")
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        with closing(sqlite3.connect(disk / "obs.db")) as other, other:
            other.execute("DELETE FROM segment")
        work = resumed(app, range(500))

    assert (during, work, failed_once(app)) == (False, 501, True)


def test_a_directory_that_nobody_may_write_in(path: Path, resumed: Callable[[Application, range], object]) -> None:
    bound_by_permissions: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere: setpriv (util-linux) would take that from the application")
        bound_by_permissions = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all"]
    path.parent.mkdir(mode=0o500)
    with Application(path, command=bound_by_permissions) as app:
        app("log", 500)
        during = app("flush")
        path.parent.chmod(0o700)
        work = resumed(app, range(500))

    assert (during, work, failed_once(app)) == (False, 500, True)


def test_a_database_that_another_process_locks_for_eight_seconds(
    path: Path, resumed: Callable[[Application, range], object]
) -> None:
    path.parent.mkdir()
    with Application(path) as app:
        app("log", 100)
        app("flush")
        with locked(path):
            began = time.monotonic()
            emitted = app("log", 500)
            while time.monotonic() < began + 8:
                time.sleep(0.5)
                emitted = app("log", 1)
        work = resumed(app, range(emitted))
        failures = app("read")["totals"][WRITING]

    assert (work, failures >= 1, failed_once(app)) == (emitted, True, True)


def test_a_directory_that_is_removed_and_made_again(
    path: Path, resumed: Callable[[Application, range], object]
) -> None:
    path.parent.mkdir()
    with Application(path) as app:
        app("log", 100)
        app("flush")
        with removed(path):
            app("log", 500)
            during = app("flush")
            app("log", 500)
        work = resumed(app, range(100, 1_100))

    assert (during, work, failed_once(app)) == (False, 1_000, True)


def test_a_file_that_is_deleted(path: Path, resumed: Callable[[Application, range], object]) -> None:
    path.parent.mkdir()
    with Application(path) as app:
        app("log", 100)
        app("flush")
        path.unlink()
        app("log", 100)
        work = resumed(app, range(100, 200))

    assert (work, app.printed) == (100, "")


def test_a_file_that_is_replaced_by_another_database(
    path: Path, resumed: Callable[[Application, range], object]
) -> None:
    path.parent.mkdir()
    with Application(path.with_name("other.db")) as other:
        other("log", 5)
    with Application(path) as app:
        app("log", 100)
        app("flush")
        path.with_name("other.db").rename(path)  # beside it lies the -wal of the one that was there
        app("log", 100)
        wait_for = [*range(5), *range(100, 200)]
        app("flush")
        got = app("read")
    with closing(sqlite3.connect(path)) as database:
        (sound,) = database.execute("PRAGMA integrity_check").fetchone()

    assert (got["numbers"]["INFO"], got["totals"]["work_total"], app.printed, sound) == (wait_for, 105, "", "ok")


def spoil_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"garbage" * 2_000)


def truncate(path: Path) -> None:
    os.truncate(path, 10_000)


def checkpointed(path: Path) -> bool:
    """Whether what was committed is in the database itself."""
    return path.stat().st_size > 100_000


@pytest.mark.parametrize("spoil", [spoil_header, truncate])
def test_a_database_that_is_damaged_in_use_is_set_aside(
    path: Path, spoil: Callable[[Path], None], wait: Wait, resumed: Callable[[Application, range], object]
) -> None:
    path.parent.mkdir()
    with Application(path) as app, Application(path) as bystander:
        app("log", 1_000, "info", 100)
        bystander("log", 1)
        app("flush")
        bystander("flush")
        wait(lambda: checkpointed(path), "the WAL is copied into the database")
        spoil(path)
        ends = [1_000]  # until somebody needs a page that is broken, commits go into the WAL as ever

        def is_noticed() -> bool:
            ends.append(app("log", 1))
            return not app("flush")

        wait(is_noticed, "a commit fails")
        taken, emitted = ends[-2:]
        work = resumed(app, range(taken, emitted))
        seen_by_the_other = bystander("read")["numbers"]["INFO"]
    aside = [file.name for file in path.parent.iterdir() if ".corrupt-" in file.name and "-wal" not in file.name]

    told = [said(each.printed, f"{path} is damaged and was set aside") for each in (app, bystander)]

    assert (work, seen_by_the_other) == (emitted - taken, list(range(taken, emitted)))
    assert (len(aside), sum(told)) == (1, 1)


def test_a_database_that_was_cut_off_while_nobody_used_it_is_set_aside(
    path: Path, resumed: Callable[[Application, range], object]
) -> None:
    path.parent.mkdir()
    with Application(path) as app:
        app("log", 1_000, "info", 100)
    truncate(path)
    with Application(path) as app:
        app("log", 100)
        work = resumed(app, range(100))

    assert (work, said(app.printed, f"{path} is damaged and was set aside")) == (100, 1)


def test_garbage_that_may_be_somebody_elses_is_left_until_somebody_moves_it_away(
    path: Path, resumed: Callable[[Application, range], object]
) -> None:
    path.parent.mkdir()
    garbage = b"not one of ours" * 1_000
    path.write_bytes(garbage)
    with Application(path) as app:
        app("log", 500)
        during = [app("flush"), app("flush"), app("flush")]
        left = path.read_bytes()
        path.rename(path.with_name("moved away"))
        work = resumed(app, range(500))

    assert (during, left, work, failed_once(app)) == ([False] * 3, garbage, 500, True)


def test_beside_a_file_of_a_newer_major_version_the_service_runs_on_in_memory(path: Path) -> None:
    path.parent.mkdir()
    with Application(path) as app:
        app("log", 100)
    set_version(path, 5_001)
    content = path.read_bytes()
    with Application(path) as app:
        app("log", 500)
        flushed = app("flush"), app("status", "/metrics"), app("status", "/logs")
        found = app("read")

    assert (flushed, found["totals"]["work_total"], path.read_bytes()) == ((True, 200, 200), 500, content)
    assert found["numbers"]["INFO"] == [*range(500)]
    assert re.fullmatch(
        r"cannot use .*: its format is version 5\.1, this .* reads and writes 4\.x: install a newer .*, or choose"
        r" another path; what this process records is kept in its memory, as with memory://, and ends with it\n",
        app.printed,
    )


def set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")


def test_a_write_ahead_log_that_is_garbage(path: Path, resumed: Callable[[Application, range], object]) -> None:
    path.parent.mkdir()
    with Application(path) as app:
        app("log", 1_000)
        app("flush")
        app.kill()
    spoil_header(path.with_name("obs.db-wal"))
    with Application(path) as app:
        app("log", 100)
        work = resumed(app, range(100))

    assert (work, app.printed) == (100, "")
