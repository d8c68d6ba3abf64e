"""time(), count_exceptions() and track_inprogress() around blocks and every kind of function."""

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from observabilipy import ConfigurationError, Counter, Gauge, Histogram
from observabilipy.instruments import Registry
from observabilipy.models import HistogramValue


class Scene:
    """One instrument of each kind."""

    def __init__(self) -> None:
        self.registry = Registry()
        errors = self.registry.counter("errors_total", "Errors.", ())
        active = self.registry.gauge("active", "Active.", (), aggregate="sum")
        took = self.registry.histogram("took_seconds", "Time.", (), buckets=(60,))
        assert isinstance(errors, Counter)
        assert isinstance(active, Gauge)
        assert isinstance(took, Histogram)
        self.errors, self.active, self.took = errors, active, took

    def values(self) -> tuple[object, object, object]:
        """Exceptions counted, calls in progress, calls timed."""
        collection = self.registry.collect(1.0)
        found: dict[str, object] = {sample.name: sample.value for sample in (*collection.samples, *collection.gauges)}
        took = found["took_seconds"]
        assert isinstance(took, HistogramValue)
        return found["errors_total"], found.get("active"), took.count

    def decorate(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """With all three."""
        decorators: list[Any] = [self.took.time(), self.active.track_inprogress(), self.errors.count_exceptions()]
        return functools.reduce(lambda made, decorator: decorator(made), decorators, function)


def plain(value: int) -> int:
    """Plain."""
    return 10 // value


async def coroutine(value: int) -> int:
    """Coroutine."""
    await asyncio.sleep(0)
    return 10 // value


def generator(value: int) -> Generator[Any, Any, str]:
    """Generator."""
    try:
        while True:
            try:
                value = yield 10 // value
            except KeyError as error:
                value = yield ("handled", error.args)
            if value is None:
                return "returned"
    finally:
        LEFT.append("generator")


async def async_generator(value: int) -> AsyncGenerator[Any, Any]:
    """Async generator."""
    try:
        while True:
            try:
                await asyncio.sleep(0)
                value = yield 10 // value
            except KeyError as error:
                value = yield ("handled", error.args)
            if value is None:
                return
    finally:
        LEFT.append("async_generator")


LEFT: list[str] = []


@pytest.fixture(autouse=True)
def _nobody_left() -> None:
    LEFT.clear()


@pytest.mark.parametrize("function", [plain, coroutine, generator, async_generator])
def test_a_decorated_function_is_of_the_same_kind_and_has_its_name(function: Callable[..., Any]) -> None:
    made = Scene().decorate(function)
    kinds = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )

    assert (made.__name__, made.__doc__, inspect.signature(made), [kind(made) for kind in kinds]) == (
        function.__name__,
        function.__doc__,
        inspect.signature(function),
        [kind(function) for kind in kinds],
    )


def test_a_plain_function_gives_its_result_and_raises_its_error() -> None:
    scene = Scene()
    made = scene.decorate(plain)
    result = made(5)
    with pytest.raises(ZeroDivisionError):
        made(0)

    assert (result, scene.values()) == (2, (1, 0, 2))


async def test_a_coroutine_is_inside_until_it_returns() -> None:
    scene = Scene()
    made = scene.decorate(coroutine)
    running = [asyncio.create_task(made(value)) for value in (5, 2, 0)]
    before = scene.values()
    await asyncio.sleep(0)
    during = scene.values()
    results = await asyncio.gather(*running, return_exceptions=True)

    assert (before, during, results[:2], scene.values()) == ((0, None, 0), (0, 3, 0), [2, 5], (1, 0, 3))


async def test_a_cancelled_coroutine_is_timed_and_no_error() -> None:
    scene = Scene()

    @scene.decorate
    async def waiting() -> None:
        await asyncio.sleep(3600)

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert scene.values() == (0, 0, 1)


def test_a_generator_is_inside_from_its_first_value_to_its_end() -> None:
    scene = Scene()
    running = scene.decorate(generator)(5)
    untouched = scene.values()
    steps = [next(running), running.send(2), running.throw(KeyError("x")), running.send(1)]
    during = scene.values()
    with pytest.raises(StopIteration) as ended:
        running.send(None)

    assert (untouched, steps, during, ended.value.value, scene.values(), LEFT) == (
        (0, None, 0),
        [2, 5, ("handled", ("x",)), 10],
        (0, 1, 0),
        "returned",
        (0, 0, 1),
        ["generator"],
    )


