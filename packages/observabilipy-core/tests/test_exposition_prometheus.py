"""The Prometheus text format, by golden texts."""

import math

import pytest

from observabilipy.encoding.exposition import CONTENT_TYPES, encode_family
from observabilipy.errors import InvalidValue
from observabilipy.models import Exemplar, Family, HistogramValue, MetricKind, Series, SummaryValue


def one(kind: MetricKind, value: float, name: str = "spam", **labels: str) -> Family:
    return Family(name, kind, "Spam.", series=(Series(labels, value),))


def test_a_counter_keeps_its_whole_name() -> None:
    family = Family(
        "orders_total",
        MetricKind.COUNTER,
        "Orders placed.",
        series=(Series({"tier": "gold"}, 3, 1.0, (Exemplar({"trace_id": "a"}, 1),)), Series({"tier": "tin"}, 0.5)),
    )

    assert encode_family(family, created=True) == (
        b"# HELP orders_total Orders placed.\n"
        b"# TYPE orders_total counter\n"
        b'orders_total{tier="gold"} 3\n'
        b'orders_total{tier="tin"} 0.5\n'
    )


def test_a_histogram_is_cumulative_and_ends_in_its_count() -> None:
    value = HistogramValue((0.5, 1, 2_000_000), (1, 0, 2, 4), 7.25)
    family = Family("wait_seconds", MetricKind.HISTOGRAM, "Waiting.", "seconds", (Series({"queue": "a"}, value),))

    assert encode_family(family) == (
        b"# HELP wait_seconds Waiting.\n"
        b"# TYPE wait_seconds histogram\n"
        b'wait_seconds_bucket{queue="a",le="0.5"} 1\n'
        b'wait_seconds_bucket{queue="a",le="1.0"} 1\n'
        b'wait_seconds_bucket{queue="a",le="2e+06"} 3\n'
        b'wait_seconds_bucket{queue="a",le="+Inf"} 7\n'
        b'wait_seconds_count{queue="a"} 7\n'
        b'wait_seconds_sum{queue="a"} 7.25\n'
    )


def test_a_sum_below_zero_is_written() -> None:
    family = Family("t", MetricKind.HISTOGRAM, series=(Series({}, HistogramValue((-1, 1), (1, 0, 0), -5)),))

    assert encode_family(family) == (
        b'# TYPE t histogram\nt_bucket{le="-1.0"} 1\nt_bucket{le="1.0"} 1\nt_bucket{le="+Inf"} 1\nt_count 1\nt_sum -5\n'
    )


def test_a_summary_writes_its_quantiles_before_count_and_sum() -> None:
    family = Family("rpc", MetricKind.SUMMARY, series=(Series({}, SummaryValue(((0.5, 2.5), (1, 4)), 9, 30)),))

    assert encode_family(family) == (
        b'# TYPE rpc summary\nrpc{quantile="0.5"} 2.5\nrpc{quantile="1.0"} 4\nrpc_count 9\nrpc_sum 30\n'
    )


def test_a_gauge_histogram_is_written_as_a_histogram() -> None:
    family = Family("age", MetricKind.GAUGE_HISTOGRAM, series=(Series({}, HistogramValue((1,), (2, 1), 4)),))

    assert encode_family(family) == (
        b'# TYPE age histogram\nage_bucket{le="1.0"} 2\nage_bucket{le="+Inf"} 3\nage_count 3\nage_sum 4\n'
    )


def test_an_info_is_written_as_a_gauge() -> None:
    assert encode_family(one(MetricKind.INFO, 1, "build", version="1.2")) == (
        b'# HELP build_info Spam.\n# TYPE build_info gauge\nbuild_info{version="1.2"} 1\n'
    )


def test_a_state_set_is_written_as_a_gauge() -> None:
    assert encode_family(one(MetricKind.STATE_SET, 0, "mode", mode="idle")) == (
        b'# HELP mode Spam.\n# TYPE mode gauge\nmode{mode="idle"} 0\n'
    )


def test_an_unknown_is_written_as_untyped() -> None:
    assert encode_family(one(MetricKind.UNKNOWN, 1.5)) == b"# HELP spam Spam.\n# TYPE spam untyped\nspam 1.5\n"


