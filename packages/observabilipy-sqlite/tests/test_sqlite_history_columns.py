"""Columns and frames of the history: what comes back is equal."""

import math
import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy_sqlite.columns import Run, packed, unpacked
from observabilipy_sqlite.frames import frame_of, is_intact, joined, runs_of, slices_of, unpacked_frame
from observabilipy_sqlite.values import Plain

whole = st.integers(-(2**63), 2**63 - 1)
anything = whole | st.integers(-(2**80), 2**80) | st.floats() | st.sampled_from([-0.0, 0.1, 1e308, 5e-324, math.inf])
thousandths = st.integers(-(10**9), 10**9).map(lambda number: number / 1000)


def same(numbers: Iterable[object]) -> list[object]:
    """Equal for equal numbers, NaN being itself."""
    return ["NaN" if number != number else number for number in numbers]  # noqa: PLR0124 - only NaN is not itself


@given(
    st.lists(whole, min_size=1)
    | st.lists(st.integers(0, 300), min_size=1)
    | st.lists(thousandths, min_size=1)
    | st.lists(st.floats(), min_size=1)
    | st.lists(anything, min_size=1)
)
def test_a_column_comes_back_equal(numbers: list[float]) -> None:
    (run,) = unpacked(packed([Run(7, len(numbers), [numbers])]))

    assert (run.start, run.count, run.bounds) == (7, len(numbers), None)
    assert [same(column) for column in run.columns] == [same(numbers)]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_come_back_as_integers(numbers: list[int]) -> None:
    (run,) = unpacked(packed([Run(0, len(numbers), [numbers])]))

    assert [type(number) for number in run.columns[0]] == [int] * len(numbers)


@given(st.lists(st.floats(), min_size=9))
def test_floats_that_are_not_rounded_come_back_bit_by_bit(numbers: list[float]) -> None:
    numbers = [math.pi, *numbers]
    (run,) = unpacked(packed([Run(0, len(numbers), [numbers])]))

    assert repr(list(run.columns[0])) == repr(numbers)


def test_runs_of_every_shape_come_back() -> None:
    runs = [
        Run(0, 2, [[1, 2]]),
        Run(5, 1, [[0.5], [0.25], [0.75]]),
        Run(9, 2, [[1, 1], [0, 2**70], [1.5, math.inf]], (0.5,)),
        Run(11, 1, [[3], [1], [2], [2.5]], (0.5, 1e9)),
    ]

    assert [
        (one.start, one.count, [list(some) for some in one.columns], one.bounds) for one in unpacked(packed(runs))
    ] == [(one.start, one.count, one.columns, one.bounds) for one in runs]


def plain(run: Run) -> object:
    return run.start, run.count, [list(column) for column in run.columns], run.bounds


def test_a_counter_that_is_looked_at_every_ten_seconds_takes_little_more_than_a_byte() -> None:
    drawn = random.Random(1)
    numbers = [0]
    for _ in range(719):
        numbers.append(numbers[-1] + max(0, round(drawn.gauss(30, 3))))

    assert len(packed([Run(0, 720, [numbers])])) < 720


@given(st.data())
def test_no_flipped_byte_goes_unseen(data: st.DataObject) -> None:
    made = bytearray(packed([Run(0, 50, [[number * number for number in range(50)]])]))
    place = data.draw(st.integers(0, len(made) - 1))
    made[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(ValueError, match="damaged"):
        unpacked(bytes(made))


def test_runs_are_joined_where_nothing_is_between_them() -> None:
    runs = joined(
        [
            Run(0, 1, [[1]]),
            Run(1, 1, [[2.5]]),
            Run(3, 1, [[4]]),
            Run(4, 1, [[1], [2], [3]], (1.0,)),
            Run(5, 1, [[1], [2], [3]], (2.0,)),
            Run(6, 1, [[0], [0], [0]], (2.0,)),
        ]
    )

    assert [(run.start, run.count) for run in runs] == [(0, 2), (3, 1), (4, 1), (5, 2)]
    assert runs[0].columns == [[1, 2.5]]


series = st.integers(0, 200)
histograms = st.sampled_from([[1.0], [1.0, 2.0]]).flatmap(
    lambda bounds: st.tuples(
        st.just(bounds),
        st.lists(st.integers(0, 2**65), min_size=len(bounds) + 1, max_size=len(bounds) + 1),
        anything,
    ).map(list)
)
frames = st.lists(st.dictionaries(series, anything | histograms, max_size=8), min_size=1, max_size=6)


@given(frames)
def test_frames_have_of_each_series_what_was_put_into_them(contents: Sequence[dict[int, Plain]]) -> None:
    stored = [frame_of(time, content.items()) for time, content in enumerate(contents)]
    layouts: dict[bytes, object] = {}
    loaded = [unpacked_frame(frame, layouts) for frame in stored]  # type: ignore[arg-type] # it fills it
    found: dict[tuple[int, int], object] = {}
    for slice_ in slices_of(loaded):
        for one, runs in runs_of(loaded, slice_).items():
            for run in runs:
                for offset, row in enumerate(zip(*run.columns, strict=True)):
                    found[run.start + offset, one] = (run.bounds, same(row))

    assert all(map(is_intact, stored))
    assert [frame.points for frame in stored] == [len(content) for content in contents]
    assert found == {
        (time, one): as_row(value) for time, content in enumerate(contents) for one, value in content.items()
    }


def as_row(value: Plain) -> object:
    if isinstance(value, int | float):
        return None, same([value])
    bounds, counts, total = value
    return tuple(bounds), same([*counts, total])  # type: ignore[arg-type, misc] # a histogram