@pytest.mark.parametrize("ending", ["close", "throw", "raise"])
def test_a_generator_that_is_closed_or_fails_ends_inside_out(ending: str) -> None:
    scene = Scene()
    running = scene.decorate(generator)(5)
    next(running)
    if ending == "close":
        running.close()
    elif ending == "throw":
        with pytest.raises(ValueError, match="thrown"):
            running.throw(ValueError("thrown"))
    else:
        with pytest.raises(ZeroDivisionError):
            running.send(0)

    assert (scene.values(), LEFT) == ((0 if ending == "close" else 1, 0, 1), ["generator"])


async def test_an_async_generator_is_inside_from_its_first_value_to_its_end() -> None:
    scene = Scene()
    running = scene.decorate(async_generator)(5)
    untouched = scene.values()
    steps = [await anext(running), await running.asend(2), await running.athrow(KeyError("x")), await running.asend(1)]
    during = scene.values()
    with pytest.raises(StopAsyncIteration):
        await running.asend(None)

    assert (untouched, steps, during, scene.values(), LEFT) == (
        (0, None, 0),
        [2, 5, ("handled", ("x",)), 10],
        (0, 1, 0),
        (0, 0, 1),
        ["async_generator"],
    )


@pytest.mark.parametrize("ending", ["close", "throw", "raise", "cancel"])
async def test_an_async_generator_that_is_closed_or_fails_ends_inside_out(ending: str) -> None:
    scene = Scene()
    running = scene.decorate(async_generator)(5)
    await anext(running)
    if ending == "close":
        await running.aclose()
    elif ending == "throw":
        with pytest.raises(ValueError, match="thrown"):
            await running.athrow(ValueError("thrown"))
    elif ending == "raise":
        with pytest.raises(ZeroDivisionError):
            await running.asend(0)
    else:
        task = asyncio.ensure_future(running.asend(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (scene.values(), LEFT) == ((0 if ending in {"close", "cancel"} else 1, 0, 1), ["async_generator"])


def test_a_function_may_call_itself() -> None:
    scene = Scene()

    @scene.decorate
    def countdown(number: int) -> object:
        return countdown(number - 1) if number else scene.values()

    deepest = countdown(4)

    assert (deepest, scene.values()) == ((0, 5, 0), (0, 0, 5))


def test_blocks_are_counted_when_they_raise_what_was_asked_for() -> None:
    scene = Scene()
    raised: list[BaseException] = [KeyError(), IndexError(), ValueError(), KeyboardInterrupt()]
    for error in raised:
        with pytest.raises(type(error)), scene.errors.count_exceptions(LookupError, KeyboardInterrupt):
            raise error
        with pytest.raises(type(error)), scene.errors.count_exceptions():
            raise error

    assert scene.values() == (6, None, 0)


def test_exceptions_may_be_named_as_in_an_except_clause() -> None:
    scene = Scene()
    raised: list[BaseException] = [KeyError(), ValueError(), KeyboardInterrupt()]
    for error in raised:
        with pytest.raises(type(error)), scene.errors.count_exceptions((KeyError, OSError), KeyboardInterrupt):
            raise error

    assert scene.values() == (2, None, 0)


@pytest.mark.parametrize("given", [7, None, "work"])
def test_decorators_take_functions(given: Any) -> None:
    scene = Scene()
    decorators: list[Any] = [scene.took.time(), scene.active.track_inprogress(), scene.errors.count_exceptions()]
    for decorator in decorators:
        with pytest.raises(ConfigurationError, match=rf"a decorator takes a function, got {given!r}: write it above"):
            decorator(given)


def test_methods_of_one_series_can_be_used_on_it_alone() -> None:
    registry = Registry()
    errors = registry.counter("errors_total", "Errors.", ("kind",))

    with pytest.raises(ConfigurationError, match=r"call \.labels\(\.\.\.\)\.count_exceptions"):
        errors.count_exceptions()


@pytest.mark.parametrize("wrong", [ValueError(), "ValueError", int, (ValueError, 1)])
def test_count_exceptions_takes_classes_of_exceptions(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"takes classes of exceptions, got .*: write count_exceptions\(Val"):
        Scene().errors.count_exceptions(wrong)


def test_blocks_inside_each_other_are_all_in_progress_and_all_timed() -> None:
    scene = Scene()
    blocks: list[AbstractContextManager[None]] = [scene.active.track_inprogress(), scene.took.time()]
    with blocks[0], blocks[1], blocks[0], scene.took.time():
        during = scene.values()

    assert (during, scene.values()) == ((0, 2, 0), (0, 0, 2))


async def test_an_object_with_an_async_call_is_inside_until_it_returns() -> None:
    scene = Scene()

    class Job:
        async def __call__(self) -> object:
            return scene.values()

    inside = await scene.decorate(Job())()

    assert (inside, scene.values()) == ((0, 1, 0), (0, 0, 1))
