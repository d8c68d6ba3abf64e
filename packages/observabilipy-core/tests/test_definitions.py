"""Definitions of instruments: what names, helps, units and labels must be, and what happens to a second one."""

import re
from collections.abc import Callable

import pytest

from observabilipy import ConfigurationError, Counter, Labelled
from observabilipy.instruments import Registry
from observabilipy.models import counter


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (
            lambda r: r.counter("orders", "Orders.", ()),
            "a counter's name must end in '_total', got 'orders': call it 'orders_total'",
        ),
        (lambda r: r.counter("orders_count", "Orders.", ()), "call it 'orders_total'"),
        (
            lambda r: r.counter("orders-total", "Orders.", ()),
            "a metric name must match [a-zA-Z_:][a-zA-Z0-9_:]*, got 'orders-total'",
        ),
        (
            lambda r: r.gauge("queue_total", "Queue.", ()),
            "the suffix '_total' is reserved by the exposition formats, got gauge 'queue_total': call it 'queue'",
        ),
        (lambda r: r.histogram("wait_bucket", "Wait.", ()), "the suffix '_bucket' is reserved"),
        (lambda r: r.counter("sent_total", " ", ()), "sent_total needs a help text that is not blank"),
        (
            lambda r: r.counter("sent_total", "Sent.", (), unit="bytes"),
            "unit 'bytes' must be the suffix of the name, got 'sent_total': call it 'sent_bytes_total'",
        ),
        (lambda r: r.histogram("wait", "Wait.", (), unit="seconds"), "call it 'wait_seconds'"),
        (
            lambda r: r.counter("sent_total", "Sent.", ("tier-name",)),
            "a label name must match [a-zA-Z_][a-zA-Z0-9_]*, got 'tier-name'",
        ),
        (lambda r: r.counter("sent_total", "Sent.", ("__name__",)), "the label name '__name__' is reserved"),
        (lambda r: r.histogram("wait", "Wait.", ("le",)), "the label name 'le' is reserved"),
        (
            lambda r: r.counter("sent_total", "Sent.", "tier"),
            "labels of sent_total must be a sequence of names, got 'tier': write ('tier',)",
        ),
        (lambda r: r.counter("sent_total", "Sent.", ("a", "a")), "labels of sent_total must differ, got ('a', 'a')"),
        (
            lambda r: r.histogram("wait", "Wait.", (), buckets=(1, 0.5)),
            "bucket bounds must increase strictly, got (1, 0.5)",
        ),
        (
            lambda r: r.histogram("wait", "Wait.", (), buckets=()),
            "bucket bounds must be one or more finite numbers, got ()",
        ),
        (
            lambda r: r.gauge("queue", "Queue.", (), aggregate="mean"),
            "aggregate must be one of last, sum, min, max, got 'mean'",
        ),
        (
            lambda r: r.counter("sent_total", "Sent.", (), series_limit=0),
            "series_limit must be a whole number of 1 or more, got 0",
        ),
    ],
)
def test_a_bad_definition_raises_an_error_that_names_rule_value_and_remedy(
    define: Callable[[Registry], object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        define(Registry())


def test_the_same_definition_gives_the_same_instrument() -> None:
    registry = Registry()

    assert registry.counter("a_total", "A.", ("x",)) is registry.counter("a_total", "A.", ("x",))


def test_another_definition_of_a_name_raises_and_names_both_places() -> None:
    registry = Registry()
    registry.counter("a_total", "A.", ())
    with pytest.raises(ConfigurationError) as caught:
        registry.counter("a_total", "Another.", ())
    places = re.findall(r"test_definitions\.py:\d+", str(caught.value))

    assert len(set(places)) == 2


def test_names_that_are_one_name_in_openmetrics_raise() -> None:
    registry = Registry()
    registry.gauge("jobs", "Jobs now.", ())

    with pytest.raises(ConfigurationError, match=r"jobs_total and jobs .* are both 'jobs' in OpenMetrics"):
        registry.counter("jobs_total", "Jobs ever.", ())


def test_names_of_samples_that_belong_to_another_family_raise() -> None:
    registry = Registry()
    registry.info_metric("build", "Build.", {"version": "1"})
    registry.histogram("wait", "Wait.", ())

    with pytest.raises(ConfigurationError, match=r"build_info and build .* are both 'build_info' in OpenMetrics"):
        registry.gauge("build_info", "Build.", ())
    with pytest.raises(ConfigurationError, match=r"wait_count_total and wait .* are both 'wait_count' in OpenMetrics"):
        registry.counter("wait_count_total", "Waits.", ())


def labelled(registry: Registry, limit: int = 1000) -> Labelled[Counter]:
    made = registry.counter("orders_total", "Orders.", ("tier", "city"), series_limit=limit)
    assert isinstance(made, Labelled)
    return made


def test_labels_by_position_by_name_and_by_other_types_give_one_series() -> None:
    orders = labelled(Registry())

    assert orders.labels("1", "True") is orders.labels(1, True) is orders.labels(city=True, tier=1)


def test_one_and_true_are_different_label_values() -> None:
    orders = labelled(Registry())

    assert orders.labels(1, 1) is not orders.labels(True, True)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (("gold",), {}),
        (("a", "b", "c"), {}),
        ((), {"tier": "gold"}),
        ((), {"tier": 1, "town": 2}),
        (("a",), {"city": 1}),
    ],
)
def test_wrong_labels_raise_and_name_the_right_ones(values: tuple[str, ...], names: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="orders_total has the labels tier, city, got"):
        labelled(Registry()).labels(*values, **names)


def test_counting_without_labels_raises_and_shows_the_call() -> None:
    orders = labelled(Registry())

    with pytest.raises(
        ConfigurationError, match=r"orders_total has the labels tier, city: call \.labels\(\.\.\.\)\.inc"
    ):
        orders.inc()


def test_hostile_label_values_become_text_and_never_raise() -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

    registry = Registry()
    labelled(registry).labels(Hostile(), "\udc80").inc()

    assert registry.collect(1.0).samples == [
        counter("orders_total", labels={"tier": "<unprintable Hostile>", "city": "\\udc80"}, timestamp=1.0)
    ]


def test_a_process_holds_no_more_series_than_the_limit_and_counts_the_rest_as_overflow() -> None:
    registry = Registry()
    orders = labelled(registry, limit=2)
    for number in range(10):
        orders.labels(number, "x").inc()

    assert registry.collect(1.0).samples == [
        counter("orders_total", labels={"tier": "0", "city": "x"}, timestamp=1.0),
        counter("orders_total", labels={"tier": "1", "city": "x"}, timestamp=1.0),
        counter("orders_total", 8, labels={"tier": "__overflow__", "city": "__overflow__"}, timestamp=1.0),
        counter("observabilipy_series_overflow_total", 8, labels={"family": "orders_total"}, timestamp=1.0),
    ]


def test_gauges_beyond_the_limit_are_refused_and_counted() -> None:
    registry = Registry()
    queue = registry.gauge("queue", "Queue.", ("name",), series_limit=1)
    assert isinstance(queue, Labelled)
    for name in "abb":
        queue.labels(name).set(1)
    collection = registry.collect(1.0)

    assert ([sample.labels for sample in collection.gauges], collection.samples) == (
        [{"name": "a"}],
        [counter("observabilipy_rejected_total", 2, labels={"reason": "series_limit"}, timestamp=1.0)],
    )


def test_the_librarys_own_names_are_reserved() -> None:
    with pytest.raises(ConfigurationError, match="names that begin with 'observabilipy_' are the library's own"):
        Registry().counter("observabilipy_rejected_total", "Mine.", ())
