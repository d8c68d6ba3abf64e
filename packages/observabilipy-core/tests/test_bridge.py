"""The bridge to prometheus_client: what its own exposition says, ours says, too, in both formats."""

import asyncio
import math
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
    SummaryMetricFamily,
    UnknownMetricFamily,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from observabilipy import (
    Exemplar,
    Family,
    HistogramValue,
    InvalidValue,
    MetricKind,
    Observability,
    Series,
    SummaryValue,
)
from observabilipy.bridge import prometheus_client_families
from observabilipy.http import Request

Said: TypeAlias = dict[str, tuple[str, str, str, dict[tuple[str, frozenset[tuple[str, str]]], object]]]
"""What a body says: by family its kind, help, unit, and its samples with exemplars."""


class Custom:
    """A collector that somebody wrote for prometheus_client."""

    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def registry_of(*metrics: Metric) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Custom(*metrics))
    return registry


def families_of(registry: CollectorRegistry) -> list[Family]:
    return list(prometheus_client_families(registry, without=())())


async def ours(registry: CollectorRegistry, *accept: tuple[bytes, bytes]) -> str:
    with Observability(auth="public", collectors=(), handle_sigterm=False) as obs:
        obs.add_collector(prometheus_client_families(registry, without=()))
        response = await obs.endpoints.handle(Request("GET", "/metrics", b"", accept))
        return b"".join([chunk async for chunk in response.body]).decode()


def said(metrics: Iterable[Metric], *, skip: tuple[str, ...] = ("_created",)) -> Said:
    return {
        metric.name: (
            metric.type,
            metric.documentation,
            metric.unit,
            {
                (sample.name, frozenset(sample.labels.items())): (
                    repr(float(sample.value)),
                    None if sample.exemplar is None else (sample.exemplar.labels, sample.exemplar.value),
                )
                for sample in metric.samples
                if not sample.name.endswith(skip)
            },
        )
        for metric in metrics
        if not metric.name.endswith(skip)
    }


def in_openmetrics(text: str) -> Said:
    return said(parse_openmetrics(text))  # type: ignore[no-untyped-call]  # foreign


def in_prometheus(text: str, *gauge_histograms: str) -> Said:
    """Theirs tells count and sum of a gauge histogram as gauges of their own, ours as those of a histogram."""
    found = said(parse_prometheus(text))
    for name in gauge_histograms:
        kind, documentation, unit, samples = found[name]
        for suffix in ("_gcount", "_gsum"):
            _, _, _, own = found.pop(name + suffix, ("", "", "", {}))
            samples |= {(name + suffix.replace("_g", "_"), labels): value for (_, labels), value in own.items()}
        found[name] = (kind, documentation, unit, samples)
    return found


