"""Families as columns are written byte for byte as the same families row by row, cold, warm and without a budget."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.exposition import CONTENT_TYPES, encode_family
from observabilipy.encoding.templates import PIECE_LINES, TEMPLATES, Templates
from observabilipy.models import Exemplar, Family, HistogramValue, LabelSets, MetricKind, Series, SeriesColumns

FORMATS = tuple(CONTENT_TYPES)

TEXT = st.text(st.one_of(st.sampled_from('"\\\n\r%{}#, =\0ds'), st.characters(codec="utf-8")), max_size=6)
NAMES = st.sampled_from(["a", "b", "path"])
NUMBERS = st.one_of(
    st.integers(0, 5),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([-0.0, 1.0, 5e-324, math.inf, -math.inf, math.nan, int(1.7e308)]),
)
BOUNDS = st.sampled_from([(0.5, 1.0), (0.5, 1.0), (0.5, 1.0), (0.1,), (-1.0, 2.0)])
SUMS = st.one_of(st.integers(0, 9), st.floats(0, allow_nan=False), st.floats(allow_nan=False))
EXEMPLARS = st.lists(
    st.builds(Exemplar, st.just({"trace_id": '5"\\'}), st.floats(0, 3), st.just(5.0)), min_size=1, max_size=3
).map(tuple)


@st.composite
def histograms(draw: st.DrawFn) -> HistogramValue:
    bounds = draw(BOUNDS)
    counts = draw(st.lists(st.integers(0, 2**62), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    return HistogramValue(bounds, tuple(counts), draw(SUMS))


@st.composite
def scrapes(draw: st.DrawFn) -> list[Family]:
    """What a store gives in some scrapes, one after the other: of a family whose series, help and values change."""
    kind = draw(st.sampled_from(MetricKind).filter(lambda kind: kind is not MetricKind.SUMMARY))
    name = "a_total" if kind is MetricKind.COUNTER else "a"
    labels = draw(st.lists(st.dictionaries(NAMES, TEXT, max_size=2), min_size=1, max_size=6, unique_by=repr_of))
    is_histogram = kind in {MetricKind.HISTOGRAM, MetricKind.GAUGE_HISTOGRAM}
    value = histograms() if is_histogram else NUMBERS
    sets = LabelSets(labels)
    found = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):  # series went, came, or changed their places
            labels = draw(st.lists(st.sampled_from(labels) | st.just({"a": "new"}), min_size=1, unique_by=repr_of))
            sets = LabelSets(tuple(labels))
        values = draw(st.lists(value, min_size=len(sets), max_size=len(sets)))
        exemplars = draw(st.dictionaries(st.integers(0, len(sets) - 1), EXEMPLARS, max_size=2))
        created = draw(st.just([]) | st.just([4.5] * len(sets)))
        columns = SeriesColumns(sets, values, created, exemplars)
        found.append(Family(name, kind, draw(TEXT), series=columns))
    return found


def repr_of(labels: dict[str, str]) -> str:
    return repr(sorted(labels.items()))


def row_by_row(family: Family) -> Family:
    rows = tuple(family.series)
    plain = Family(family.name, family.kind, family.help)
    object.__setattr__(plain, "series", rows)  # a state of a state set that is neither 0 nor 1 is refused, for one
    return plain


@pytest.mark.properties
@given(scrapes(), st.sampled_from(FORMATS), st.booleans())
def test_columns_are_written_like_rows(found: list[Family], wire: str, created: bool) -> None:
    for family in found:
        expected = encode_family(row_by_row(family), wire, created=created)  # type: ignore[arg-type] # sampled from them

        assert encode_family(family, wire, created=created) == expected  # type: ignore[arg-type] # as above
        assert encode_family(family, wire, created=created) == expected  # type: ignore[arg-type] # as above


@pytest.mark.properties
@given(scrapes(), st.sampled_from(FORMATS))
def test_without_a_budget_the_same_is_written(found: list[Family], wire: str) -> None:
    poor, rich = Templates(max_bytes=0), Templates()
    for family in found:
        columns = family.series
        assert isinstance(columns, SeriesColumns)
        written = [
            b"".join(templates.pieces(family, columns, wire) or ())  # type: ignore[arg-type] # sampled from them
            for templates in (poor, poor, rich, rich)
        ]

        assert written == written[:1] * 4
    assert poor.bytes == 0


def counters(values: Sequence[float], sets: LabelSets | None = None) -> Family:
    labels = sets or LabelSets([{"row": str(row), "tier": "gold"} for row in range(len(values))])
    return Family("orders_total", MetricKind.COUNTER, "Orders.", series=SeriesColumns(labels, values))


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("rows", [PIECE_LINES - 1, PIECE_LINES, 3 * PIECE_LINES + 1])
def test_large_families_are_written_like_small_ones(rows: int, wire: str) -> None:
    family = counters(list(range(rows)))

    assert [encode_family(family, wire) for _ in range(2)] == [encode_family(row_by_row(family), wire)] * 2  # type: ignore[arg-type] # one of them


def test_a_label_without_text_is_no_label_in_any_piece() -> None:
    labels: list[dict[str, str]] = [{"row": str(row)} for row in range(PIECE_LINES)]
    labels += [{"row": "5", "empty": ""}, {}, {"empty": ""}]
    family = counters(list(range(len(labels))), LabelSets(labels))

    lines = encode_family(family).splitlines()

    assert (len(lines), lines[-1]) == (2 + PIECE_LINES + 1, b"orders_total %d" % (PIECE_LINES + 1))


def test_templates_go_with_the_label_sets_that_they_were_made_of() -> None:
    templates = Templates()
    family = counters([1, 2, 3])
    columns = family.series
    assert isinstance(columns, SeriesColumns)
    list(templates.pieces(family, columns, "prometheus") or ())
    before = templates.bytes
    del family, columns

    assert (before > 0, templates.bytes) == (True, 0)


def test_templates_beyond_the_budget_are_not_kept() -> None:
    templates = Templates(max_bytes=10_000)
    kept = []
    for rows in (100, 100, 10_000, 1):
        family = counters([1] * rows)
        columns = family.series
        assert isinstance(columns, SeriesColumns)
        list(templates.pieces(family, columns, "prometheus") or ())
        kept.append((family, templates.bytes))

    sizes = [size for _, size in kept]
    assert (sizes[1] == 2 * sizes[0], sizes[2] == sizes[1], sizes[2] < sizes[3] <= 10_000) == (True, True, True)


def test_a_series_whose_number_became_a_float_is_written_like_before() -> None:
    labels = LabelSets([{"row": "1"}, {"row": "2"}])

    bodies = [encode_family(counters(values, labels)) for values in ([1, 2], [1.5, 2], [3, 4])]

    head = b"# HELP orders_total Orders.\n# TYPE orders_total counter\n"
    assert bodies == [
        head + b'orders_total{row="1"} 1\norders_total{row="2"} 2\n',
        head + b'orders_total{row="1"} 1.5\norders_total{row="2"} 2\n',
        head + b'orders_total{row="1"} 3\norders_total{row="2"} 4\n',
    ]


def test_columns_read_like_the_tuple_of_their_series() -> None:
    exemplars = (Exemplar({"trace_id": "a"}, 1),)
    columns = SeriesColumns(LabelSets([{"a": "1"}, {}]), [1, 2.5], [4.0, None], {1: exemplars})
    rows = (Series({"a": "1"}, 1, 4.0), Series({}, 2.5, None, exemplars))

    assert (tuple(columns), columns[-1], columns[:1], columns == rows, rows == columns, repr(columns)) == (
        rows,
        rows[1],
        rows[:1],
        True,
        True,
        repr(rows),
    )
    assert Family("a", MetricKind.GAUGE, series=columns) == Family("a", MetricKind.GAUGE, series=rows)
    assert replace(Family("a", MetricKind.GAUGE), series=columns).series is columns
    assert columns != SeriesColumns(LabelSets([{}]), [1])
    with pytest.raises(IndexError):
        columns[2]


def test_the_process_has_one_budget() -> None:
    assert TEMPLATES.max_bytes == 32 * 1024 * 1024
