"""Events of structlog through our processor, with the real library."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars
from structlog.processors import JSONRenderer, TimeStamper
from structlog.stdlib import ProcessorFormatter

from observabilipy import LogEntry, LogQuery, Observability, install
from observabilipy.errors import InvalidValue
from observabilipy.installation import provide
from observabilipy.structlog import ObservabilityProcessor


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(handle_sigterm=False, flush_interval=3600, clock=lambda: 1_700_000_000.0) as made:
        yield made


@pytest.fixture(autouse=True)
def no_defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    clear_contextvars()
    provide(lambda: None)


def entries(obs: Observability) -> list[LogEntry]:
    async def read() -> list[LogEntry]:
        return [entry async for entry in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def told(obs: Observability) -> list[tuple[str, str, dict[str, object]]]:
    return [(entry.level, entry.message, dict(entry.attributes)) for entry in entries(obs)]


def troubles(obs: Observability, name: str) -> dict[tuple[str, ...], Any]:
    async def read() -> dict[tuple[str, ...], Any]:
        return {
            tuple(series.labels.values()): series.value
            async for family in obs.storage.totals([name])
            for series in family.series
        }

    obs.flush()
    return asyncio.run(read())


def logger(*processors: Any) -> Any:
    """A logger with these processors, and a renderer that makes an event dict again."""
    return structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[*processors, lambda _logger, _method, event: ((event,), {})]
    )


def test_an_event_becomes_an_entry_and_goes_on_as_it_came(obs: Observability) -> None:
    log = logger(ObservabilityProcessor(obs)).bind(tier="gold")
    passed = log.warning("order placed", cents=1999, event_id=7)

    assert (told(obs), passed) == (
        [("WARNING", "order placed", {"tier": "gold", "cents": 1999, "event_id": 7})],
        {"tier": "gold", "event": "order placed", "cents": 1999, "event_id": 7},
    )


def test_configured_once_it_finds_the_observability_that_is_installed_later(obs: Observability) -> None:
    printed = io.StringIO()
    structlog.configure(
        processors=[merge_contextvars, ObservabilityProcessor(), JSONRenderer(sort_keys=True)],
        logger_factory=lambda *_: structlog.PrintLogger(printed),
    )
    log = structlog.get_logger()
    log.info("before there is one")
    install(obs)
    bind_contextvars(order=7)
    log.info("placed")

    assert (told(obs), printed.getvalue().splitlines()) == (
        [("INFO", "placed", {"order": 7})],
        ['{"event": "before there is one"}', '{"event": "placed", "order": 7}'],
    )


def test_each_task_logs_with_the_context_that_it_has_bound(obs: Observability) -> None:
    log = logger(merge_contextvars, ObservabilityProcessor(obs))

    async def order(number: int) -> None:
        bind_contextvars(order=number)
        await asyncio.sleep(0)
        log.info("placed", order_again=number)

    async def orders() -> None:
        await asyncio.gather(*map(order, range(5)))

    asyncio.run(orders())

    assert [attributes for _, _, attributes in told(obs)] == [{"order": n, "order_again": n} for n in range(5)]


def test_our_own_context_and_base_are_added(obs: Observability) -> None:
    with obs.context(request_id="r1"):
        logger(ObservabilityProcessor(obs)).info("m", a=1)

    assert told(obs) == [("INFO", "m", {"request_id": "r1", "a": 1})]


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("debug", "DEBUG"),
        ("msg", "INFO"),
        ("warn", "WARNING"),
        ("err", "ERROR"),
        ("failure", "ERROR"),
        ("fatal", "CRITICAL"),
        ("notice", "NOTICE"),
        ("x" * 65, "INFO"),
    ],
)
def test_without_a_level_the_method_is_the_level(obs: Observability, method: str, level: str) -> None:
    ObservabilityProcessor(obs)(None, method, {"event": "m"})

    assert told(obs) == [(level, "m", {})]


def test_the_level_that_a_processor_added_is_taken_out_and_another_value_is_an_attribute(obs: Observability) -> None:
    log = logger(structlog.stdlib.add_log_level, ObservabilityProcessor(obs))
    log.error("m")
    log = logger(ObservabilityProcessor(obs))
    for level in ("critical", "Warn", 3, "basement", ["info"]):
        log.info("m", level=level)
    ObservabilityProcessor(obs)(None, "notice", {"event": "m", "level": "notice"})

    assert [(level, attributes) for level, _, attributes in told(obs)] == [
        ("ERROR", {}),
        ("CRITICAL", {}),
        ("WARNING", {}),
        ("INFO", {"level": 3}),
        ("INFO", {"level": "basement"}),
        ("INFO", {"level": ["info"]}),
        ("NOTICE", {}),
    ]


def test_levels_below_that_of_the_observability_are_left_out_and_go_on() -> None:
    with Observability(handle_sigterm=False, flush_interval=3600, level="WARNING") as obs:
        log = logger(ObservabilityProcessor(obs))
        passed = log.info("m")
        ObservabilityProcessor(obs)(None, "notice", {"event": "m"})
        log.warning("w")

        assert (passed, told(obs)) == ({"event": "m"}, [("WARNING", "w", {})])


@pytest.mark.parametrize(
    ("timestamp", "seconds", "left"),
    [
        (1_600_000_000, 1_600_000_000.0, {}),
        (1_600_000_000.25, 1_600_000_000.25, {}),
        ("2020-09-13T12:26:40.5Z", 1_600_000_000.5, {}),
        ("2020-09-13T14:26:40+02:00", 1_600_000_000.0, {}),
        ("2020-09-13 12:26:40", 1_700_000_000.0, {"timestamp": "2020-09-13 12:26:40"}),
        ("now", 1_700_000_000.0, {"timestamp": "now"}),
        (float("nan"), 1_700_000_000.0, {"timestamp": "NaN"}),
        (1_600_000_000_000, 1_700_000_000.0, {"timestamp": 1_600_000_000_000}),
        (None, 1_700_000_000.0, {"timestamp": None}),
        (True, 1_700_000_000.0, {"timestamp": True}),
    ],
)
def test_a_time_with_its_zone_is_the_time_of_the_entry(
    obs: Observability, timestamp: object, seconds: float, left: dict[str, object]
) -> None:
    logger(ObservabilityProcessor(obs)).info("m", timestamp=timestamp)

    [entry] = entries(obs)
    assert (entry.timestamp, dict(entry.attributes)) == (seconds, left)


def test_times_of_timestamper_are_understood(obs: Observability) -> None:
    for stamper in (TimeStamper(), TimeStamper(fmt="iso")):
        passed = logger(stamper, ObservabilityProcessor(obs)).info("m")

    assert ("timestamp" in passed, [dict(entry.attributes) for entry in entries(obs)]) == (True, [{}, {}])
    assert all(entry.timestamp > 1_760_000_000 for entry in entries(obs))


def test_exceptions_become_fields_in_every_form_that_structlog_takes(obs: Observability) -> None:
    log = logger(ObservabilityProcessor(obs))
    try:
        raise LookupError("no such order")
    except LookupError as error:
        log.error("m", exc_info=True)
        log.error("m", exc_info=error)
        log.error("m", exc_info=sys.exc_info())
    log.error("m", exc_info=KeyError("never raised"))
    log.error("m", exc_info=False)
    log.error("m", exc_info=True)

    told_of = [
        (attributes.get("exception.type"), attributes.get("exception.message"), "raise LookupError" in str(attributes))
        for _, _, attributes in told(obs)
    ]
    assert told_of == [
        *[("LookupError", "no such order", True)] * 3,
        ("KeyError", "'never raised'", False),
        (None, None, False),
        (None, None, False),
    ]


def test_the_exception_goes_on_to_the_processors_that_follow(obs: Observability) -> None:
    log = logger(ObservabilityProcessor(obs), structlog.processors.format_exc_info)
    try:
        raise LookupError("no such order")
    except LookupError:
        passed = log.error("m", exc_info=True)

    assert "LookupError: no such order" in passed["exception"]


def test_dropped_events_end_at_it_once_there_is_an_observability(obs: Observability) -> None:
    log = logger(ObservabilityProcessor(drop=True))
    first = log.info("before there is one")
    install(obs)
    second = log.info("m")

    assert (told(obs), first, second) == ([("INFO", "m", {})], {"event": "before there is one"}, None)


class Hostile:
    """Whatever is asked of it raises."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("hostile")

    __bool__ = __str__ = __repr__ = __eq__ = __len__ = __float__ = __iter__ = _raise
    __hash__ = None  # type: ignore[assignment]  # nor a key