@pytest.fixture
def everything() -> CollectorRegistry:
    """All that its instruments, its custom families and its own collectors can be."""
    registry = CollectorRegistry(target_info={"env": "test"})
    plain: dict[str, Any] = {"registry": registry}
    counter = prometheus_client.Counter("jobs", "Jobs.", ["kind"], **plain)
    counter.labels('a"\\\n').inc(2.5, exemplar={"trace_id": "7"})
    counter.labels("").inc()
    prometheus_client.Counter("unused_total", "Never counted.", **plain)
    prometheus_client.Counter("sent_bytes", "Bytes.", unit="bytes", **plain).inc(2**60)
    prometheus_client.Gauge("queue", "Queue.", **plain).set(-math.inf)
    prometheus_client.Gauge("asked", "By a function.", **plain).set_function(lambda: 42)
    prometheus_client.Gauge("odd", "NaN.", **plain).set(math.nan)
    histogram = prometheus_client.Histogram("wait_seconds", "Wait.", ["path"], unit="seconds", **plain)
    for value in (0.001, 0.7, 99):
        histogram.labels("/é😀").observe(value, {"span_id": "b"})
    prometheus_client.Histogram("empty", "Empty.", buckets=[1, 2], **plain)
    prometheus_client.Summary("rpc", "Rpc.", ["m"], **plain).labels("get").observe(0.25)
    prometheus_client.Info("build", "Build.", **plain).info({"version": "1", "commit": "abc"})
    prometheus_client.Enum("mode", "Mode.", ["x"], states=["open", "closed"], **plain).labels("y").state("closed")
    prometheus_client.ProcessCollector(**plain)
    prometheus_client.PlatformCollector(**plain)
    prometheus_client.GCCollector(**plain)
    unknown = UnknownMetricFamily("foreign", "Foreign.", labels=["a"])
    unknown.add_metric(["b"], 1.5)
    info = InfoMetricFamily("os", "Os.", labels=["host"])
    info.add_metric(["h"], {"name": "linux"})
    states = StateSetMetricFamily("door", "Door.", labels=["room"])
    states.add_metric(["1"], {"open": True, "shut": False})
    quantiles = Metric("took", "Took.", "summary")
    for quantile in ("0.5", "0.9"):
        quantiles.add_sample("took", {"quantile": quantile, "m": "get"}, 2.0)
    quantiles.add_sample("took_count", {"m": "get"}, 3)
    quantiles.add_sample("took_sum", {"m": "get"}, 4)
    registry.register(
        Custom(
            unknown,
            info,
            states,
            quantiles,
            GaugeHistogramMetricFamily("sizes", "Sizes.", buckets=[("1.0", 4), ("+Inf", 5)], gsum_value=6),
            CounterMetricFamily("old", "Old.", value=3, created=123.0),
            GaugeMetricFamily("temp_celsius", "Temperature.", value=-0.0, unit="celsius"),
            HistogramMetricFamily("h", "H.", buckets=[("0.5", 1), ("+Inf", 1)], sum_value=0.5),
            SummaryMetricFamily("s", "S.", count_value=1, sum_value=0.5),
        )
    )
    return registry


def frozen(registry: CollectorRegistry) -> CollectorRegistry:
    """What it says at this moment: CPU time and open files would be others at the next look."""
    return registry_of(*registry.collect())


async def test_both_formats_say_what_prometheus_client_says(everything: CollectorRegistry) -> None:
    registry = frozen(everything)
    openmetrics = await ours(registry, (b"accept", b"application/openmetrics-text"))

    assert in_openmetrics(openmetrics) == in_openmetrics(generate_openmetrics(registry).decode())  # type: ignore[no-untyped-call]  # foreign
    assert in_prometheus(await ours(registry)) == in_prometheus(generate_latest(registry).decode(), "sizes")


async def test_names_that_only_utf8_can_spell_get_underscores_as_theirs_do() -> None:
    registry = CollectorRegistry()
    prometheus_client.Counter("http.requests", "Dots.", ["label.dot"], registry=registry).labels("v").inc()
    prometheus_client.Gauge("größe", "Umlauts.", registry=registry).set(1)

    assert in_prometheus(await ours(registry)) == in_prometheus(generate_latest(registry).decode())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH: apt install prometheus")
def test_promtool_understands_it_all(everything: CollectorRegistry) -> None:
    body = asyncio.run(ours(everything))
    check = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, text=True, encoding="utf-8", check=False
    )
    # It has opinions on names of the test; 3 says that there are some, 1 that it cannot be parsed.
    assert check.returncode in {0, 3}, check.stderr


def test_values_keep_exemplars_and_creation_times_and_lose_timestamps() -> None:
    counter = CounterMetricFamily("jobs", "Jobs.", labels=["a"])
    counter.add_metric(["b"], 3, created=100.5, timestamp=7, exemplar=_exemplar({"trace_id": "x"}, 1, 50.25))
    histogram = HistogramMetricFamily("wait", "Wait.")
    histogram.add_metric([], [("1.0", 2, _exemplar({}, 0.5)), ("+Inf", 5)], 9.0)

    assert families_of(registry_of(counter, histogram)) == [
        Family(
            "jobs_total",
            MetricKind.COUNTER,
            "Jobs.",
            series=(Series({"a": "b"}, 3, 100.5, (Exemplar({"trace_id": "x"}, 1, 50.25),)),),
        ),
        Family(
            "wait",
            MetricKind.HISTOGRAM,
            "Wait.",
            series=(Series({}, HistogramValue((1.0,), (2, 3), 9.0), None, (Exemplar({}, 0.5),)),),
        ),
    ]


