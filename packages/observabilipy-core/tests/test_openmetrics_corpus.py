"""The parser test data of OpenMetrics: good cases survive our values and our encoder, bad ones cannot be built.

The oracle is the parser of prometheus_client, which agrees with all 211 cases.
"""

import json
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser
from prometheus_client.samples import Exemplar as ForeignExemplar
from prometheus_client.samples import Sample

from observabilipy.encoding.exposition import encode_metrics
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
    counter,
    gauge,
    histogram,
)

CASES: Mapping[str, Mapping[str, object]] = json.loads(
    Path(__file__).with_name("openmetrics_corpus").joinpath("cases.json").read_text(encoding="utf-8")
)
GOOD = sorted(name for name, case in CASES.items() if case["good"])
BAD = sorted(CASES.keys() - set(GOOD))

Labels: TypeAlias = frozenset[tuple[str, str]]
_BUCKETS = {MetricKind.HISTOGRAM: "_", MetricKind.GAUGE_HISTOGRAM: "_g"}
NAN = math.nan
TRACE = (Exemplar({"a": "b"}, 1),)


def parsed(text: str) -> list[Metric]:
    return list(parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call] # foreign


async def body_of(*families: Family) -> str:
    async def stream() -> AsyncIterator[Family]:
        for family in families:
            yield family

    return b"".join([chunk async for chunk in encode_metrics(stream(), "openmetrics", created=True)]).decode()


# Good cases

MISPLACED = ("exemplars_with_hash_in_label_values", "gaugehistogram_exemplars", "histogram_exemplars")
"""They show two exemplars of 0.5, one at the bucket up to 1, one at that up to 2. Ours stand at the bucket of their
value, the newest of each, so these cases are the same but for that."""


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_case_is_the_same_after_our_encoder(name: str) -> None:
    before = parsed(str(CASES[name]["text"]))

    after = parsed(await body_of(*map(family_of, before)))

    exemplars = name not in MISPLACED
    assert [spelled(metric, exemplars) for metric in after] == [
        spelled(metric, exemplars) for metric in before if metric.samples
    ]


async def test_an_exemplar_stands_at_the_lowest_bucket_that_may_have_it() -> None:
    text = str(CASES["gaugehistogram_exemplars"]["text"])

    assert (await body_of(*map(family_of, parsed(text)))) == (
        "# HELP a help\n"
        "# TYPE a gaugehistogram\n"
        'a_bucket{le="1.0"} 0 # {a="c"} 0.5\n'
        'a_bucket{le="2.0"} 2\n'
        'a_bucket{le="+Inf"} 3 # {a="d"} 4 123.000000\n'
        "# EOF\n"
    )


def spelled(metric: Metric, exemplars: bool) -> tuple[object, ...]:
    """All that a family says, but when its samples were taken: our values are those of now. Of several, the newest."""
    samples = {
        (sample.name, labels_of(sample)): (number_of(sample), exemplars and exemplar_of(sample))
        for sample in metric.samples
    }
    return metric.name, metric.type, metric.documentation, metric.unit, samples


def number_of(sample: Sample) -> object:
    return "NaN" if math.isnan(sample.value) else sample.value


def exemplar_of(sample: Sample) -> object:
    found = sample.exemplar
    return found and (found.labels, found.value, moment_of(found))


def moment_of(exemplar: ForeignExemplar) -> float | None:
    return None if exemplar.timestamp is None else float(exemplar.timestamp)


def labels_of(sample: Sample, *but: str) -> Labels:
    """A label without text is none; bounds and quantiles are numbers."""
    return frozenset(
        (name, repr(float(value)) if name in {"le", "quantile"} else value)
        for name, value in sample.labels.items()
        if value and name not in but
    )


def family_of(metric: Metric) -> Family:
    """What a parser understood, as one of our families."""
    kind = MetricKind(metric.type)
    part = "le" if kind in _BUCKETS else "quantile" if kind is MetricKind.SUMMARY else ""
    groups: dict[Labels, list[Sample]] = {}
    for sample in metric.samples:
        groups.setdefault(labels_of(sample, part), []).append(sample)
    rows = [row_of(metric.name, kind, dict(labels), samples) for labels, samples in groups.items()]
    name = f"{metric.name}_total" if kind is MetricKind.COUNTER else metric.name
    return Family(name, kind, metric.documentation, metric.unit, tuple(rows))


