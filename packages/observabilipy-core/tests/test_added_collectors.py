"""Added collectors: what other libraries count, beside the store's families in one answer of /metrics."""

import asyncio
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from observabilipy import (
    ConfigurationError,
    Exemplar,
    Family,
    HistogramValue,
    MetricKind,
    Observability,
    Series,
    SummaryValue,
)
from observabilipy.http import Endpoints, Request
from observabilipy.storage.memory import MemoryStorage

POOL = Family("pool_size", MetricKind.GAUGE, "Connections.", series=(Series({"pool": "a"}, 3),))
POOL_TEXT = b'# HELP pool_size Connections.\n# TYPE pool_size gauge\npool_size{pool="a"} 3\n'


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(auth="public", collectors=(), handle_sigterm=False, flush_interval=3600) as made:
        yield made


async def scraped(obs: Observability, query: bytes = b"") -> bytes:
    response = await obs.endpoints.handle(Request("GET", "/metrics", query))
    assert response.status == 200
    return b"".join([chunk async for chunk in response.body])


def scraped_in_place(obs: Observability) -> bytes:
    response = obs.endpoints.handle_sync(Request("GET", "/metrics"))
    return b"".join(response.body)


async def test_added_families_follow_those_of_the_store(obs: Observability) -> None:
    obs.gauge("zone", "Zone.").set(1)
    obs.add_collector(lambda: [POOL])

    assert await scraped(obs) == b"# HELP zone Zone.\n# TYPE zone gauge\nzone 1\n" + POOL_TEXT


async def test_a_collector_that_is_added_while_the_service_runs_counts_and_twice_is_once(obs: Observability) -> None:
    before = await scraped(obs)

    def pool() -> list[Family]:
        return [POOL]

    obs.add_collector(pool)
    obs.add_collector(pool)

    assert (before, await scraped(obs)) == (b"", POOL_TEXT)


async def test_names_choose_among_added_families_too(obs: Observability) -> None:
    jobs = Family("jobs_total", MetricKind.COUNTER, series=(Series({}, 7),))
    obs.add_collector(lambda: [POOL, jobs])

    assert (await scraped(obs, b"name[]=jobs"), await scraped(obs, b"name[]=pool_size")) == (
        b"# TYPE jobs_total counter\njobs_total 7\n",
        POOL_TEXT,
    )


async def test_a_family_whose_name_the_store_has_is_left_out_and_counted(
    obs: Observability, caplog: pytest.LogCaptureFixture
) -> None:
    obs.gauge("pool_size", "Ours.").set(1)
    obs.add_collector(lambda: [POOL])
    body = await scraped(obs)

    assert body == b"# HELP pool_size Ours.\n# TYPE pool_size gauge\npool_size 1\n"
    assert b"observabilipy_families_left_out_total 1\n" in await scraped(obs)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the name 'pool_size' may stand in one family only, got gauge 'pool_size', then gauge 'pool_size'"
    ]


async def test_a_collector_that_fails_is_counted_and_told_once_and_the_rest_is_shown(
    obs: Observability, caplog: pytest.LogCaptureFixture
) -> None:
    def half() -> Iterator[Family]:
        yield Family("half", MetricKind.GAUGE, series=(Series({}, 1),))
        raise OSError("no pool")

    obs.add_collector(half)
    obs.add_collector(lambda: [POOL])
    first = await scraped(obs)
    second = await scraped(obs)
    third = await scraped(obs)

    assert first == b"# TYPE half gauge\nhalf 1\n" + POOL_TEXT
    assert second.endswith(first)
    assert b'observabilipy_failures_total{task="the collector ' in second
    assert b'half"} 2\n' in third
    assert [record.getMessage().partition(" failed: ")[2] for record in caplog.records] == [
        "OSError: no pool; observabilipy_failures_total counts it"
    ]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (MetricKind.GAUGE, Series({"a": cast("str", 7)}, 1)),
        (MetricKind.GAUGE, Series({}, 1, cast("float", "now"))),
        (MetricKind.COUNTER, Series({}, 1, None, (cast("Exemplar", "trace"),))),
        (MetricKind.SUMMARY, Series({}, SummaryValue(((0.5, cast("float", "x")),), 1, 1))),
        (MetricKind.SUMMARY, Series({}, SummaryValue((), cast("int", None), 1))),
    ],
)
async def test_a_series_that_cannot_be_written_costs_its_collector_only(
    obs: Observability, kind: MetricKind, row: Series
) -> None:
    obs.add_collector(lambda: [Family("bad_total", kind, series=(row,))])
    obs.add_collector(lambda: [POOL])

    assert await scraped(obs) == POOL_TEXT


@pytest.mark.parametrize("given", [None, 7, ["x"], [None], [POOL, "x"]])
async def test_what_is_no_family_is_counted(obs: Observability, given: object) -> None:
    obs.add_collector(lambda: given)  # type: ignore[arg-type, return-value]  # on purpose
    await scraped(obs)

    assert b"observabilipy_failures_total{" in await scraped(obs)


