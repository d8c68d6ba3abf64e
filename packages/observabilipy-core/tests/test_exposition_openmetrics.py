"""OpenMetrics text, by golden texts."""

import math

from observabilipy.encoding.exposition import encode_family
from observabilipy.models import Exemplar, Family, HistogramValue, MetricKind, Series, SummaryValue


def encoded(family: Family, *, created: bool = False) -> bytes:
    return encode_family(family, "openmetrics", created=created)


def test_a_counter_family_has_the_name_without_total() -> None:
    family = Family(
        "paid_euros_total", MetricKind.COUNTER, 'Paid, "net".', "euros", (Series({"tier": "gold"}, 3, 123.456),)
    )

    assert encoded(family) == (
        b'# HELP paid_euros Paid, \\"net\\".\n'
        b"# TYPE paid_euros counter\n"
        b"# UNIT paid_euros euros\n"
        b'paid_euros_total{tier="gold"} 3\n'
    )


def test_a_foreign_counter_without_total_gets_it() -> None:
    assert encoded(Family("hits", MetricKind.COUNTER, series=(Series({}, 3),))) == (
        b"# TYPE hits counter\nhits_total 3\n"
    )


def test_created_is_written_on_request_beside_its_series() -> None:
    rows = (Series({"tier": "gold"}, 3, 123.456), Series({"tier": "tin"}, 1), Series({"tier": "zinc"}, 1, 4))

    assert encoded(Family("orders_total", MetricKind.COUNTER, series=rows), created=True) == (
        b"# TYPE orders counter\n"
        b'orders_total{tier="gold"} 3\n'
        b'orders_created{tier="gold"} 123.456\n'
        b'orders_total{tier="tin"} 1\n'
        b'orders_total{tier="zinc"} 1\n'
        b'orders_created{tier="zinc"} 4\n'
    )


def test_a_gauge_has_no_created() -> None:
    family = Family("depth", MetricKind.GAUGE, series=(Series({}, math.nan, 5.0),))

    assert encoded(family, created=True) == b"# TYPE depth gauge\ndepth NaN\n"


def test_a_counter_carries_its_newest_exemplar() -> None:
    exemplars = (Exemplar({"trace_id": "a"}, 1, 5), Exemplar({"trace_id": 'b # "'}, 0.5, 1763826000.25))
    family = Family("orders_total", MetricKind.COUNTER, series=(Series({}, 3, None, exemplars),))

    assert encoded(family) == (b'# TYPE orders counter\norders_total 3 # {trace_id="b # \\""} 0.5 1763826000.250000\n')


def test_an_exemplar_of_a_histogram_belongs_to_the_bucket_of_its_value() -> None:
    exemplars = (
        Exemplar({"trace_id": "old"}, 0.9),
        Exemplar({"trace_id": "on the bound"}, 1),
        Exemplar({}, 7, -0.000001),
    )
    row = Series({}, HistogramValue((0.5, 1), (0, 2, 1), 8.9), 5.5, exemplars)

    assert encoded(Family("h", MetricKind.HISTOGRAM, series=(row,)), created=True) == (
        b"# TYPE h histogram\n"
        b'h_bucket{le="0.5"} 0\n'
        b'h_bucket{le="1.0"} 2 # {trace_id="on the bound"} 1\n'
        b'h_bucket{le="+Inf"} 3 # {} 7 -0.000001\n'
        b"h_count 3\n"
        b"h_sum 8.9\n"
        b"h_created 5.5\n"
    )


def test_a_gauge_carries_no_exemplar() -> None:
    family = Family("g", MetricKind.GAUGE, series=(Series({}, 1, None, (Exemplar({}, 1),)),))

    assert encoded(family) == b"# TYPE g gauge\ng 1\n"


def test_a_histogram_whose_sum_may_fall_has_neither_count_nor_sum() -> None:
    below = Series({"bound": "below"}, HistogramValue((-1.5,), (1, 2), 3))
    falling = Series({"sum": "below"}, HistogramValue((1.5,), (1, 0), -3))

    assert encoded(Family("h", MetricKind.HISTOGRAM, series=(below, falling))) == (
        b"# TYPE h histogram\n"
        b'h_bucket{bound="below",le="-1.5"} 1\n'
        b'h_bucket{bound="below",le="+Inf"} 3\n'
        b'h_bucket{sum="below",le="1.5"} 1\n'
        b'h_bucket{sum="below",le="+Inf"} 1\n'
    )