class HostileNumber(float):
    def __ge__(self, other: object) -> Any:
        raise RuntimeError("hostile")

    __le__ = __lt__ = __gt__ = __float__ = __round__ = __repr__ = __ge__  # type: ignore[assignment]  # all alike


class HostileMapping(dict[str, Any]):
    def keys(self) -> Any:
        raise RuntimeError("hostile")

    __iter__ = __len__ = keys


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("key", ["event", "level", "timestamp", "exc_info", "_record", "_from_structlog", "value"])
@pytest.mark.parametrize(
    "value",
    [
        Hostile(),
        HostileNumber(1),
        (1, 2, 3),
        (None, None, None),
        (Hostile(),) * 3,
        {Hostile: 1},
        "\ud800\x1b[2J",
        b"\xff",
    ],
    ids=["object", "number", "tuple", "empty", "tuple of objects", "keys", "text", "bytes"],
)
def test_a_hostile_value_costs_itself_only(obs: Observability, key: str, value: object) -> None:
    passed = logger(ObservabilityProcessor(obs)).info(**{"event": "m", "other": 1, key: value})

    [(level, _, attributes)] = told(obs)
    assert (level, attributes["other"], passed[key] is value) == ("INFO", 1, True)


@pytest.mark.parametrize(
    ("event", "counter", "labels"),
    [
        (HostileMapping(a=1), "observabilipy_failures_total", ("taking an event of structlog",)),
        ('{"event": "m"}', "observabilipy_rejected_total", ("structlog_order",)),
        (None, "observabilipy_rejected_total", ("structlog_order",)),
    ],
)
def test_what_is_no_event_is_counted_and_goes_on(
    obs: Observability, event: Any, counter: str, labels: tuple[str, ...]
) -> None:
    passed = ObservabilityProcessor(obs)(None, "info", event)

    assert (passed is event, troubles(obs, counter)) == (True, {labels: 1.0})