def _exemplar(labels: dict[str, str], value: float, timestamp: float | None = None) -> Any:
    return prometheus_client.core.Exemplar(labels, value, timestamp)


def test_an_exemplar_that_no_format_takes_is_dropped_and_its_series_stays() -> None:
    counter = CounterMetricFamily("jobs", "Jobs.", labels=())
    counter.add_metric([], 3, exemplar=_exemplar({"trace_id": "x" * 200}, 1))

    assert [family.series for family in families_of(registry_of(counter))] == [(Series({}, 3),)]


def test_a_counter_may_have_a_sample_without_total() -> None:
    old = Metric("jobs", "Jobs.", "counter")
    old.add_sample("jobs", {}, 3)

    assert families_of(registry_of(old)) == [Family("jobs_total", MetricKind.COUNTER, "Jobs.", series=(Series({}, 3),))]


def _misfits() -> Iterator[Metric]:
    yield HistogramMetricFamily("h", "H.", buckets=[("-1.0", 1), ("+Inf", 3)], sum_value=None)
    yield HistogramMetricFamily("h", "H.", buckets=[("1.0", 4), ("+Inf", 3)], sum_value=1)
    yield HistogramMetricFamily("h", "H.", buckets=[("1.0", 0.5), ("+Inf", 3)], sum_value=1)
    yield HistogramMetricFamily("h", "H.", buckets=[("1.0", 1), ("2.0", 3)], sum_value=1)
    yield HistogramMetricFamily("h", "H.", buckets=[("2.0", 1), ("1.0", 1), ("+Inf", 3)], sum_value=1)
    yield SummaryMetricFamily("s", "S.", count_value=1.5, sum_value=2)  # type: ignore[arg-type]  # on purpose
    only_count = Metric("s", "S.", "summary")
    only_count.add_sample("s_count", {}, 3)
    yield only_count
    strange = Metric("g", "G.", "gauge")
    strange.add_sample("g", {}, 3)
    strange.add_sample("g_more", {}, 4)
    yield strange


@pytest.mark.parametrize("metric", list(_misfits()))
async def test_what_does_not_fit_its_kind_is_shown_sample_by_sample(metric: Metric) -> None:
    registry = registry_of(metric)

    def lines(text: str) -> set[tuple[object, ...]]:
        return {(*key, value) for *_, samples in in_prometheus(text).values() for key, value in samples.items()}

    assert lines(await ours(registry)) == lines(generate_latest(registry).decode())
    assert {family.kind for family in families_of(registry)} == {MetricKind.UNKNOWN}


def test_metrics_that_cannot_be_read_are_told_when_all_others_were_given() -> None:
    bad = GaugeMetricFamily("bad", "Bad.", value=None)
    bad.add_metric([], None)  # type: ignore[arg-type]  # on purpose
    collector = prometheus_client_families(registry_of(bad, GaugeMetricFamily("good", "Good.", value=1)))()
    given_ = [next(collector)]
    with pytest.raises(InvalidValue, match=r"metrics of prometheus_client are left out: bad: "):
        next(collector)

    assert given_ == [Family("good", MetricKind.GAUGE, "Good.", series=(Series({}, 1),))]


def test_what_observability_reports_itself_is_left_out_unless_asked_for() -> None:
    registry = CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    prometheus_client.PlatformCollector(registry=registry)
    prometheus_client.GCCollector(registry=registry)
    prometheus_client.Gauge("queue", "Queue.", registry=registry)

    assert [family.name for family in prometheus_client_families(registry)()] == ["queue"]
    assert len(families_of(registry)) == len(list(registry.collect()))


