"""Driving async methods from code that is not async."""

import asyncio

import pytest

from observabilipy.awaiting import await_here


async def work(result: str) -> str:
    await asyncio.sleep(0)
    if not result:
        raise RuntimeError("on purpose")
    return result


def test_a_coroutine_is_driven_to_its_end() -> None:
    assert await_here(work("done")) == "done"


async def test_also_in_a_thread_whose_own_loop_is_running() -> None:
    assert await_here(work("done")) == "done"


async def test_what_it_raises_comes_back() -> None:
    with pytest.raises(RuntimeError, match="on purpose"):
        await_here(work(""))
