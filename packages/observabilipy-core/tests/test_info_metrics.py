"""Infos: what a program says of itself."""

import pytest

from observabilipy import ConfigurationError, Observability
from observabilipy.instruments import Registry
from observabilipy.models import MetricKind, MetricSample


def test_an_info_is_reported_once_and_again_to_whoever_forgot_it() -> None:
    registry = Registry()
    registry.info_metric("build", "What runs here.", {"version": "1.4", "number": 7})
    reports = []
    for again in (False, False, True):
        if again:
            registry.report_gauges_again()
        collection = registry.collect(1.0)
        collection.confirm()
        reports.append(collection.gauges)
    sample = MetricSample("build", 1, {"version": "1.4", "number": "7"}, MetricKind.INFO, 1.0)

    assert (reports, registry.has_news()) == ([[sample], [], [sample]], False)


def test_a_forked_child_says_it_again() -> None:
    registry = Registry()
    registry.info_metric("build", "What runs here.", {"version": "1.4"})
    registry.collect(1.0).confirm()
    registry.begin_anew()

    assert [sample.labels for sample in registry.collect(2.0).gauges] == [{"version": "1.4"}]


def test_a_value_that_is_too_long_is_cut_and_counted() -> None:
    registry = Registry()
    registry.info_metric("build", "What runs here.", {"commit": "x" * 5_000})
    collection = registry.collect(1.0)

    assert ([len(s.labels["commit"]) for s in collection.gauges], [s.name for s in collection.samples]) == (
        [1_024],
        ["observabilipy_label_values_cut_total"],
    )


def test_the_same_info_may_be_said_twice_and_another_one_raises() -> None:
    registry = Registry()
    for _ in range(2):
        registry.info_metric("build", "What runs here.", {"version": "1.4"})

    with pytest.raises(ConfigurationError, match=r"build says \('1\.4',\) since .*, and now \('1\.5',\) at .*: an"):
        registry.info_metric("build", "What runs here.", {"version": "1.5"})


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("build_info", {}, "the suffix '_info' is added by the exposition formats, got info 'build_info': call it 'b"),
        ("build_total", {}, "the suffix '_total' is reserved"),
        ("build", {"a-b": 1}, "a label name must match"),
    ],
)
def test_a_bad_info_raises(name: str, labels: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Registry().info_metric(name, "What runs here.", labels)


async def test_an_info_is_shown_with_the_name_that_each_format_wants() -> None:
    from observabilipy.http import Request

    with Observability("memory://", auth="public", collectors=(), handle_sigterm=False) as obs:
        obs.info_metric("build", "What runs here.", version="1.4")
        bodies = []
        for accepted in (b"text/plain", b"application/openmetrics-text"):
            answer = await obs.endpoints.handle(Request("GET", "/metrics", headers=((b"accept", accepted),)))
            bodies.append(b"".join([chunk async for chunk in answer.body]).decode())

    assert bodies == [
        '# HELP build_info What runs here.\n# TYPE build_info gauge\nbuild_info{version="1.4"} 1\n',
        '# HELP build What runs here.\n# TYPE build info\nbuild_info{version="1.4"} 1\n# EOF\n',
    ]