async def test_the_default_registry_stands_beside_our_collectors(caplog: pytest.LogCaptureFixture) -> None:
    with Observability(auth="public", handle_sigterm=False) as obs:
        obs.counter("orders_total", "Orders.").inc()
        obs.add_collector(prometheus_client_families(prometheus_client.REGISTRY))
        response = await obs.endpoints.handle(Request("GET", "/metrics", b""))
        body = b"".join([chunk async for chunk in response.body]).decode()

    assert {"orders", "process_cpu_seconds", "python_info"} <= {metric.name for metric in parse_prometheus(body)}
    assert caplog.records == []


def test_their_multiprocess_mode_gives_the_numbers_of_all_workers(tmp_path: Path) -> None:
    program = """
        import asyncio, os, sys
        from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector
        from observabilipy.bridge import prometheus_client_families
        from observabilipy.encoding.exposition import encode_family
        jobs = Counter("jobs", "Jobs.", ["kind"])
        wait = Histogram("wait_seconds", "Wait.", buckets=[1, 2])
        for _ in range(2):
            child = os.fork()
            if child == 0:
                jobs.labels("a").inc(3); wait.observe(1.5)
                os._exit(0)
            os.waitpid(child, 0)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        for family in prometheus_client_families(registry)():
            print(encode_family(family).decode(), end="")
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )

    assert sorted(line for line in done.stdout.splitlines() if not line.startswith("#")) == [
        'jobs_total{kind="a"} 6',
        'wait_seconds_bucket{le="+Inf"} 2',
        'wait_seconds_bucket{le="1.0"} 0',
        'wait_seconds_bucket{le="2.0"} 2',
        "wait_seconds_count 2",
        "wait_seconds_sum 3",
    ]


NAMES = st.from_regex(r"[a-z][a-z_]{0,5}[a-z]", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
HELP = st.from_regex(r"[A-Za-z][A-Za-z \\\\\n]{0,8}[a-z]", fullmatch=True)
NUMBERS = st.floats(0, 1e300)
MAKERS: dict[str, Callable[[Any, Any], None]] = {
    "Counter": lambda child, value: child.inc(value),
    "Gauge": lambda child, value: child.set(-value),
    "Histogram": lambda child, value: child.observe(value),
    "Summary": lambda child, value: child.observe(value),
    "Info": lambda child, value: child.info({"value": str(value)}),
}


@st.composite
def registries(draw: st.DrawFn) -> CollectorRegistry:
    registry = CollectorRegistry()
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(sorted(MAKERS)))
        unit = draw(st.sampled_from(["", "", "seconds"])) if kind != "Info" else ""
        names = sorted(draw(st.sets(st.sampled_from(["a", "path", "x_y"]), max_size=2)))
        instrument = getattr(prometheus_client, kind)(
            f"{draw(NAMES)}_{number}x", draw(HELP), names, unit=unit, registry=registry
        )
        for values in draw(st.lists(st.tuples(*(TEXT for _ in names)), min_size=1, max_size=3, unique=True)):
            child = instrument.labels(*values) if names else instrument
            MAKERS[kind](child, draw(NUMBERS))
    return registry


@pytest.mark.properties
@given(registries())
def test_any_registry_says_the_same_through_us(registry: CollectorRegistry) -> None:
    from observabilipy.encoding.exposition import encode_family

    families = families_of(registry)
    text = b"".join(encode_family(family) for family in families).decode()
    openmetrics = b"".join(encode_family(family, "openmetrics") for family in families).decode() + "# EOF\n"

    assert in_prometheus(text) == in_prometheus(generate_latest(registry).decode())
    assert in_openmetrics(openmetrics) == in_openmetrics(generate_openmetrics(registry).decode())  # type: ignore[no-untyped-call]  # foreign


def test_a_summary_has_its_quantiles() -> None:
    metric = Metric("took", "Took.", "summary")
    metric.add_sample("took", {"quantile": "0.5"}, 2.0)
    metric.add_sample("took_count", {}, 3.0)
    metric.add_sample("took_sum", {}, 4.0)

    assert families_of(registry_of(metric)) == [
        Family("took", MetricKind.SUMMARY, "Took.", series=(Series({}, SummaryValue(((0.5, 2.0),), 3, 4.0)),))
    ]