def test_a_gauge_histogram_has_a_sum_that_may_fall() -> None:
    family = Family(
        "age", MetricKind.GAUGE_HISTOGRAM, series=(Series({}, HistogramValue((-1, 1), (1, 0, 0), -3), 5.0),)
    )

    assert encoded(family, created=True) == (
        b"# TYPE age gaugehistogram\n"
        b'age_bucket{le="-1.0"} 1\n'
        b'age_bucket{le="1.0"} 1\n'
        b'age_bucket{le="+Inf"} 1\n'
        b"age_gcount 1\n"
        b"age_gsum -3\n"
    )


def test_a_gauge_histogram_without_bounds_below_zero_has_no_sum_below_zero() -> None:
    family = Family("age", MetricKind.GAUGE_HISTOGRAM, series=(Series({}, HistogramValue((1,), (1, 0), -3)),))

    assert encoded(family) == b'# TYPE age gaugehistogram\nage_bucket{le="1.0"} 1\nage_bucket{le="+Inf"} 1\n'


def test_a_summary_leaves_out_what_the_format_forbids() -> None:
    quantiles = ((0.5, 2.5), (0.9, math.nan), (0.99, -1), (1.5, 3))
    family = Family("rpc", MetricKind.SUMMARY, series=(Series({}, SummaryValue(quantiles, 9, -30), 1.0),))

    assert encoded(family, created=True) == (
        b'# TYPE rpc summary\nrpc{quantile="0.5"} 2.5\nrpc{quantile="0.9"} NaN\nrpc_count 9\nrpc_created 1\n'
    )


def test_a_counter_below_zero_or_nan_is_left_out() -> None:
    rows = (Series({"a": "1"}, -1.0, 5.0), Series({"a": "2"}, math.nan), Series({"a": "3"}, 2))

    assert encoded(Family("orders_total", MetricKind.COUNTER, series=rows), created=True) == (
        b'# TYPE orders counter\norders_total{a="3"} 2\n'
    )


def test_a_family_of_which_nothing_can_be_written_is_left_out() -> None:
    assert encoded(Family("orders_total", MetricKind.COUNTER, "Orders.", series=(Series({}, math.nan),))) == b""


def test_an_info_has_the_value_one_and_no_unit() -> None:
    family = Family("build_info_x", MetricKind.INFO, "Build.", "x", (Series({"version": "1"}, 7),))

    assert encoded(family) == (
        b'# HELP build_info_x Build.\n# TYPE build_info_x info\nbuild_info_x_info{version="1"} 1\n'
    )


def test_the_states_of_one_set_stand_together() -> None:
    rows = (
        Series({"mode": "idle", "host": "a"}, 0),
        Series({"mode": "idle", "host": "b"}, 1),
        Series({"host": "a", "mode": "busy"}, 1.0),
        Series({"mode": "half", "host": "a"}, 0.5),
        Series({"host": "a"}, 1),
    )

    assert encoded(Family("mode", MetricKind.STATE_SET, series=rows)) == (
        b"# TYPE mode stateset\n"
        b'mode{mode="idle",host="a"} 0\n'
        b'mode{host="a",mode="busy"} 1\n'
        b'mode{mode="idle",host="b"} 1\n'
    )


def test_an_unknown_stays_unknown() -> None:
    assert encoded(Family("x", MetricKind.UNKNOWN, series=(Series({"a": ""}, 1),))) == (
        b'# TYPE x unknown\nx{a=""} 1\n'
    )


def test_help_escapes_a_backslash_before_a_quote_or_an_n() -> None:
    family = Family("x", MetricKind.GAUGE, '\\n \\" \n', series=(Series({}, 1),))

    assert encoded(family) == b'# HELP x \\\\n \\\\\\" \\n\n# TYPE x gauge\nx 1\n'


def test_an_exemplar_may_hold_128_wide_characters() -> None:
    row = Series({"path": "/ # {a}"}, 1, None, (Exemplar({"a": "\u4f60" * 127}, 1),))

    assert encoded(Family("x_total", MetricKind.COUNTER, series=(row,))) == (
        b'# TYPE x counter\nx_total{path="/ # {a}"} 1 # {a="' + "\u4f60".encode() * 127 + b'"} 1\n'
    )