def row_of(name: str, kind: MetricKind, labels: dict[str, str], samples: list[Sample]) -> Series:
    single = {sample.name: sample.value for sample in samples}
    created = single.pop(f"{name}_created", None)
    exemplars = tuple(
        Exemplar(found.labels, found.value, moment_of(found))
        for sample in samples
        if (found := sample.exemplar) is not None
    )
    value: SeriesValue
    if kind in _BUCKETS:
        buckets = [(float(sample.labels["le"]), int(sample.value)) for sample in samples if "le" in sample.labels]
        counts = [high - low for (_, low), (_, high) in pairwise([(0.0, 0), *buckets])]
        bounds = tuple(bound for bound, _ in buckets[:-1])
        value = HistogramValue(bounds, tuple(counts), single.get(f"{name}{_BUCKETS[kind]}sum", NAN))
    elif kind is MetricKind.SUMMARY:
        quantiles = [(float(sample.labels["quantile"]), sample.value) for sample in samples if sample.name == name]
        value = SummaryValue(tuple(quantiles), int(single[f"{name}_count"]), single[f"{name}_sum"])
    else:
        (value,) = single.values()
    return Series(labels, value, created, exemplars)


# Bad cases


def of(kind: MetricKind, value: SeriesValue, labels: Mapping[str, str] | None = None, **more: object) -> Family:
    name = "a_total" if kind is MetricKind.COUNTER else "a"
    return Family(name, kind, series=(Series(labels or {}, value, **more),))  # type: ignore[arg-type] # as given


def seen(*counts: int, bounds: tuple[float, ...] = (), total: float = NAN) -> HistogramValue:
    return HistogramValue(bounds, counts, total)


HISTOGRAM, GAUGE_HISTOGRAM = MetricKind.HISTOGRAM, MetricKind.GAUGE_HISTOGRAM
UNKNOWN, SUMMARY, STATES, INFO = MetricKind.UNKNOWN, MetricKind.SUMMARY, MetricKind.STATE_SET, MetricKind.INFO

