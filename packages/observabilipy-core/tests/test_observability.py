"""Observability from the outside: construction, logging, context, what it is for a script."""

import asyncio
import contextvars
import re
import threading
from collections.abc import Iterator

import pytest

import observabilipy
from observabilipy import (
    ConfigurationError,
    InMemoryLogStorage,
    InMemoryMetricsStorage,
    LogQuery,
    Observability,
    current,
    encode_metrics,
    install,
)
from observabilipy.testing import FakeClock


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(collectors=(), handle_sigterm=False, flush_interval=3600) as made:
        yield made


def entries(obs: Observability) -> list[tuple[str, str, dict[str, object]]]:
    async def read() -> list[tuple[str, str, dict[str, object]]]:
        return [(e.level, e.message, dict(e.attributes)) async for e in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def test_each_level_has_its_call(obs: Observability) -> None:
    for record in (obs.debug, obs.info, obs.warning, obs.error, obs.critical):
        record("m", n=1)

    assert [level for level, _, _ in entries(obs)] == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def test_attributes_may_have_any_name(obs: Observability) -> None:
    attributes = {"message": 1, "level": 2, "self": 3, "timestamp": 4, "cursor": 5, "with space": 6, "": 7}
    obs.info("m", **attributes)

    assert entries(obs) == [("INFO", "m", attributes)]


def test_entries_below_the_level_are_not_recorded() -> None:
    with Observability(level="warn", handle_sigterm=False) as obs:
        obs.info("quiet")
        obs.warning("loud")

        assert [message for _, message, _ in entries(obs)] == ["loud"]


def test_exception_records_type_message_and_traceback_without_local_variables(obs: Observability) -> None:
    def fail(secret: str) -> None:
        raise ValueError("no such thing")

    try:
        fail("hunter" + "2")
    except ValueError:
        obs.exception("it failed", order=7)
    [(level, message, attributes)] = entries(obs)
    trace = str(attributes.pop("exception.stacktrace"))

    assert (level, message, attributes) == (
        "ERROR",
        "it failed",
        {"exception.type": "ValueError", "exception.message": "no such thing", "order": 7},
    )
    assert "in fail" in trace
    assert "hunter2" not in trace


def test_context_reaches_threads_that_are_given_it_nests_and_ends(obs: Observability) -> None:
    with obs.context(request_id="r1", who="outer"):
        with obs.context(who="inner"):
            obs.info("inside")
            thread = threading.Thread(target=contextvars.copy_context().run, args=(obs.info, "thread"))
            thread.start()
            thread.join()
        obs.info("outside", who="own")
    obs.info("after")

    assert [(message, attributes) for _, message, attributes in entries(obs)] == [
        ("inside", {"request_id": "r1", "who": "inner"}),
        ("thread", {"request_id": "r1", "who": "inner"}),
        ("outside", {"request_id": "r1", "who": "own"}),
        ("after", {}),
    ]


async def test_context_of_one_task_does_not_reach_another() -> None:
    with Observability(handle_sigterm=False) as obs:

        async def work(name: str) -> None:
            with obs.context(task=name):
                await asyncio.sleep(0)
                obs.info("m")

        await asyncio.gather(work("a"), work("b"))
        await obs.aflush()

        assert sorted([str(e.attributes["task"]) async for e in obs.storage.read_logs(LogQuery())]) == ["a", "b"]


def test_bind_gives_attributes_to_all_entries_of_a_logger(obs: Observability) -> None:
    log = obs.bind(component="mailer", n=1).bind(n=2)
    log.info("sent", to=3)

    assert entries(obs) == [("INFO", "sent", {"component": "mailer", "n": 2, "to": 3})]


def test_the_service_is_an_attribute_of_every_entry() -> None:
    with Observability(service="shop", handle_sigterm=False) as obs:
        obs.info("m")

        assert entries(obs) == [("INFO", "m", {"service": "shop"})]


def test_a_script_prints_its_metrics(obs: Observability) -> None:
    obs.counter("orders_total", "Orders placed.", labels=("tier",)).labels("gold").inc(3)
    obs.gauge("queue_length", "Orders that wait.").set(2.5)
    obs.histogram("wait_seconds", "Waiting.", unit="seconds", buckets=(1,)).observe(0.5)
    obs.flush()

    async def printed() -> bytes:
        return b"".join([chunk async for chunk in encode_metrics(obs.storage.totals())])

    assert asyncio.run(printed()) == (
        b"# HELP orders_total Orders placed.\n# TYPE orders_total counter\n"
        b'orders_total{tier="gold"} 3\n'
        b"# HELP queue_length Orders that wait.\n# TYPE queue_length gauge\n"
        b"queue_length 2.5\n"
        b"# HELP wait_seconds Waiting.\n# TYPE wait_seconds histogram\n"
        b'wait_seconds_bucket{le="1.0"} 1\nwait_seconds_bucket{le="+Inf"} 1\nwait_seconds_count 1\n'
        b"wait_seconds_sum 0.5\n"
    )


def test_a_pair_of_plain_storages_serves_as_well() -> None:
    logs, metrics = InMemoryLogStorage(), InMemoryMetricsStorage()
    with Observability((logs, metrics), handle_sigterm=False) as obs:
        obs.info("m")
        obs.counter("jobs_total", "Jobs.").inc()

        assert entries(obs) == [("INFO", "m", {})]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"log_durability": "crash"},
            'log_durability="crash" needs a storage that outlives the process, got MemoryStorage: use "sqlite:///',
        ),
        ({"log_durability": "disk"}, 'log_durability must be "memory" or "crash", got \'disk\''),
        ({"level": "loud"}, "level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got 'loud'"),
        ({"level": ""}, "level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got ''"),
        (
            {"storage": 5},
            "storage must be a storage URL or a storage, got 5: write for example 'sqlite:///observability.db'",
        ),
        ({"storage": "memory"}, "memory"),
        ({"auth": " "}, "auth"),
        ({"metrics_auth": 5}, "auth must be a token, several tokens, a callable or 'public', got int"),
    ],
)
def test_settings_that_cannot_work_raise_with_their_remedy(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Observability(handle_sigterm=False, **options)  # type: ignore[arg-type]  # on purpose


def test_refused_values_are_counted_and_warned_about_once_for_each_instrument(caplog: pytest.LogCaptureFixture) -> None:
    with Observability(handle_sigterm=False) as obs:
        jobs, mails = obs.counter("jobs_total", "Jobs."), obs.counter("mails_total", "Mails.")
        for _ in range(3):
            jobs.inc(-1)
            mails.inc(-1)
        warnings = [record.getMessage() for record in caplog.records]

    assert warnings == [
        f"{name}.inc() takes a finite number of 0 or more, got -1: use a gauge to go down;"
        " further ones are counted in observabilipy_rejected_total"
        for name in ("jobs_total", "mails_total")
    ]


def test_current_is_what_was_installed_last_and_says_what_to_do_before(obs: Observability) -> None:
    from observabilipy import installation

    before = installation._find
    installation.provide(lambda: None)
    try:
        with pytest.raises(ConfigurationError, match="this process has no Observability yet: call instrument"):
            current()
        install(obs)

        assert current() is obs
    finally:
        installation.provide(before)


def test_every_public_name_is_there() -> None:
    assert [name for name in observabilipy.__all__ if getattr(observabilipy, name, None) is None] == []


def test_the_clock_of_the_application_is_used() -> None:
    clock = FakeClock(1_000.0)
    with Observability(clock=clock, handle_sigterm=False) as obs:
        obs.info("m")
        obs.flush()
        facts = asyncio.run(obs.storage.log_facts())

    assert facts.levels["INFO"].oldest == 1_000.0
