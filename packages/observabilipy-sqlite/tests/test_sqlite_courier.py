"""The courier: one thread, any number of event loops, callers that are cancelled and loops that die."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiosqlite
import pytest

from observabilipy.errors import StorageUnavailable
from observabilipy.models import LogEntry, LogQuery
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.courier import Courier
from observabilipy_sqlite.database import Database


class _Busy:
    """A function that holds the courier's thread until it is told to go on."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.ended = False

    def __call__(self) -> str:
        self.begun.set()
        assert self.may_end.wait(30)
        self.ended = True
        return "done"


@pytest.fixture
async def courier(tmp_path: Path) -> AsyncIterator[Courier]:
    courier = Courier(Database(tmp_path / "obs.db"))
    yield courier
    await courier.aclose()


def _threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_aiosqlite_has_the_private_parts_that_are_used() -> None:
    connection = aiosqlite.Connection(lambda: None, 1)  # type: ignore[arg-type, return-value] # never started
    thread = getattr(connection, "_thread", connection)

    assert inspect.iscoroutinefunction(connection._execute)
    assert list(inspect.signature(connection._execute).parameters)[:1] == ["fn"]
    assert connection._connection is None
    assert isinstance(thread, threading.Thread)


async def test_a_transaction_is_one_hop_in_a_thread_of_its_own(courier: Courier) -> None:
    here = threading.get_ident()
    idents = {await courier.carry(threading.get_ident) for _ in range(3)}

    assert len(idents - {here}) == 1


async def test_its_thread_does_not_keep_the_interpreter_alive(courier: Courier) -> None:
    assert await courier.carry(lambda: threading.current_thread().daemon)


async def test_errors_come_back(courier: Courier) -> None:
    with pytest.raises(ZeroDivisionError):
        await courier.carry(lambda: 1 // 0)


async def test_many_callers_that_come_first_at_once_share_one_thread(courier: Courier) -> None:
    async def twenty() -> set[int]:
        return set(await asyncio.gather(*(courier.carry(threading.get_ident) for _ in range(20))))

    idents = await asyncio.gather(*(asyncio.to_thread(asyncio.run, twenty()) for _ in range(4)))

    assert len(set.union(*idents)) == 1


async def test_a_cancelled_caller_waits_for_its_own_function(courier: Courier) -> None:
    busy = _Busy()
    caller = asyncio.create_task(courier.carry(busy))
    await asyncio.to_thread(busy.begun.wait, 30)
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
    waited = not caller.done()
    busy.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert (waited, busy.ended) == (True, True)


async def test_a_loop_that_ends_with_callers_at_work_leaves_the_thread_alive(courier: Courier) -> None:
    busy = _Busy()
    thread = await courier.carry(threading.current_thread)

    async def main() -> None:
        caller = asyncio.create_task(courier.carry(busy))
        await asyncio.to_thread(busy.begun.wait, 30)
        threading.Timer(0.05, busy.may_end.set).start()
        del caller  # asyncio.run cancels what is left

    await asyncio.to_thread(asyncio.run, main())

    assert await courier.carry(threading.current_thread) is thread


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_died_of_a_closed_loop_is_replaced_and_nobody_waits_for_ever(courier: Courier) -> None:
    busy = _Busy()
    thread = await courier.carry(threading.current_thread)

    def abandon() -> None:
        loop = asyncio.new_event_loop()
        caller = loop.create_task(courier.carry(busy))
        while not busy.begun.is_set():
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del caller

    await asyncio.to_thread(abandon)
    queued = asyncio.create_task(courier.carry(threading.current_thread))
    await asyncio.sleep(0)
    busy.may_end.set()
    with pytest.raises(StorageUnavailable, match="died: repeat the call"):
        await queued

    assert await courier.carry(threading.current_thread) is not thread


async def test_closing_ends_the_thread_and_may_be_repeated(tmp_path: Path) -> None:
    before = _threads()
    storage = SQLiteStorage(tmp_path / "obs.db")
    await storage.write_logs([LogEntry(0, "INFO", "x")])
    (thread,) = {each for each in _threads() - before if not each.name.startswith("asyncio")}
    await storage.aclose()
    await storage.aclose()
    storage.close()
    thread.join(30)

    assert (thread.is_alive(), _names(tmp_path)) == (False, ["obs.db"])


@pytest.mark.parametrize("inside_a_loop", [True, False])
def test_closing_without_await_ends_the_thread_too(tmp_path: Path, inside_a_loop: bool) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    thread = asyncio.run(storage._courier.carry(threading.current_thread))
    asyncio.run(storage.log_facts())

    async def close() -> None:
        storage.close()
        storage.close()

    if inside_a_loop:
        asyncio.run(close())
    else:
        storage.close()
    thread.join(30)

    assert (thread.is_alive(), _names(tmp_path)) == (False, ["obs.db"])


async def test_no_transaction_is_open_while_a_reader_pauses(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    await storage.write_logs(LogEntry(0, "INFO", f"{number}") for number in range(2_500))
    reading = storage.read_logs(LogQuery())
    await anext(reading)
    connection = storage._async_database._connection
    assert connection is not None
    pausing = connection.in_transaction
    rest = [entry.message async for entry in reading]
    await storage.aclose()

    assert (pausing, len(rest)) == (False, 2_499)


async def test_a_storage_serves_loop_after_loop(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "obs.db")
    calls: list[Callable[[], Awaitable[object]]] = [storage.log_facts, storage.count_samples, storage.log_facts]

    async def run(call: Callable[[], Awaitable[object]]) -> object:
        return await call()

    got = [await asyncio.to_thread(asyncio.run, run(call)) for call in calls]
    await storage.aclose()

    assert got[0] == got[2]