REFUSED: Mapping[str, tuple[Callable[[], object], str]] = {
    "bad_counter_values_0": (lambda: counter("a_total", NAN), "a counter's increment must be finite and not negative"),
    "bad_counter_values_1": (lambda: counter("a_total", -1), "a counter's increment must be finite and not negative"),
    "bad_counter_values_2": (
        lambda: histogram("a", seen(1, 0, bounds=(1,))),
        "the observations of a histogram must add up to a finite sum",
    ),
    **{
        f"bad_counter_values_{number}": (lambda: seen(NAN), "counts must be whole numbers")  # type: ignore[arg-type] # the refusal is the test
        for number in (3, 4, 10)
    },
    **{
        f"bad_counter_values_{number}": (lambda: seen(-1), "counts must be whole numbers of 0 or more")
        for number in (6, 7, 11, 12)
    },
    **{
        f"bad_exemplar_timestamp_{number}": (
            lambda moment=moment: Exemplar({"a": "b"}, 0.5, moment),  # type: ignore[misc] # bound now
            "the timestamp of an exemplar must be unix seconds",
        )
        for number, moment in enumerate((NAN, math.inf, -math.inf))
    },
    "bad_exemplars_6": (lambda: Exemplar({"a": "2" * 128}, 1), "the labels of an exemplar must fit 128 characters"),
    "bad_exemplar_complex_chars": (lambda: Exemplar({"a": "\u0321" * 128}, 1), "must fit 128 characters"),
    "bad_histograms_9": (lambda: seen(0, 0, 0, bounds=(2, 1)), "bucket bounds must increase strictly"),
    "bad_histograms_10": (lambda: seen(1, 0, -1, bounds=(1, 2)), "counts must be whole numbers of 0 or more"),
    "bad_histograms_0": (lambda: of(HISTOGRAM, 1), "a series of a histogram must have a HistogramValue"),
    "bad_histograms_6": (lambda: of(GAUGE_HISTOGRAM, 1), "a series of a gaugehistogram must have a HistogramValue"),
    **{
        f"bad_invalid_labels_{number}": (lambda: of(UNKNOWN, 1, {"1": "1"}), "a label name must match")
        for number in (0, 1, 4)
    },
    **{
        f"bad_metric_names_{number}": (lambda name=name: gauge(name, 1), "a metric name must match")  # type: ignore[misc] # bound now
        for number, name in enumerate(("0a", "a.b", "a-b"))
    },
    "bad_missing_equal_or_label_value_3": (
        lambda: gauge("a", 1, labels={"a": None}),  # type: ignore[dict-item] # the refusal is the test
        "the value of label 'a' must be a string",
    ),
    "bad_missing_or_wrong_quotes_on_label_value_0": (
        lambda: gauge("a", 1, labels={"a": 1}),  # type: ignore[dict-item] # the refusal is the test
        "the value of label 'a' must be a string",
    ),
    "bad_missing_or_invalid_labels_for_a_type_0": (lambda: of(SUMMARY, 0), "must have a SummaryValue"),
    "bad_missing_or_invalid_labels_for_a_type_5": (lambda: of(HISTOGRAM, 0), "must have a HistogramValue"),
    "bad_missing_or_invalid_labels_for_a_type_6": (lambda: of(GAUGE_HISTOGRAM, 0), "must have a HistogramValue"),
    "bad_type_4": (lambda: Family("a", "meh"), "kind must be one of"),  # type: ignore[arg-type] # the refusal is the test
    "bad_type_5": (lambda: Family("a", "meh "), "kind must be one of"),  # type: ignore[arg-type] # as above
    "bad_type_6": (lambda: Family("a", "gauge "), "kind must be one of"),  # type: ignore[arg-type] # as above
    "bad_type_7": (lambda: Family("a", "untyped"), "kind must be one of"),  # type: ignore[arg-type] # as above
    "bad_unit_4": (lambda: Family("a", UNKNOWN, "", "seconds"), "unit 'seconds' must be the suffix of the name"),
    "bad_unit_5": (lambda: Family("a_seconds", UNKNOWN, "", "seconds "), "must be the suffix of the name"),
    "bad_value_0": (lambda: gauge("a", "a"), "takes a number, got 'a'"),  # type: ignore[arg-type] # the refusal is the test
    "bad_missing_value_0": (lambda: gauge("a", None), "a gauge reports a number"),  # type: ignore[arg-type] # as above
    "bad_missing_value_1": (lambda: of(UNKNOWN, None), "must have a number"),  # type: ignore[arg-type] # as above
    "bad_exemplars_9": (lambda: Exemplar({"id": "a"}, None), "the value of an exemplar must be a number"),  # type: ignore[arg-type] # as above
    "bad_timestamp_4": (lambda: gauge("a", 1, timestamp=NAN), "timestamp must be unix seconds"),
    "bad_timestamp_5": (lambda: gauge("a", 1, timestamp=math.inf), "timestamp must be unix seconds"),
    "bad_timestamp_6": (lambda: gauge("a", 1, timestamp=math.inf), "timestamp must be unix seconds"),
    "bad_timestamp_7": (lambda: gauge("a", 1, timestamp=-math.inf), "timestamp must be unix seconds"),
    "bad_timestamp_0": (
        lambda: gauge("a", 1, timestamp="z"),  # type: ignore[arg-type] # the refusal is the test
        "timestamp must be unix seconds",
    ),
    "bad_exemplars_on_unallowed_samples_2": (lambda: gauge("a_bucket", 1), "the suffix '_bucket' is reserved"),
}
"""What raises, and the beginning of what it says."""

