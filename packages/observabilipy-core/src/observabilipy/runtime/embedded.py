"""EmbeddedRuntime: the thread, its rhythm, and how it begins and ends."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Self

from observabilipy import process
from observabilipy.awaiting import await_here
from observabilipy.errors import ConfigurationError
from observabilipy.instruments.registry import Registry
from observabilipy.logs.buffer import LogBuffer
from observabilipy.models import Clock, LevelRetentionPolicy, RetentionPolicy
from observabilipy.ports import LogStoragePort, MetricsStoragePort, RuntimeStoragePort
from observabilipy.retention import apply_history_retention, apply_log_retention, plan_history_retention
from observabilipy.runtime.delivery import Delivery
from observabilipy.storage.memory import MemoryStorage
from observabilipy.storage.plain import PlainStorage

__all__ = ["EmbeddedRuntime"]

_RETRY_SECONDS = 1.0
_MAINTENANCE_SECONDS = 1.0
_LEASE_SECONDS = 5.0
_CLOSE_SECONDS = 5.0


class EmbeddedRuntime:
    """Carries records into storages, samples the history and applies retention, from one daemon thread.

    The thread begins with the first record, or with ``start()``, and again after a fork. Every method may be called
    from any thread.

    Args:
        log_storage: a storage of logs, or of everything.
        metrics_storage: a storage of metrics, when it is another one.
        log_retention: how long entries are kept; the storage's default if left out.
        history_retention: how long the history is kept; the storage's default if left out.
        flush_interval: seconds between two commits.
        history_interval: seconds between two samples of the totals.
        heartbeat_interval: seconds after which a worker without news counts as dead after three of them.
        max_buffer_entries: records that wait for the next flush.
        max_backlog_bytes: memory for entries that wait while the storage cannot be reached.
        base: attributes of every log entry.
        strict: raise refused values, for tests.
        close_storage: close the storage when the runtime is closed.
        clock: gives unix seconds.

    Raises:
        ConfigurationError: an interval or a bound that is not positive, or a retention that cannot be kept.
    """

    def __init__(
        self,
        log_storage: LogStoragePort,
        metrics_storage: MetricsStoragePort | None = None,
        *,
        log_retention: RetentionPolicy | LevelRetentionPolicy | None = None,
        history_retention: RetentionPolicy | None = None,
        flush_interval: float = 0.2,
        history_interval: float = 10.0,
        heartbeat_interval: float = 5.0,
        max_buffer_entries: int = 10_000,
        max_backlog_bytes: int = 16 * 2**20,
        base: Mapping[str, object] | None = None,
        strict: bool = False,
        close_storage: bool = False,
        clock: Clock = time.time,
    ) -> None:
        for name, value in (
            ("flush_interval", flush_interval),
            ("history_interval", history_interval),
            ("heartbeat_interval", heartbeat_interval),
            ("max_buffer_entries", max_buffer_entries),
            ("max_backlog_bytes", max_backlog_bytes),
        ):
            _check_positive(name, value)
        self.storage = _runtime_storage(log_storage, metrics_storage)
        self.log_retention = log_retention or self.storage.default_log_retention
        self.history_retention = history_retention or self.storage.default_history_retention
        _check_policies(self.log_retention, self.history_retention)
        self._flush_interval = flush_interval
        self._history_interval = history_interval
        self._close_storage = close_storage
        self._clock = clock
        self.registry = Registry(strict=strict)
        self.troubles = self.registry.troubles
        self.buffer = LogBuffer(max_buffer_entries, self.troubles.dropped, self._hurry)
        self._delivery = Delivery(
            self.storage,
            self.buffer,
            self.registry,
            base=base or {},
            max_backlog_bytes=max_backlog_bytes,
            lifetime=3 * heartbeat_interval,
            clock=clock,
        )
        self._closed = False
        self._begin()
        process.enrol(self)

    def _begin(self) -> None:
        self._state = threading.RLock()  # guards the beginning and the end of the thread; a signal may come in between
        self._delivering = threading.Lock()  # guards the delivery: one thread at a time carries
        self._news = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiting: deque[Future[bool]] = deque()
        self._maintained = time.monotonic()
        self._sampled = time.monotonic()

    def start(self) -> None:
        """Start the thread now, without waiting for the first record."""
        process.wake()

    def wake(self) -> None:
        """Start the thread if there is none and the runtime is not closed."""
        with self._state:
            if self._thread is None and not self._closed:
                # Events of its own: a thread that is told to stop must not see the next one's.
                self._stop, self._news = threading.Event(), threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stop, self._news), name="observabilipy", daemon=True
                )
                with suppress(RuntimeError):  # the interpreter is ending: close() writes what there is
                    self._thread.start()
        self._warn_of_lonely_memory()

    def pause(self, timeout: float) -> None:
        """Commit what there is and end the thread; the next record starts it again."""
        with self._state:
            thread, self._thread = self._thread, None
            self._stop.set()
            self._news.set()
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(timeout)

    def flush(self) -> bool:
        """Commit everything recorded before the call, in this thread. False when the storage cannot take it now."""
        with self._delivering:
            return self._deliver()

    async def aflush(self) -> bool:
        """The same without holding the event loop: the runtime's thread does it, once for all who wait."""
        from asyncio import wrap_future

        return await wrap_future(self._ask())

    def close(self) -> None:
        """Commit what there is, say goodbye to the storage, and end. May be called again.

        Log entries that are recorded afterwards are given up, counted and warned about.
        """
        with self._state:
            if self._closed:
                return
            self._closed = True
        self.pause(_CLOSE_SECONDS)
        process.dismiss(self)
        if self._delivering.acquire(timeout=_CLOSE_SECONDS):  # a signal may have stopped the one who holds it
            try:
                self._deliver()
                self._task("ending the worker", self._delivery.end)
            finally:
                self._delivering.release()
        self.buffer.close()
        _settle(self._take_waiting(), delivered=True)
        if self._close_storage:
            self._task("closing the storage", self.storage.close)

    async def aclose(self) -> None:
        """The same without holding the event loop."""
        await _off_loop(self.close)

    async def arest(self) -> None:
        """Commit what there is, end the worker and the thread, without closing: a later record begins anew.

        For servers that stop an application whose process may go on.
        """
        await _off_loop(self._rest)

    def _rest(self) -> None:
        self.pause(_CLOSE_SECONDS)
        with self._delivering:
            if self._deliver():
                self._task("ending the worker", self._delivery.end)
        process.sleep()

    def begin_anew(self) -> None:
        """In a forked child: forget what belongs to the parent. Called by ``process``."""
        self._begin()
        self.buffer.begin_anew()
        self.registry.begin_anew()
        self._delivery.begin_anew()
        self.storage.forget()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _ask(self) -> "Future[bool]":
        future: Future[bool] = Future()
        if self._closed:
            future.set_result(True)
            return future
        self._waiting.append(future)
        self.wake()
        self._news.set()
        return future

    def _take_waiting(self) -> "list[Future[bool]]":
        """Those who asked so far. One by one: a list that is swapped could be appended to afterwards."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _hurry(self) -> None:
        self._news.set()

    def _run(self, stop: threading.Event, news: threading.Event) -> None:
        delay = self._flush_interval
        while not stop.is_set():
            news.wait(delay)
            news.clear()
            delay = self._flush_interval if self._round() else _RETRY_SECONDS
        with self._delivering:
            self._deliver()

    def _round(self) -> bool:
        waiting = self._take_waiting()
        with self._delivering:
            delivered = self._deliver()
            if delivered:
                self._task("the heartbeat", self._delivery.heartbeat)
        _settle(waiting, delivered=delivered)
        if delivered and time.monotonic() - self._maintained >= _MAINTENANCE_SECONDS:
            self._maintained = time.monotonic()
            self._task("maintenance", self._maintain)
        return delivered

    def _deliver(self) -> bool:
        try:
            return self._delivery.deliver()
        except Exception as error:  # noqa: BLE001 - the thread must outlive a bug of ours
            self.troubles.failed("carrying records to the storage", error)
            return False

    def _warn_of_lonely_memory(self) -> None:
        if isinstance(self.storage, MemoryStorage) and process.is_child():
            self.troubles.warn(
                "memory in a worker",
                "memory:// and ring:// hold what one process records, and this one is a worker among others:"
                ' use "sqlite:///observability.db" to have all of them counted together',
            )

    def _maintain(self) -> None:
        if not self.storage.acquire_lease(self._delivery.worker, _LEASE_SECONDS):
            return
        self.storage.maintain()
        if time.monotonic() - self._sampled < self._history_interval:
            return
        self._sampled = time.monotonic()
        now = self._clock()
        self.storage.sample_history(now)
        self._task("retention of logs", lambda: await_here(apply_log_retention(self.storage, self.log_retention, now)))
        self._task(
            "retention of the history",
            lambda: await_here(apply_history_retention(self.storage, self.history_retention, now)),
        )

    def _task(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a storage may raise anything; the next round tries again
            self.troubles.failed(name, error)


def _settle(waiting: "list[Future[bool]]", *, delivered: bool) -> None:
    for future in waiting:
        if future.set_running_or_notify_cancel():
            future.set_result(delivered)


def _runtime_storage(logs: LogStoragePort, metrics: MetricsStoragePort | None) -> RuntimeStoragePort:
    if metrics is None and isinstance(logs, RuntimeStoragePort):
        return logs
    return PlainStorage(logs, metrics)


def _check_positive(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} must be a positive number, got {value!r}")


def _check_policies(logs: object, history: object) -> None:
    if not isinstance(logs, RetentionPolicy | LevelRetentionPolicy):
        raise ConfigurationError(
            f"log_retention must be a RetentionPolicy or a LevelRetentionPolicy, got {logs!r}:"
            " write RetentionPolicy(max_age=seconds)"
        )
    if not isinstance(history, RetentionPolicy):
        raise ConfigurationError(
            f"history_retention must be a RetentionPolicy, got {history!r}: write RetentionPolicy(max_age=seconds)"
        )
    plan_history_retention(history, 0.0)  # a policy that no history can keep is refused here, not by the thread


async def _off_loop(work: Callable[[], object]) -> None:
    """Do blocking work in a thread of its own: the loop's default executor belongs to the application."""
    from asyncio import wrap_future

    future: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the one who awaits
            future.set_exception(error)
        else:
            future.set_result(None)

    thread = threading.Thread(target=run, name="observabilipy-work", daemon=True)
    thread.start()
    await wrap_future(future)
    thread.join()  # it is past its last statement