def test_a_renderer_before_it_is_an_error_when_strict_is_asked_for() -> None:
    with (
        Observability(handle_sigterm=False, strict=True) as obs,
        pytest.raises(InvalidValue, match="before the renderer"),
    ):
        logger(JSONRenderer(), ObservabilityProcessor(obs)).info("m")


def test_records_of_standard_logging_come_by_the_chain_for_foreign_ones_but_for_our_own(obs: Observability) -> None:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(
        ProcessorFormatter(
            processor=JSONRenderer(), foreign_pre_chain=[structlog.stdlib.add_log_level, ObservabilityProcessor(obs)]
        )
    )
    for name in ("shop", "aiosqlite", "observabilipy.runtime"):
        log = logging.Logger(name)
        log.addHandler(handler)
        log.warning("from %s", name)

    assert told(obs) == [("WARNING", "from shop", {})]


def test_in_the_chains_of_a_formatter_nothing_is_dropped_because_nobody_would_take_that(obs: Observability) -> None:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        ProcessorFormatter(
            processor=JSONRenderer(),
            foreign_pre_chain=[structlog.stdlib.add_log_level, ObservabilityProcessor(obs, drop=True)],
        )
    )
    log = logging.Logger("shop")
    log.addHandler(handler)
    log.warning("hello")

    assert (json.loads(output.getvalue()), told(obs)) == (
        {"event": "hello", "level": "warning"},
        [("WARNING", "hello", {})],
    )


def test_core_imports_without_it_and_says_what_to_install() -> None:
    code = (
        "import sys, observabilipy; sys.modules['structlog'] = None\n"
        "try: import observabilipy.structlog\n"
        "except ImportError as error: print(error)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8").stdout

    assert printed == 'structlog is not installed: pip install "observabilipy-core[structlog]"\n'


def test_importing_core_does_not_import_structlog() -> None:
    code = "import json, sys, observabilipy; print(json.dumps(sorted(m for m in sys.modules if 'structlog' in m)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8").stdout

    assert json.loads(printed) == []