COUNTERS = (Family("a_total", MetricKind.COUNTER, series=(Series({}, 1),)),) * 2
LEFT_OUT: Mapping[str, tuple[Iterable[Family], str]] = {
    "bad_clashing_names_0": (COUNTERS, "# TYPE a counter\na_total 1\n"),
    "bad_clashing_names_1": ((of(INFO, 1), *COUNTERS), "# TYPE a info\na_info 1\n"),
    "bad_clashing_names_2": (
        (Family("a_created", MetricKind.GAUGE, series=(Series({}, 1),)), *COUNTERS),
        "# TYPE a_created gauge\na_created 1\n",
    ),
    "bad_counter_values_5": (
        (of(HISTOGRAM, seen(1, 0, bounds=(1,), total=-1)),),
        '# TYPE a histogram\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 1\n',
    ),
    **{
        f"bad_counter_values_{number}": (
            (of(HISTOGRAM, seen(1, 1, bounds=(-1,), total=total)),),
            '# TYPE a histogram\na_bucket{le="-1.0"} 1\na_bucket{le="+Inf"} 2\n',
        )
        for number, total in ((8, -1), (9, 1))
    },
    **{
        name: ((of(GAUGE_HISTOGRAM, seen(1, total=total)),), '# TYPE a gaugehistogram\na_bucket{le="+Inf"} 1\n')
        for name, total in (("bad_counter_values_13", -1), ("bad_counter_values_14", NAN), ("bad_histograms_7", -1))
    },
    "bad_counter_values_15": ((of(SUMMARY, SummaryValue((), 1, NAN)),), "# TYPE a summary\na_count 1\n"),
    "bad_counter_values_17": ((of(SUMMARY, SummaryValue((), 1, -1)),), "# TYPE a summary\na_count 1\n"),
    "bad_counter_values_19": (
        (of(SUMMARY, SummaryValue(((0.5, -1),), 1, 1)),),
        "# TYPE a summary\na_count 1\na_sum 1\n",
    ),
    "bad_exemplars_on_unallowed_metric_types_0": (
        (of(MetricKind.GAUGE, 1, exemplars=TRACE),),
        "# TYPE a gauge\na 1\n",
    ),
    "bad_exemplars_on_unallowed_metric_types_1": ((of(INFO, 1, exemplars=TRACE),), "# TYPE a info\na_info 1\n"),
    "bad_exemplars_on_unallowed_metric_types_2": (
        (of(STATES, 1, {"a": "b"}, exemplars=TRACE),),
        '# TYPE a stateset\na{a="b"} 1\n',
    ),
    "bad_histograms_3": (
        (of(HISTOGRAM, seen(0, 0, bounds=(-1,), total=0)),),
        '# TYPE a histogram\na_bucket{le="-1.0"} 0\na_bucket{le="+Inf"} 0\n',
    ),
    "bad_info_and_stateset_values_0": ((of(INFO, 2, {"foo": "bar"}),), '# TYPE a info\na_info{foo="bar"} 1\n'),
    "bad_info_and_stateset_values_1": ((of(STATES, 2, {"a": "bar"}),), ""),
    **{f"bad_stateset_info_values_{number}": ((of(STATES, value),), "") for number, value in ((0, 2), (2, 2.0))},
    **{
        f"bad_stateset_info_values_{number}": ((of(INFO, value),), "# TYPE a info\na_info 1\n")
        for number, value in ((1, 2), (3, 2.0))
    },
    **{
        f"bad_missing_or_invalid_labels_for_a_type_{number}": (
            (of(SUMMARY, SummaryValue(((quantile, 0),), 1, 1)),),
            "# TYPE a summary\na_count 1\na_sum 1\n",
        )
        for number, quantile in ((1, -1), (3, 1.01), (4, NAN))
    },
    "bad_missing_or_invalid_labels_for_a_type_7": ((of(STATES, 0),), ""),
    "bad_unit_6": ((Family("x_u", INFO, "", "u", (Series({}, 1),)),), "# TYPE x_u info\nx_u_info 1\n"),
    "bad_unit_7": (
        (Family("x_u", STATES, "", "u", (Series({"x_u": "on"}, 1),)),),
        '# TYPE x_u stateset\nx_u{x_u="on"} 1\n',
    ),
}
"""What can be built, for foreign collectors give such, and what of it is written: nothing that the format forbids."""

