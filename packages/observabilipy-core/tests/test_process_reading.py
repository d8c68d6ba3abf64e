"""What the system and Python tell about this process, and what is made of it where they tell less."""

import os
import platform
import time
from pathlib import Path

import pytest

from observabilipy.collectors.reading import ProcessSource, python_labels

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")


@linux
def test_a_reading_says_what_the_system_says() -> None:
    before = time.process_time()
    reading = ProcessSource()()
    status = dict(
        line.split(":\t", 1)
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    )
    import resource

    assert before <= reading.cpu_seconds <= time.process_time()
    assert reading.virtual_bytes == pytest.approx(int(status["VmSize"].split()[0]) * 1024, rel=0.1)
    assert reading.resident_bytes == pytest.approx(int(status["VmRSS"].split()[0]) * 1024, rel=0.1)
    assert reading.open_fds == len(list(Path("/proc/self/fd").iterdir())) - 1
    assert reading.max_fds == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@linux
def test_the_start_is_the_one_that_prometheus_client_tells() -> None:
    prometheus_client = pytest.importorskip(
        "prometheus_client", reason="its figures are compared where it is installed"
    )
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)

    assert ProcessSource()().start_time == registry.get_sample_value("process_start_time_seconds")


def test_open_files_are_listed_where_the_directory_has_no_size(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    (proc / "self" / "fd").mkdir(parents=True)
    for number in range(3):
        (proc / "self" / "fd" / str(number)).touch()
    source = ProcessSource(str(proc))
    stat = os.stat

    class Sizeless:
        st_size = 0

    # The kernels before 6.2: a directory of /proc without a size.
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "stat", lambda path: Sizeless if str(path).startswith(str(proc)) else stat(path))
    try:
        assert source().open_fds == 2
    finally:
        patch.undo()


def test_a_system_without_proc_tells_cpu_time_and_the_limit_of_files(tmp_path: Path) -> None:
    reading = ProcessSource(str(tmp_path))()

    assert (reading.resident_bytes, reading.virtual_bytes, reading.open_fds, reading.start_time) == (None,) * 4
    assert reading.cpu_seconds > 0


@pytest.mark.parametrize("text", [b"", b"1 (python", b"1 (python) S 1", b"1 (a) b) S " + b"x " * 30, b"\xff\0"])
def test_a_proc_that_cannot_be_understood_tells_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_bytes(text)
    (tmp_path / "stat").write_bytes(text + b"\nbtime \nbtime x\n")
    reading = ProcessSource(str(tmp_path))()

    assert (reading.resident_bytes, reading.virtual_bytes, reading.start_time) == (None, None, None)


def test_a_program_may_be_called_anything(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    fields = b" ".join(b"%d" % number for number in range(4, 53))
    (tmp_path / "self" / "stat").write_bytes(b"7 (a) S ) 1 (b)) R " + fields)
    (tmp_path / "stat").write_bytes(b"cpu 1\nbtime 1000\n")
    reading = ProcessSource(str(tmp_path))()

    page, ticks = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    assert (reading.virtual_bytes, reading.resident_bytes, reading.start_time) == (23, 24 * page, 1000 + 22 / ticks)


def test_the_labels_of_python_are_those_of_the_module_platform() -> None:
    major, minor, patchlevel = platform.python_version_tuple()

    assert python_labels() == {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "major": major,
        "minor": minor,
        "patchlevel": patchlevel,
    }
