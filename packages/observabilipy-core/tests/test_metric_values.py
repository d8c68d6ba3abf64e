"""MetricSample, HistogramValue, Family and the rules for their names."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.errors import InvalidValue
from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    MetricKind,
    MetricSample,
    Series,
    SeriesValue,
    SummaryValue,
    bucket_bounds,
    counter,
    gauge,
    histogram,
)
from observabilipy.models.names import check_label_names, check_labels, check_reported_name, family_base
from observabilipy.models.totals import add_increment, combine_gauges, overflow_labels, placeholder_help


def refused(message: str) -> "pytest.RaisesExc[InvalidValue]":
    return pytest.RaisesExc(InvalidValue, match=f"^{re.escape(message)}$")


def sample(**fields: Any) -> MetricSample:  # Any: what a caller without type checks may write
    given: dict[str, Any] = {"name": "a", "value": 1, "labels": {}, "kind": MetricKind.GAUGE, "timestamp": 5}
    return MetricSample(**(given | fields))


OBSERVED = HistogramValue((1, 2), (1, 0, 2), 9)

# Names


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "é", "a\n", None])
def test_a_name_that_the_formats_cannot_carry_is_refused(name: object) -> None:
    with refused(
        f"a metric name must match [a-zA-Z_:][a-zA-Z0-9_:]*, got {name!r}: use snake case, like 'orders_total'"
    ):
        sample(name=name)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("orders", "orders_total"),
        ("orders_count", "orders_total"),
        ("_total", "events_total"),
    ],
)
def test_a_counter_must_end_in_total(name: str, right: str) -> None:
    with refused(f"a counter's name must end in '_total', got {name!r}: call it '{right}'"):
        counter(name)


@pytest.mark.parametrize("suffix", ["_total", "_bucket", "_count", "_sum", "_created"])
def test_a_suffix_of_the_formats_is_refused(suffix: str) -> None:
    with refused(
        f"the suffix '{suffix}' is reserved by the exposition formats, got gauge 'rows{suffix}': call it 'rows'"
    ):
        check_reported_name(f"rows{suffix}", MetricKind.GAUGE)


def test_only_a_counter_has_another_name_in_openmetrics() -> None:
    assert [family_base("a_total", kind) for kind in (MetricKind.COUNTER, MetricKind.UNKNOWN)] == ["a", "a_total"]


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a:b", "é", 5])
def test_a_label_name_that_the_formats_cannot_carry_is_refused(name: object) -> None:
    with refused(f"a label name must match [a-zA-Z_][a-zA-Z0-9_]*, got {name!r}"):
        check_label_names([name], MetricKind.GAUGE)  # type: ignore[list-item] # the refusal is the test


@pytest.mark.parametrize(
    ("name", "kind"),
    [("__name__", MetricKind.GAUGE), ("le", MetricKind.HISTOGRAM), ("quantile", MetricKind.SUMMARY)],
)
def test_a_reserved_label_name_is_refused(name: str, kind: MetricKind) -> None:
    with refused(f"the label name {name!r} is reserved: choose another"):
        check_label_names([name], kind)


def test_labels_that_are_no_mapping_are_refused() -> None:
    with refused("labels must be a mapping of names to strings, got ['a']"):
        sample(labels=["a"])


def test_a_label_value_that_is_no_string_is_refused() -> None:
    with refused("the value of label 'a' must be a string, got 5: write str(value)"):
        sample(labels={"a": 5})


def test_a_label_value_that_is_no_utf8_is_refused() -> None:
    with refused("the value of label 'a' must be valid UTF-8, got '\\udc80'"):
        check_labels({"a": "\udc80"}, MetricKind.GAUGE)


# Samples


@pytest.mark.parametrize("value", ["5", None, True, 10**400])
def test_a_gauge_that_is_no_number_is_refused(value: object) -> None:
    with refused(f"a gauge reports a number that fits a float, got {value!r}"):
        sample(value=value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, 2**63])
def test_a_gauge_may_be_any_number(value: float) -> None:
    assert repr(gauge("a", value).value) == repr(value)


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_an_increment_is_finite_and_not_negative(value: float) -> None:
    with refused(f"a counter's increment must be finite and not negative, got {value!r}"):
        counter("a_total", value)


def test_a_histogram_reports_its_own_value() -> None:
    with refused("a histogram reports a HistogramValue, got 5: HistogramValue.of(bounds, [...])"):
        sample(kind="histogram", value=5)


@pytest.mark.parametrize("total", [math.inf, math.nan])
def test_a_histogram_reports_a_finite_sum(total: float) -> None:
    with refused(f"the observations of a histogram must add up to a finite sum, got {total}"):
        histogram("a", HistogramValue((1,), (0, 1), total))


def test_a_foreign_kind_is_not_reported() -> None:
    with refused("a sample reports a counter, gauge, histogram or info, got 'stateset'"):
        sample(kind="stateset")


def test_a_sample_has_a_timestamp_in_seconds() -> None:
    with refused("timestamp must be unix seconds as a finite number, got nan"):
        sample(timestamp=math.nan)


@pytest.mark.parametrize(("build", "kind"), [(counter, "counter"), (gauge, "gauge"), (histogram, "histogram")])
def test_a_help_text_as_value_points_to_the_instrument(build: Callable[[str, str], MetricSample], kind: str) -> None:
    with refused(
        f"{kind}() builds one sample and takes a number, got 'Help.':"
        f" to define an instrument write obs.{kind}('a_total', 'Help.')"
    ):
        build("a_total", "Help.")


def test_a_counter_counts_one_unless_told() -> None:
    assert counter("a_total", labels={"b": "c"}, timestamp=5) == MetricSample(
        "a_total", 1, {"b": "c"}, MetricKind.COUNTER, 5.0
    )


def test_labels_are_the_sample_s_own() -> None:
    labels = {"a": "b"}
    built = gauge("a", 1, labels=labels)
    labels["a"] = "c"

    assert built.labels == {"a": "b"}


def test_a_sample_without_a_timestamp_takes_the_time_of_now() -> None:
    assert gauge("a", 1).timestamp > 1.7e9


# Exemplars


def test_the_labels_of_an_exemplar_fit_128_characters() -> None:
    assert Exemplar({"trace": "x" * 123}, 1).labels == {"trace": "x" * 123}
    with refused("the labels of an exemplar must fit 128 characters, got 129"):
        Exemplar({"trace": "x" * 124}, 1)


@pytest.mark.parametrize("value", [math.nan, "5", None, True])
def test_the_value_of_an_exemplar_is_a_number(value: object) -> None:
    with refused(f"the value of an exemplar must be a number, got {value!r}"):
        Exemplar({}, value)  # type: ignore[arg-type] # the refusal is the test


def test_the_timestamp_of_an_exemplar_is_in_seconds() -> None:
    with refused("the timestamp of an exemplar must be unix seconds as a finite number, got nan"):
        Exemplar({}, 1, math.nan)


# Histograms


@pytest.mark.parametrize("bounds", [(), (math.nan,), (-math.inf, 1), (math.inf,)])
def test_bounds_are_finite_numbers(bounds: tuple[float, ...]) -> None:
    with refused(f"bucket bounds must be one or more finite numbers, got {bounds!r}: +Inf is implied"):
        bucket_bounds(bounds)


@pytest.mark.parametrize("bounds", [(2, 1), (1, 1.0)])
def test_bounds_increase(bounds: tuple[float, ...]) -> None:
    with refused(f"bucket bounds must increase strictly, got {bounds!r}: sort them and drop repeats"):
        bucket_bounds(bounds)


@pytest.mark.parametrize(
    ("bounds", "told"), [(("1",), "('1',)"), ("12", "('1', '2')"), (5, "5"), ((True,), "(True,)"), ((None,), "(None,)")]
)
def test_bounds_that_are_no_numbers_are_refused(bounds: object, told: str) -> None:
    with refused(f"bucket bounds must be numbers, got {told}: write (0.1, 1, 10)"):
        bucket_bounds(bounds)  # type: ignore[arg-type] # the refusal is the test


def test_a_bound_beyond_every_float_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"^bucket bounds must be numbers, got \(1000"):
        bucket_bounds((10**400,))


def test_the_last_bound_may_be_written_out() -> None:
    assert bucket_bounds([1, 2.5, math.inf]) == (1.0, 2.5)


def test_there_is_a_count_for_each_bound_and_one_more() -> None:
    with refused("counts must be one longer than bounds (the last is +Inf), got 2 counts for 2 bounds"):
        HistogramValue((1, 2), (0, 0), 0)


@pytest.mark.parametrize("counts", [(1, -1), (1, 1.5), (True, 1)])
def test_counts_are_whole(counts: tuple[int, ...]) -> None:
    with refused(f"counts must be whole numbers of 0 or more, got {counts!r}"):
        HistogramValue((1,), counts, 0)


@pytest.mark.parametrize("total", [None, "5", True])
def test_a_sum_is_a_number(total: Any) -> None:
    with refused(f"the sum of a histogram must be a number, got {total!r}"):
        HistogramValue((1,), (0, 0), total)


def test_an_observation_on_a_bound_counts_below_it() -> None:
    assert HistogramValue.of((1, 2), [0.5, 1, 1.5, 2, 9]) == HistogramValue((1, 2), (2, 2, 1), 14)


def test_under_other_bounds_a_count_moves_up() -> None:
    assert HistogramValue((1, 2, 3), (1, 2, 3, 4), 30).under((2, 2.5)) == HistogramValue((2, 2.5), (3, 0, 7), 30)


OBSERVATIONS = st.lists(st.integers(-50, 50), max_size=20)
BOUNDS = st.sets(st.integers(-50, 50), min_size=1, max_size=6).map(sorted).map(tuple)


@pytest.mark.properties
@given(OBSERVATIONS, OBSERVATIONS, BOUNDS)
def test_observations_add_up_as_if_they_were_one_report(one: list[int], other: list[int], bounds: tuple[int]) -> None:
    assert HistogramValue.of(bounds, one) + HistogramValue.of(bounds, other) == HistogramValue.of(bounds, one + other)


@pytest.mark.properties
@given(OBSERVATIONS, BOUNDS, BOUNDS)
def test_count_and_sum_stay_exact_under_other_bounds(seen: list[int], old: tuple[int], new: tuple[int]) -> None:
    moved = HistogramValue.of(old, seen).under(bucket_bounds(new))

    assert (moved.count, moved.sum) == (len(seen), sum(seen))


# Families


def family(**fields: Any) -> Family:  # Any: what a caller without type checks may write
    given: dict[str, Any] = {"name": "a", "kind": MetricKind.GAUGE}
    return Family(**(given | fields))


def test_a_kind_is_one_of_openmetrics() -> None:
    with refused(
        "kind must be one of counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown, got 'meter'"
    ):
        family(kind="meter")


def test_a_kind_may_be_written_as_text() -> None:
    assert family(kind="info").kind is MetricKind.INFO


def test_a_unit_is_the_last_word_of_the_name() -> None:
    with refused("unit 'seconds' must be the suffix of the name, got 'wait': call it 'wait_seconds'"):
        family(name="wait", unit="seconds")


def test_a_unit_stands_before_total() -> None:
    with refused(
        "unit 'bytes' must be the suffix of the name, got 'sent_total': call it 'sent_bytes_total'",
    ):
        family(name="sent_total", kind="counter", unit="bytes")


def test_a_unit_is_a_string() -> None:
    with refused("unit must be a string, got None: write '' for none"):
        family(unit=None)


def test_help_is_a_string() -> None:
    with refused("help must be a string, got None: write one sentence for people"):
        family(help=None)


def test_a_lone_surrogate_in_help_is_spelled_out() -> None:
    assert family(help="\udc80").help == "\\udc80"


def test_an_aggregate_is_one_of_four() -> None:
    with refused("aggregate must be one of last, sum, min, max, got 'mean'"):
        family(aggregate="mean")


def test_only_a_gauge_has_an_aggregate() -> None:
    with refused("only a gauge or an info has an aggregate, got 'sum' for counter 'a_total'"):
        family(name="a_total", kind="counter", aggregate="sum")


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, None])
def test_a_series_limit_is_a_whole_number(limit: object) -> None:
    with refused(f"series_limit must be a whole number of 1 or more, got {limit!r}"):
        family(series_limit=limit)


def test_bounds_of_a_family_follow_their_rule() -> None:
    with refused("bucket bounds must increase strictly, got (2, 1): sort them and drop repeats"):
        family(kind="histogram", bounds=(2, 1))


def test_label_names_of_a_series_follow_their_rule() -> None:
    with refused("the label name 'le' is reserved: choose another"):
        family(kind="histogram", series=(Series({"le": "1"}, OBSERVED),))


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("gauge", OBSERVED, "number"),
        ("counter", "5", "number"),
        ("info", True, "number"),
        ("histogram", 5, "HistogramValue"),
        ("gaugehistogram", SummaryValue((), 0, 0), "HistogramValue"),
        ("summary", OBSERVED, "SummaryValue"),
    ],
)
def test_a_series_has_a_value_of_its_kind(kind: str, value: SeriesValue, wanted: str) -> None:
    with refused(f"a series of a {kind} must have a {wanted}, got {value!r} in 'a'"):
        family(kind=kind, series=(Series({}, value),))


# Totals


@pytest.mark.parametrize(
    ("total", "increment", "result"),
    [
        (1, 1, "2"),
        (0.5, 0.5, "1"),
        (1, 0.25, "1.25"),
        (2**63 - 2, 1, "9223372036854775807"),
        (2**63 - 1, 1, "9.223372036854776e+18"),
        (2.0**60, 1, "1.152921504606847e+18"),
    ],
)
def test_whole_totals_stay_exact_integers(total: float, increment: float, result: str) -> None:
    assert repr(add_increment(total, increment)) == result


@pytest.mark.parametrize(("aggregate", "result"), [("last", "nan"), ("sum", "nan"), ("min", "1"), ("max", "3")])
def test_gauges_of_workers_become_one(aggregate: Any, result: str) -> None:
    assert repr(combine_gauges(aggregate, [3, 1, math.nan])) == result


def test_gauges_that_are_all_nan_stay_nan() -> None:
    assert math.isnan(combine_gauges("max", [math.nan, math.nan]))


def test_the_overflow_series_has_every_label() -> None:
    assert overflow_labels({"a": "1", "b": "2"}) == {"a": "__overflow__", "b": "__overflow__"}


def test_a_placeholder_names_the_family() -> None:
    assert placeholder_help("a_total") == "a_total, reported without a definition."
