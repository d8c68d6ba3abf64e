"""What a dead process left in its ring, as those see it who recover it."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from observabilipy.logs.leftover import REST, leftovers
from observabilipy.logs.ring import Ring
from observabilipy.logs.ring_format import (
    RECORD,
    STATE_BYTES,
    place_of_state,
)

CAPACITY = 512


def make(directory: Path, worker_id: str = "w1") -> Ring:
    return Ring.create(directory, worker_id, "host", 7, {"service": "shop", "port": 80}, capacity=CAPACITY)


def left_by(ring: Ring, directory: Path) -> Path:
    """A copy of the file as it is now: nobody holds the lock of that one."""
    directory.mkdir(exist_ok=True)
    return Path(shutil.copy(ring._path, directory))


def recovered(directory: Path, max_records: int = 10) -> list[tuple[int, list[bytes]]]:
    found: list[tuple[int, list[bytes]]] = []
    for leftover in leftovers(directory):
        with leftover:
            found += leftover.batches(max_records)
    return found


def payloads(directory: Path) -> list[bytes]:
    return [payload for _, batch in recovered(directory) for payload in batch]


def appended(ring: Ring, *payloads: bytes) -> None:
    for payload in payloads:
        assert ring.append(payload)


def test_a_leftover_says_whose_it_is(tmp_path: Path) -> None:
    make(tmp_path).close()
    ring = make(tmp_path)
    appended(ring, b"one")
    ring.close()

    (leftover,) = leftovers(tmp_path)
    with leftover:
        about = (leftover.path, leftover.worker_id, leftover.host, leftover.pid, leftover.base)
    assert about == (tmp_path / "w1.ring", "w1", "host", 7, {"service": "shop", "port": 80})


def test_attributes_of_every_entry_may_be_as_long_as_they_like_and_of_any_kind(tmp_path: Path) -> None:
    base = {"long": "ü" * 5_000, "path": Path("/x"), "lone": "\udc80"}
    ring = Ring.create(tmp_path, "w1", "host", 1, base, capacity=CAPACITY)
    appended(ring, b"one")
    ring.close()

    (leftover,) = leftovers(tmp_path)
    with leftover:
        assert (leftover.base, list(leftover.batches(1))) == ({**base, "path": "/x"}, [(REST + 1, [b"one"])])


def test_what_nobody_read_comes_in_batches_beyond_the_numbers_of_the_dead(tmp_path: Path) -> None:
    ring = make(tmp_path)
    appended(ring, b"0", b"1", b"2", b"3", b"4")
    (_, end), *_ = ring.read(1)
    ring.intend(41, end)
    ring.confirm()
    ring.close()

    assert recovered(tmp_path, 3) == [(41 + REST + 1, [b"1", b"2", b"3"]), (41 + REST + 2, [b"4"])]


def test_the_batch_in_doubt_comes_first_whole_and_under_its_number(tmp_path: Path) -> None:
    ring = make(tmp_path)
    appended(ring, b"0", b"1", b"2", b"3", b"4")
    *_, (_, end) = ring.read(3)
    ring.intend(41, end)
    ring.close()

    assert recovered(tmp_path, 1) == [(41, [b"0", b"1", b"2"]), (41 + REST + 1, [b"3"]), (41 + REST + 2, [b"4"])]


def test_offsets_grow_beyond_four_gigabytes(tmp_path: Path) -> None:
    ring = make(tmp_path)
    place = (1 << 40) - 24  # the header reaches the end of the area, and the payload lies at its beginning
    variables = dict(zip(ring.append.__code__.co_freevars, ring.append.__closure__ or (), strict=True))
    variables["head"].cell_contents = place
    ring._note(place, 1 << 33, place)
    ring.rewind()
    appended(ring, b"one", b"two")
    ((_, end),) = read = ring.read(1)
    ring.intend((1 << 33) + 1, end)
    ring.close()

    assert read == [(b"one", (1 << 40) + 8)]
    assert recovered(tmp_path) == [((1 << 33) + 1, [b"one"]), ((1 << 33) + 1 + REST + 1, [b"two"])]


def test_a_hole_is_passed_and_counted(tmp_path: Path) -> None:
    ring = make(tmp_path)
    appended(ring, b"in it", b"between", b"in it, too", b"last")
    for offset in (0, 64):
        ring._file[ring._layout.area + offset : ring._layout.area + offset + 24] = bytes(24)
    ring.close()

    (leftover,) = leftovers(tmp_path)
    with leftover:
        assert (list(leftover.batches(10)), leftover.holes) == ([(REST + 1, [b"between", b"last"])], 2)


def test_the_smallest_records_are_found_behind_damaged_ones(tmp_path: Path) -> None:
    ring = make(tmp_path)
    appended(ring, b"", b"", b"", b"")
    for offset in (0, 24):
        ring._file[ring._layout.area + offset + 12 : ring._layout.area + offset + 16] = b"torn"
    ring.close()

    (leftover,) = leftovers(tmp_path)
    with leftover:
        assert (list(leftover.batches(10)), leftover.holes) == ([(REST + 1, [b"", b""])], 1)


def test_a_header_whose_middle_became_zeros_is_not_an_empty_record(tmp_path: Path) -> None:
    ring = make(tmp_path)
    appended(ring, b"", b"one")
    ring._file[ring._layout.area + 8 : ring._layout.area + 16] = bytes(8)
    ring.close()

    assert recovered(tmp_path) == [(REST + 1, [b"one"])]


def test_a_record_of_the_last_lap_cannot_become_one_of_this(tmp_path: Path) -> None:
    ring = make(tmp_path)
    for number in range(CAPACITY // 32):
        appended(ring, b"%d" % number)
        ((_, end),) = ring.read(1)
        ring.intend(number, end)
        ring.confirm()
    appended(ring, b"new")
    place = ring._layout.area + 32  # where the second record was
    assert RECORD.unpack_from(ring._file, place)[0] == 32
    ring._file[place : place + 8] = (CAPACITY + 32).to_bytes(8, "little")
    ring.close()

    assert [batch for _, batch in recovered(tmp_path)] == [[b"new"]]


@pytest.mark.parametrize("kept", range(STATE_BYTES + 1))
def test_a_state_that_was_torn_while_it_was_written_leaves_the_one_before(tmp_path: Path, kept: int) -> None:
    ring = make(tmp_path / "living")
    appended(ring, b"0", b"1")
    (_, end), *_ = ring.read(1)
    ring.intend(1, end)
    before = ring._file[:]
    ring.confirm()
    place = place_of_state(ring._state)
    torn = before[:place] + ring._file[place : place + kept] + before[place + kept :]
    (tmp_path / "w1.ring").write_bytes(torn)

    in_doubt = [(1, [b"0"]), (REST + 2, [b"1"])]
    confirmed = [(REST + 2, [b"1"])]
    assert recovered(tmp_path) == (confirmed if torn == ring._file[:] else in_doubt)


def test_the_living_are_passed_over_and_so_is_what_is_claimed(tmp_path: Path) -> None:
    rings = [make(tmp_path, name) for name in ("dead", "living")]
    for ring in rings:
        appended(ring, ring._path.name.encode())
    rings[0].close()

    (first,) = leftovers(tmp_path)
    while_claimed = list(leftovers(tmp_path))
    first.release()
    assert (while_claimed, payloads(tmp_path)) == ([], [b"dead.ring"])


def test_removing_takes_the_file_away_for_good(tmp_path: Path) -> None:
    ring = make(tmp_path)
    appended(ring, b"one")
    ring.close()

    (leftover,) = leftovers(tmp_path)
    leftover.remove()
    leftover.remove()
    assert (list(tmp_path.iterdir()), list(leftover.batches(1))) == ([], [])


def test_recovery_changes_nothing_and_lets_go_of_every_descriptor(tmp_path: Path) -> None:
    ring = make(tmp_path)
    appended(ring, b"0", b"1", b"2")
    ring.close()
    before = ((tmp_path / "w1.ring").read_bytes(), len(list(Path("/dev/fd").iterdir())))
    first, second = recovered(tmp_path, 2), recovered(tmp_path, 2)

    assert first == second == [(REST + 1, [b"0", b"1"]), (REST + 2, [b"2"])]
    assert ((tmp_path / "w1.ring").read_bytes(), len(list(Path("/dev/fd").iterdir()))) == before


def test_a_directory_that_is_not_there_holds_no_leftovers(tmp_path: Path) -> None:
    assert list(leftovers(tmp_path / "missing")) == []


def test_a_directory_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[Exception] = []

    assert (list(leftovers(tmp_path / "file", told.append)), [type(each) for each in told]) == (
        [],
        [NotADirectoryError],
    )


def test_what_is_left_of_a_ring_that_was_never_finished_is_removed(tmp_path: Path) -> None:
    (tmp_path / "w1.0badcafe.ring-new").write_bytes(bytes(100))

    assert (list(leftovers(tmp_path)), list(tmp_path.iterdir())) == ([], [])


def test_other_files_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("obs-ring", "utf-8")

    assert (list(leftovers(tmp_path)), list(tmp_path.iterdir())) == ([], [tmp_path / "notes.txt"])


def damage(ring: Path, what: str) -> None:
    whole = ring.read_bytes()
    ring.unlink()
    if what == "empty":
        ring.touch()
    elif what == "directory":
        ring.mkdir()
    elif what == "pipe":
        os.mkfifo(ring)
    elif what == "link":
        ring.with_suffix(".elsewhere").write_bytes(whole)
        ring.symlink_to(ring.with_suffix(".elsewhere"))
    else:
        place, damaged = {
            "no ring": (0, b"X"),
            "newer": (8, b"\x02"),
            "area": (12, bytes(4)),
            "cut": (len(whole) // 8, b""),
            "head": (1540, b"X"),
            "states": (500, bytes(600)),
        }[what]
        ring.write_bytes(whole[:place] + damaged + (whole[place + len(damaged) :] if damaged else b""))


def untouched(path: Path) -> tuple[int, ...]:
    """What changes with a file, and not when it is read."""
    about = path.lstat()
    return about.st_ino, about.st_mode, about.st_size, about.st_mtime_ns


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("empty", 'it is no ring: a ring begins with "obs-ring"; remove the file'),
        ("no ring", 'it is no ring: a ring begins with "obs-ring"; remove the file'),
        ("cut", 'it is no ring: a ring begins with "obs-ring"; remove the file'),
        ("newer", "its format has version 2, and this release reads 1: use the other release"),
        ("area", "its head is damaged: an area never begins at 0; remove the file"),
        ("head", "the checksum of its head does not fit, so its records cannot be found: remove the file"),
        ("states", "both of its states are damaged, so nobody knows what was committed: remove the file"),
        ("directory", "it is no file; remove it"),
        ("pipe", "it is no file; remove it"),
        ("link", "Too many levels of symbolic links"),
    ],
)
def test_what_cannot_be_recovered_is_reported_and_left_alone(tmp_path: Path, what: str, told: str) -> None:
    for name in ("bad", "good"):
        ring = make(tmp_path, name)
        appended(ring, name.encode())
        ring.close()
    damage(tmp_path / "bad.ring", what)
    before = untouched(tmp_path / "bad.ring")
    reports: list[Exception] = []

    found = [leftover.worker_id for leftover in leftovers(tmp_path, reports.append)]
    assert (found, [str(report) for report in reports if told in str(report)]) == (["good"], [str(reports[0])])
    assert (str(tmp_path / "bad.ring") in str(reports[0]), untouched(tmp_path / "bad.ring")) == (True, before)
    assert payloads(tmp_path) == []  # it is claimed still


def test_a_ring_of_another_user_is_not_believed(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    ring = make(tmp_path)
    appended(ring, b"one")
    ring.close()
    os.chown(tmp_path / "w1.ring", 12345, -1)
    reports: list[Exception] = []

    assert list(leftovers(tmp_path, reports.append)) == []
    assert [str(report) for report in reports] == [
        f"cannot recover {tmp_path}/w1.ring: it belongs to user 12345 and this is user 0:"
        " run as that user, or remove the file"
    ]


def test_a_file_that_was_cut_gives_what_is_whole(tmp_path: Path) -> None:
    ring = make(tmp_path)
    appended(ring, b"0", b"1", b"2")
    ring.close()
    os.truncate(tmp_path / "w1.ring", ring._layout.area + 70)

    assert payloads(tmp_path) == [b"0", b"1"]


def test_where_file_locks_are_missing_the_modules_import_and_nothing_is_left_over() -> None:
    program = """
        import sys
        from pathlib import Path
        sys.modules["fcntl"] = None
        from observabilipy.logs.leftover import leftovers
        from observabilipy.logs.ring import Ring
        print(list(leftovers(Path())))
        try:
            Ring.create(Path(), "w1", "host", 1, {})
        except OSError as error:
            print(error)
    """
    command = [sys.executable, "-c", "\n".join(line[8:] for line in program.splitlines())]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout

    rule = 'a ring needs file locks, which this system lacks: use log_durability="memory"'
    assert told.splitlines() == ["[]", f"[Errno {errno.ENOTSUP}] {rule}"]