def test_help_escapes_backslash_and_newline_only() -> None:
    family = Family("spam", MetricKind.GAUGE, 'a \\ b\nc "d"', series=(Series({}, 1),))

    assert encode_family(family) == b'# HELP spam a \\\\ b\\nc "d"\n# TYPE spam gauge\nspam 1\n'


def test_label_values_escape_backslash_quote_and_newline() -> None:
    family = Family("spam", MetricKind.GAUGE, series=(Series({"path": 'C:\\n\n"x"{%}\0é'}, 1),))

    assert encode_family(family) == (
        b'# TYPE spam gauge\nspam{path="C:\\\\n\\n\\"x\\"{%}\x00\xc3\xa9"} 1\n'  # one raw NUL, one raw e acute
    )


def test_a_lone_surrogate_in_a_label_is_spelled_out() -> None:
    family = Family("spam", MetricKind.GAUGE, series=(Series({"path": "\udc80"}, 1),))

    assert encode_family(family) == b'# TYPE spam gauge\nspam{path="\\\\udc80"} 1\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, b"0"),
        (5.0, b"5"),
        (-5.0, b"-5"),
        (-0.0, b"-0.0"),
        (0.1, b"0.1"),
        (2**63, b"9223372036854775808"),
        (2**53 - 1.0, b"9007199254740991"),
        (2.0**53, b"9007199254740992.0"),
        (1e300, b"1e+300"),
        (5e-324, b"5e-324"),
        (math.inf, b"+Inf"),
        (-math.inf, b"-Inf"),
        (math.nan, b"NaN"),
    ],
)
def test_numbers_are_spelled_so_that_they_read_back_the_same(value: float, text: bytes) -> None:
    body = encode_family(Family("spam", MetricKind.GAUGE, series=(Series({}, value),)))

    assert body == b"# TYPE spam gauge\nspam " + text + b"\n"


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        (0.0, b"0.0"),
        (1e-05, b"1e-05"),
        (0.0001, b"0.0001"),
        (100_000, b"100000.0"),
        (1_000_000, b"1e+06"),
        (1_234_567.5, b"1.2345675e+06"),
        (-2_500_000, b"-2.5e+06"),
        (1e22, b"1e+22"),
    ],
)
def test_bounds_are_canonical_numbers(bound: float, text: bytes) -> None:
    family = Family("h", MetricKind.HISTOGRAM, series=(Series({}, HistogramValue((bound,), (0, 0), 0)),))

    assert encode_family(family).splitlines()[1] == b'h_bucket{le="' + text + b'"} 0'


def test_a_count_beyond_every_float_is_infinite() -> None:
    family = Family("h", MetricKind.HISTOGRAM, series=(Series({}, HistogramValue((1,), (0, 10**5000), 0)),))

    assert encode_family(family) == (
        b'# TYPE h histogram\nh_bucket{le="1.0"} 0\nh_bucket{le="+Inf"} +Inf\nh_count +Inf\nh_sum 0\n'
    )


def test_a_family_without_series_is_left_out() -> None:
    assert encode_family(Family("spam", MetricKind.GAUGE, "Spam.")) == b""


def test_of_equal_label_sets_the_first_is_written() -> None:
    rows = (
        Series({"a": "1", "b": "2"}, 1),
        Series({"b": "2", "a": "1"}, 2),
        Series({}, 3),
        Series({"a": ""}, 4),  # to Prometheus this is the one before
    )

    assert encode_family(Family("spam", MetricKind.GAUGE, series=rows)) == (
        b'# TYPE spam gauge\nspam{a="1",b="2"} 1\nspam 3\n'
    )


def test_another_format_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"^format must be one of prometheus, openmetrics, got 'json'$"):
        encode_family(one(MetricKind.GAUGE, 1), "json")  # type: ignore[arg-type] # the refusal is the test


def test_each_format_names_its_version() -> None:
    assert dict(CONTENT_TYPES) == {
        "prometheus": "text/plain; version=0.0.4; charset=utf-8",
        "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    }
