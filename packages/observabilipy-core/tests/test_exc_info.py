"""``exc_info`` among the attributes of a call that logs, as people know it from standard logging and structlog."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from observabilipy import LogQuery, Observability
from observabilipy.storage import MemoryStorage


class RingedStorage(MemoryStorage):
    """A memory storage with a place for rings."""

    def __init__(self, ring_directory: Path) -> None:
        super().__init__()
        self.ring_directory = ring_directory


@pytest.fixture(params=["memory", "crash"])
def obs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Observability]:
    storage = RingedStorage(tmp_path / "rings")
    with Observability(storage, log_durability=request.param, handle_sigterm=False, flush_interval=3600) as made:
        yield made


class Hostile:
    """Says of itself what nobody wants to hear."""

    @property
    def __class__(self) -> type:
        raise RuntimeError("no")

    @__class__.setter
    def __class__(self, _: type) -> None: ...


def attributes(obs: Observability) -> list[dict[str, object]]:
    async def read() -> list[dict[str, object]]:
        return [dict(entry.attributes) async for entry in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def fail() -> None:
    raise ValueError("no")


def test_the_exception_that_is_handled_now_is_recorded(obs: Observability) -> None:
    try:
        fail()
    except ValueError as error:
        obs.error("failed", exc_info=True, part="a")
        obs.bind(part="a").info("failed", exc_info=1)
        obs.warning("failed", exc_info=error, part="a")
        obs.critical("failed", exc_info=sys.exc_info(), part="a")
    found = attributes(obs)

    assert [(one["exception.type"], one["exception.message"], one["part"]) for one in found] == [
        ("ValueError", "no", "a")
    ] * 4
    assert all("in fail" in str(one["exception.stacktrace"]) and "exc_info" not in one for one in found)


def test_one_that_is_given_goes_before_the_one_that_is_handled(obs: Observability) -> None:
    obs.exception("failed", exc_info=KeyError("a"))
    try:
        fail()
    except ValueError:
        obs.exception("failed", exc_info=KeyError("a"))
        obs.exception("failed", **{"exception.message": "mine"})

    assert [(one["exception.type"], one["exception.message"]) for one in attributes(obs)] == [
        ("KeyError", "'a'"),
        ("KeyError", "'a'"),
        ("ValueError", "mine"),
    ]


def test_none_says_nothing_and_what_is_no_exception_stays(obs: Observability) -> None:
    for nothing in (True, False, None, (None, None, None)):
        obs.info("m", exc_info=nothing)
    obs.info("m", exc_info="see above")
    obs.info("m", exc_info=Hostile())
    *found, hostile = attributes(obs)

    assert (found, list(hostile)) == ([{}, {}, {}, {}, {"exc_info": "see above"}], ["exc_info"])
