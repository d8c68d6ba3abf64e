"""Any family survives both formats, as the parsers of prometheus_client read them."""

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus
from prometheus_client.samples import Sample

from observabilipy.encoding.exposition import Format, encode_family, encode_metrics
from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    LabelSets,
    MetricKind,
    Series,
    SeriesColumns,
    SeriesValue,
    SummaryValue,
)

pytestmark = pytest.mark.properties

Labels = frozenset[tuple[str, str]]
Facts = tuple[str, str, str, str, dict[Labels, object]]
"""What a family says: name, kind, help, unit, and a spelling of the value for each label set."""

TEXT = st.text(st.one_of(st.sampled_from('"\\\n\r%{}#, =\0\x85\u2028'), st.characters(codec="utf-8")), max_size=12)
FLOATS = st.one_of(st.floats(), st.sampled_from([-0.0, 5e-324, math.inf, -math.inf, math.nan]))
NUMBERS = st.one_of(FLOATS, st.integers(-(2**70), 2**70), st.sampled_from([2**53 + 1, -(2**63), int(1.7e308)]))
POSITIVE = st.one_of(st.floats(0), st.integers(0, 2**70))
COUNTS = st.integers(0, 2**62)
TIMES = st.integers(0, 10**16).map(lambda micros: micros / 1_000_000)
LABELS = st.dictionaries(st.sampled_from(["a", "b", "path", "_x"]), TEXT, max_size=3)
# The OpenMetrics parser of prometheus_client takes escaped quotes in exemplars for quotes, so none are tried there.
EXEMPLARS = st.builds(
    Exemplar,
    st.dictionaries(st.sampled_from(["trace_id", "span_id"]), TEXT.map(lambda text: text.replace('"', ""))),
    st.floats(allow_nan=False),
    st.none() | TIMES,
)