async def test_it_is_called_beside_the_event_loop(obs: Observability) -> None:
    threads: list[threading.Thread] = []
    turn = threading.Event()

    def slow() -> list[Family]:
        threads.append(threading.current_thread())
        turn.wait(30)
        return [POOL]

    obs.add_collector(slow)
    scrape = asyncio.create_task(scraped(obs))
    while not threads:
        await asyncio.sleep(0.001)
    turn.set()  # by the loop, which runs on

    assert (await scrape, threads[0] is threading.current_thread()) == (POOL_TEXT, False)


def test_a_synchronous_server_calls_it_in_its_own_thread(obs: Observability) -> None:
    threads: list[threading.Thread] = []

    def pool() -> list[Family]:
        threads.append(threading.current_thread())
        return [POOL]

    obs.add_collector(pool)

    assert (scraped_in_place(obs), threads) == (POOL_TEXT, [threading.current_thread()])


async def test_nobody_without_access_has_it_called() -> None:
    called: list[int] = []

    def pool() -> list[Family]:
        called.append(1)
        return [POOL]

    endpoints = Endpoints(MemoryStorage(), auth="secret", collectors=[pool])
    response = await endpoints.handle(Request("GET", "/metrics"))

    assert (response.status, called) == (401, [])


async def test_endpoints_alone_tell_failures_like_other_errors() -> None:
    errors: list[Exception] = []
    endpoints = Endpoints(MemoryStorage(), auth="public", collectors=[lambda: 1 / 0], on_error=errors.append)  # type: ignore[list-item, return-value]  # on purpose
    response = await endpoints.handle(Request("GET", "/metrics"))

    assert (response.status, [type(error) for error in errors]) == (200, [ZeroDivisionError])


async def test_where_no_thread_can_be_had_the_store_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Exception] = []
    endpoints = Endpoints(MemoryStorage(), auth="public", collectors=[lambda: [POOL]], on_error=errors.append)

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    response = await endpoints.handle(Request("GET", "/metrics"))

    assert (response.status, [str(error) for error in errors]) == (200, ["can't start new thread"])


def test_what_cannot_be_called_is_refused(obs: Observability) -> None:
    with pytest.raises(ConfigurationError, match="a collector is a callable that gives families, got 7"):
        obs.add_collector(7)  # type: ignore[arg-type]  # on purpose


async def test_all_kinds_of_values_pass(obs: Observability) -> None:
    value = HistogramValue((1.0,), (1, 2), 9.5)
    obs.add_collector(
        lambda: [
            Family("h", MetricKind.HISTOGRAM, series=(Series({}, value, 5.0, (Exemplar({"trace_id": "7"}, 0.5),)),)),
            Family("s", MetricKind.SUMMARY, series=(Series({}, SummaryValue(((0.5, 2),), 3, 4)),)),
        ]
    )

    assert (await scraped(obs)).splitlines()[1:] == [
        b'h_bucket{le="1.0"} 1',
        b'h_bucket{le="+Inf"} 3',
        b"h_count 3",
        b"h_sum 9.5",
        b"# TYPE s summary",
        b's{quantile="0.5"} 2',
        b"s_count 3",
        b"s_sum 4",
    ]


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, KeyboardInterrupt])
async def test_nothing_that_a_collector_raises_in_its_own_thread_reaches_the_event_loop(
    obs: Observability, error: type[BaseException]
) -> None:
    def broken() -> list[Family]:
        raise error

    obs.add_collector(broken)
    obs.add_collector(lambda: [POOL])

    assert (await scraped(obs)).endswith(POOL_TEXT)


async def test_an_exception_that_cannot_be_printed_is_one_like_any_other(obs: Observability) -> None:
    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise ValueError

    def broken() -> list[Family]:
        raise UnprintableError

    obs.add_collector(broken)
    obs.add_collector(lambda: [POOL])

    assert (await scraped(obs)).endswith(POOL_TEXT)


async def test_collectors_that_never_return_hold_so_many_threads_and_then_no_answer(obs: Observability) -> None:
    called, released = threading.Semaphore(0), threading.Event()

    def stuck() -> list[Family]:
        called.release()
        released.wait()
        return [POOL]

    obs.add_collector(stuck)
    waiting = []
    for _ in range(16):
        waiting.append(asyncio.create_task(obs.endpoints.handle(Request("GET", "/metrics"))))
        await asyncio.to_thread(called.acquire)
        waiting[-1].cancel()  # as a scraper that has waited for ten seconds
        await asyncio.wait(waiting[-1:])
    without = await scraped(obs)
    released.set()
    while POOL_TEXT not in await scraped(obs):
        await asyncio.sleep(0)

    assert b"pool_size" not in without