_SYNTAX = "text that no value stands for: blanks, quotes, commas, spellings of numbers and of metadata"
_ONCE = "a value has it once, and its place in the text is the encoder's"
_NO_MOMENT = "our samples carry no timestamps, and a series stands once in a family"
_PARTS = "count, sum and buckets are one value"
IMPOSSIBLE: Mapping[str, str] = {
    "bad_blank_line": _SYNTAX,
    "bad_counter_values_16": "SummaryValue is a foreign collector's, which knows its count as a whole number",
    "bad_counter_values_18": "SummaryValue is a foreign collector's, which knows its count as a whole number",
    **dict.fromkeys((f"bad_exemplars_{number}" for number in (0, 1, 2, 3, 4, 5, 7, 8, 10, 11, 12)), _SYNTAX),
    **dict.fromkeys((f"bad_exemplars_on_unallowed_samples_{number}" for number in (0, 1, 3)), _PARTS),
    **dict.fromkeys((f"bad_grouping_or_ordering_{number}" for number in (0, 1, 2, 3)), _ONCE),
    **dict.fromkeys((f"bad_grouping_or_ordering_{number}" for number in (4, 5, 6, 7, 8, 9, 10)), _NO_MOMENT),
    **dict.fromkeys((f"bad_help_{number}" for number in range(5)), _SYNTAX),
    **dict.fromkeys((f"bad_histograms_{number}" for number in (1, 2, 4, 5, 8, 11, 13, 14)), _PARTS),
    "bad_histograms_12": _SYNTAX,
    **dict.fromkeys((f"bad_invalid_labels_{number}" for number in (2, 3, 5, 6, 7, 8)), _SYNTAX),
    "bad_metadata": _SYNTAX,
    **dict.fromkeys((f"bad_metadata_in_wrong_place_{number}" for number in range(3)), _ONCE),
    **dict.fromkeys((f"bad_missing_equal_or_label_value_{number}" for number in (0, 1, 2, 4)), _SYNTAX),
    **dict.fromkeys((f"bad_missing_or_extra_commas_{number}" for number in range(3)), _SYNTAX),
    "bad_missing_or_invalid_labels_for_a_type_2": "a quantile is a number",
    **dict.fromkeys((f"bad_missing_or_wrong_quotes_on_label_value_{number}" for number in (1, 2)), _SYNTAX),
    "bad_no_eof": "the encoder ends each body",
    **dict.fromkeys((f"bad_repeated_metadata_{number}" for number in range(4)), _ONCE),
    **dict.fromkeys((f"bad_text_after_eof_{number}" for number in range(2)), "the encoder ends each body"),
    **dict.fromkeys((f"bad_timestamp_{number}" for number in (1, 2, 3, 8)), _SYNTAX),
    **dict.fromkeys((f"bad_type_{number}" for number in range(4)), _SYNTAX),
    **dict.fromkeys((f"bad_unit_{number}" for number in range(4)), _SYNTAX),
    **dict.fromkeys((f"bad_value_{number}" for number in range(1, 13)), _SYNTAX),
}
"""What no registration and no value can say, and why."""


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_bad_case_that_can_be_said_is_refused(name: str) -> None:
    say, told = REFUSED[name]

    with pytest.raises(InvalidValue) as refusal:
        say()
    assert told in str(refusal.value)


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
async def test_what_the_format_forbids_is_left_out(name: str) -> None:
    families, expected = LEFT_OUT[name]

    body = await body_of(*families)
    parsed(body)

    assert body == f"{expected}# EOF\n"


def test_each_bad_case_has_its_answer() -> None:
    answers = [*REFUSED, *LEFT_OUT, *IMPOSSIBLE]

    assert (sorted(answers), len(GOOD), len(BAD)) == (BAD, 44, 167)


def test_a_histogram_is_reported_under_bounds() -> None:
    with pytest.raises(InvalidValue, match="a histogram is reported under one or more bucket bounds, got none"):
        MetricSample("a", seen(1, total=1), {}, HISTOGRAM, 5.0)