@st.composite
def histograms(draw: st.DrawFn, *, lowest: float | None, sums: st.SearchStrategy[float]) -> HistogramValue:
    finite = st.floats(lowest, allow_nan=False, allow_infinity=False)
    bounds = sorted(draw(st.sets(finite, max_size=5)))
    counts = draw(st.lists(COUNTS, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    return HistogramValue(tuple(bounds), tuple(counts), draw(sums))


@st.composite
def summaries(
    draw: st.DrawFn, *, quantiles: st.SearchStrategy[float], values: st.SearchStrategy[float]
) -> SummaryValue:
    chosen = sorted(draw(st.sets(quantiles, max_size=3)))
    return SummaryValue(tuple((quantile, draw(values)) for quantile in chosen), draw(COUNTS), draw(values))


ANY = histograms(lowest=None, sums=st.floats(allow_nan=False))
HOSTILE: Mapping[MetricKind, st.SearchStrategy[SeriesValue]] = {
    MetricKind.HISTOGRAM: ANY,
    MetricKind.GAUGE_HISTOGRAM: ANY,
    MetricKind.SUMMARY: summaries(quantiles=st.floats(allow_nan=False), values=FLOATS),
}
"""Values that our model takes, whether or not a format allows them."""

ALLOWED: Mapping[MetricKind, st.SearchStrategy[SeriesValue]] = {
    MetricKind.COUNTER: POSITIVE,
    MetricKind.HISTOGRAM: histograms(lowest=0, sums=POSITIVE),
    MetricKind.GAUGE_HISTOGRAM: histograms(lowest=0, sums=POSITIVE),
    MetricKind.SUMMARY: summaries(quantiles=st.floats(0, 1), values=POSITIVE),
    MetricKind.INFO: st.just(1),
    MetricKind.STATE_SET: st.sampled_from([0, 1]),
}
"""Values that every format carries."""

STRIPPED = re.compile(r"\A[ \t\r\x0b\x0c]+|[^\S\n]+\Z")
"""What the parser of Prometheus text drops of a help: white space around the escaped text, before it of ASCII only."""


def parse_openmetrics(text: str) -> Iterable[Metric]:
    parsed: Iterable[Metric] = openmetrics_parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call] # foreign
    return parsed


@st.composite
def families(draw: st.DrawFn, values: Mapping[MetricKind, st.SearchStrategy[SeriesValue]]) -> Family:
    kind = draw(st.sampled_from(MetricKind))
    unit = draw(st.sampled_from(["", "", "seconds"])) if kind not in {MetricKind.INFO, MetricKind.STATE_SET} else ""
    pattern = r"[a-z][a-z0-9_]{0,3}" if kind is MetricKind.STATE_SET else r"[a-zA-Z_:][a-z0-9_:]{0,3}"
    name = draw(st.from_regex(pattern, fullmatch=True)) + (f"_{unit}" if unit else "")
    labels = LABELS
    if kind is MetricKind.STATE_SET:
        labels = st.builds(lambda others, state: others | {name: state}, LABELS, TEXT)
    rows = st.builds(
        Series,
        labels,
        values.get(kind, NUMBERS),
        st.none() | TIMES,
        st.lists(EXEMPLARS, max_size=3).map(tuple),
    )
    series = draw(st.lists(rows, min_size=1, max_size=4, unique_by=lambda row: identity(row.labels)))
    rows_or_columns = columns(series) if draw(st.booleans()) else tuple(series)
    return Family(name + ("_total" if kind is MetricKind.COUNTER else ""), kind, draw(TEXT), unit, rows_or_columns)


def columns(series: Sequence[Series]) -> SeriesColumns:
    """The same series as a store gives them, which are written from templates."""
    return SeriesColumns(
        LabelSets([row.labels for row in series]),
        [row.value for row in series],
        [row.created for row in series],
        {place: row.exemplars for place, row in enumerate(series) if row.exemplars},
    )


@given(families(ALLOWED))
def test_openmetrics_gives_back_what_was_written(family: Family) -> None:
    text = encode_family(family, "openmetrics").decode() + "# EOF\n"

    assert [facts(read_back(metric)) for metric in parse_openmetrics(text)] == [
        facts(family, help=family.help.lstrip(" "))  # the parser drops the spaces before it
    ]


@given(families({**ALLOWED, **HOSTILE}))
def test_prometheus_text_gives_back_what_was_written(family: Family) -> None:
    text = encode_family(family).decode()

    kind = {
        MetricKind.GAUGE_HISTOGRAM: MetricKind.HISTOGRAM,
        MetricKind.INFO: MetricKind.GAUGE,
        MetricKind.STATE_SET: MetricKind.GAUGE,
    }.get(family.kind, family.kind)
    name = f"{family.name}_info" if family.kind is MetricKind.INFO else family.name
    assert [facts(read_back(metric)) for metric in parse_prometheus(text)] == [
        facts(Family(name, kind, series=family.series), help=STRIPPED.sub("", family.help))
    ]


@given(st.lists(families(HOSTILE), max_size=5), st.sampled_from(["prometheus", "openmetrics"]), st.booleans())
async def test_every_body_is_accepted_and_well_formed(written: list[Family], wire: Format, created: bool) -> None:
    chunks = [chunk async for chunk in encode_metrics(stream(written), wire, created=created)]

    text = b"".join(chunks).decode()
    metrics = list(parse_openmetrics(text) if wire == "openmetrics" else parse_prometheus(text))
    samples = [sample for metric in metrics for sample in metric.samples]
    assert [
        repeated(metric.name + metric.type for metric in metrics),
        repeated((sample.name, identity(sample.labels)) for sample in samples),
        [metric.name for metric in metrics if text.count(f"# TYPE {metric.name} ") > 1 or not metric.samples],
        [metric.name for metric in metrics if metric.type == "histogram" and not cumulative(metric)],
    ] == [[], [], [], []]


async def stream(written: Iterable[Family]) -> AsyncIterator[Family]:
    for family in written:
        yield family


def repeated(values: Iterable[object]) -> list[object]:
    return [value for value, count in Counter(values).items() if count > 1]


def identity(labels: Mapping[str, str]) -> Labels:
    return frozenset((name, value) for name, value in labels.items() if value)


def without(labels: Mapping[str, str], *names: str) -> Labels:
    return identity({name: value for name, value in labels.items() if name not in names})


def cumulative(metric: Metric) -> bool:
    groups = groupby(metric.samples, key=lambda sample: without(sample.labels, "le"))
    return all(_cumulative([(sample.name, sample) for sample in group], metric.name) for _, group in groups)


def _cumulative(samples: list[tuple[str, Sample]], name: str) -> bool:
    buckets = [sample for sample_name, sample in samples if sample_name == f"{name}_bucket"]
    counts = [sample.value for sample_name, sample in samples if sample_name == f"{name}_count"]
    rising = all(
        float(one.labels["le"]) < float(other.labels["le"]) and one.value <= other.value
        for one, other in pairwise(buckets)
    )
    return rising and buckets[-1].labels["le"] == "+Inf" and all(count == buckets[-1].value for count in counts)


def read_back(metric: Metric) -> Family:
    """What a parser understood, as one of our families."""
    kind = MetricKind(metric.type)
    groups: dict[Labels, list[Sample]] = {}
    for sample in metric.samples:
        part = "le" if kind in {MetricKind.HISTOGRAM, MetricKind.GAUGE_HISTOGRAM} else "quantile"
        groups.setdefault(without(sample.labels, part), []).append(sample)
    series = tuple(Series(dict(labels), value_of(metric.name, kind, group)) for labels, group in groups.items())
    name = f"{metric.name}_total" if kind is MetricKind.COUNTER else metric.name
    return Family(name, kind, metric.documentation, metric.unit, series)


def value_of(name: str, kind: MetricKind, samples: list[Sample]) -> SeriesValue:
    single = {sample.name: sample.value for sample in samples}
    if kind in {MetricKind.HISTOGRAM, MetricKind.GAUGE_HISTOGRAM}:
        buckets = [(float(sample.labels["le"]), int(sample.value)) for sample in samples if "le" in sample.labels]
        counts = [high - low for (_, low), (_, high) in pairwise([(0.0, 0), *buckets])]
        prefix = "_g" if kind is MetricKind.GAUGE_HISTOGRAM else "_"
        return HistogramValue(tuple(bound for bound, _ in buckets[:-1]), tuple(counts), single[f"{name}{prefix}sum"])
    if kind is MetricKind.SUMMARY:
        quantiles = [(float(s.labels["quantile"]), s.value) for s in samples if "quantile" in s.labels]
        return SummaryValue(tuple(quantiles), int(single[f"{name}_count"]), single[f"{name}_sum"])
    (value,) = single.values()
    return value


def facts(family: Family, help: str | None = None) -> Facts:
    rows = {identity(row.labels): spelled(row.value) for row in family.series}
    return family.name, family.kind.value, family.help if help is None else help, family.unit, rows


def spelled(value: SeriesValue) -> object:
    """A value in a form that tells -0.0 from 0 and compares NaN as equal."""
    match value:
        case HistogramValue():
            return value.bounds, value.counts, spelled(value.sum)
        case SummaryValue():
            return tuple((q, spelled(estimate)) for q, estimate in value.quantiles), value.count, spelled(value.sum)
        case float() if value.is_integer() and abs(value) < 2**53 and repr(value) != "-0.0":
            return repr(int(value))
    return repr(value)
