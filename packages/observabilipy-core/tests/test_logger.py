"""The calls that record log entries."""

import asyncio
from collections.abc import Iterator

import pytest

from observabilipy import LogQuery, Observability


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(handle_sigterm=False, flush_interval=3600) as made:
        yield made


def entries(obs: Observability) -> list[tuple[str, str, dict[str, object]]]:
    async def read() -> list[tuple[str, str, dict[str, object]]]:
        return [(e.level, e.message, dict(e.attributes)) async for e in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def test_a_timed_block_is_one_entry_with_the_seconds_it_took_and_what_became_known_in_it(obs: Observability) -> None:
    with obs.timed("rows imported", table="orders") as more:
        more["rows"] = 7
    [(level, message, attributes)] = entries(obs)
    seconds = attributes.pop("duration_seconds")

    assert (level, message, attributes, isinstance(seconds, float) and 0 <= seconds < 60) == (
        "INFO",
        "rows imported",
        {"table": "orders", "rows": 7},
        True,
    )


def test_a_timed_block_that_raises_is_one_entry_with_the_exception(obs: Observability) -> None:
    with pytest.raises(ValueError, match="no"), obs.timed("rows imported", table="orders"):
        raise ValueError("no")
    [(level, message, attributes)] = entries(obs)

    assert (level, message, attributes["exception.type"], attributes["table"], "duration_seconds" in attributes) == (
        "ERROR",
        "rows imported",
        "ValueError",
        "orders",
        True,
    )


async def test_timed_decorates_functions_that_run_many_times_at_once() -> None:
    async with Observability(handle_sigterm=False, flush_interval=3600) as obs:

        @obs.timed("fetched", part="a")
        async def fetch(number: int) -> int:
            await asyncio.sleep(0)
            return 1 // number

        given = await asyncio.gather(fetch(1), fetch(0), fetch(1), return_exceptions=True)
        await obs.aflush()
        found = [(entry.level, entry.attributes["part"]) async for entry in obs.storage.read_logs(LogQuery())]

    assert (given[0], given[2], fetch.__name__) == (1, 1, "fetch")
    assert sorted(found) == [("ERROR", "a"), ("INFO", "a"), ("INFO", "a")]


async def test_a_timed_block_of_a_cancelled_task_is_no_error() -> None:
    async with Observability(handle_sigterm=False, flush_interval=3600) as obs:
        begun = asyncio.Event()

        async def work() -> None:
            with obs.timed("waiting"):
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await obs.aflush()

        assert [
            (entry.level, entry.attributes["exception.type"]) async for entry in obs.storage.read_logs(LogQuery())
        ] == [("INFO", "asyncio.exceptions.CancelledError")]


def test_attributes_may_have_any_name(obs: Observability) -> None:
    names = dict.fromkeys(("message", "level", "timestamp", "cursor", "self", "attributes", "name", "exception"), 1)
    for call in (obs.info, obs.bind(a=1).info, obs.exception, obs.error):
        call("m", **names)
    with obs.context(**names), obs.timed("m", **names):
        pass

    assert [names.items() <= attributes.items() for _, _, attributes in entries(obs)] == [True] * 5


def test_a_level_that_is_not_recorded_is_one_call_that_does_nothing() -> None:
    with Observability(level="WARNING", handle_sigterm=False, flush_interval=3600) as obs:
        log = obs.bind(component="mailer")
        for each in (obs, log):
            each.debug("no")
            each.info("no", n=1)
            each.warning("yes")

        assert (obs.debug is obs.info, [message for _, message, _ in entries(obs)]) == (True, ["yes", "yes"])
