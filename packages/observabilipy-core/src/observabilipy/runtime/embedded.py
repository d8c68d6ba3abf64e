"""EmbeddedRuntime: the thread that carries records away, and how it begins and ends."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from observabilipy import process, sigterm
from observabilipy.awaiting import off_loop
from observabilipy.encoding import fast
from observabilipy.instruments.registry import Registry
from observabilipy.logs.buffer import LogBuffer
from observabilipy.logs.crash_buffer import CrashBuffer
from observabilipy.logs.entries import Finish
from observabilipy.logs.redaction import Redaction
from observabilipy.models import Clock, LevelRetentionPolicy, RetentionPolicy
from observabilipy.ports import LogStoragePort, MetricsStoragePort
from observabilipy.runtime import checks
from observabilipy.runtime.collecting import collecting
from observabilipy.runtime.delivery import Delivery
from observabilipy.runtime.news import News, Questions
from observabilipy.runtime.recovery import Recovery
from observabilipy.runtime.storage import runtime_storage, warn_of_lonely_memory
from observabilipy.runtime.upkeep import Upkeep

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["EmbeddedRuntime"]

_RETRY_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
_HASTY_SECONDS = 0.02
_GO_ON_SECONDS = 0.05  # between two slices of an upkeep that takes long


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
        retention_interval: seconds between two looks at what is too old or too much.
        heartbeat_interval: seconds after which a worker without news counts as dead after three of them.
        max_buffer_entries: records that wait for the next flush.
        max_backlog_bytes: memory for entries that wait while the storage cannot be reached.
        max_entry_bytes: how long the line of a log entry may be; what is cut off is marked.
        base: attributes of every log entry.
        redaction: which attributes must not be stored; the common names of secrets if left out.
        log_durability: "memory", or "crash": entries go through a file beside the storage, from which others recover
            what a killed process had not committed.
        collectors: what is reported without being asked: "process", "python", "library"; nothing if left out.
        collect_interval: seconds between two looks of the collectors; at most one when somebody waits for a flush.
        strict: raise refused values, for tests.
        close_storage: close the storage when the runtime is closed.
        clock: gives unix seconds.

    Raises:
        ConfigurationError: a setting that cannot work, or that the storage has no place for; the message says which.
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
        retention_interval: float = 10.0,
        heartbeat_interval: float = 5.0,
        max_buffer_entries: int = 10_000,
        max_backlog_bytes: int = 16 * 2**20,
        max_entry_bytes: int = 262_144,
        base: Mapping[str, object] | None = None,
        redaction: Redaction | None = None,
        log_durability: checks.LogDurability = "memory",
        collectors: Iterable[checks.CollectorName] = (),
        collect_interval: float = 5.0,
        strict: bool = False,
        close_storage: bool = False,
        clock: Clock = time.time,
    ) -> None:
        checks.check_all_positive(
            flush_interval=flush_interval,
            history_interval=history_interval,
            retention_interval=retention_interval,
            heartbeat_interval=heartbeat_interval,
            collect_interval=collect_interval,
            max_buffer_entries=max_buffer_entries,
            max_backlog_bytes=max_backlog_bytes,
        )
        fast.prepare()
        self.storage = runtime_storage(log_storage, metrics_storage)
        self.log_retention = log_retention or self.storage.default_log_retention
        self.history_retention = history_retention or self.storage.default_history_retention
        checks.check_policies(self.log_retention, self.history_retention)
        checks.check_durability(log_durability, self.storage)
        checks.check_records(redaction, max_entry_bytes)
        self._flush_interval = flush_interval
        self._close_storage = close_storage
        self.registry = Registry(strict=strict, clock=clock)
        self.troubles = self.registry.troubles
        redaction = redaction or Redaction()
        finish = Finish(base or {}, redaction, max_entry_bytes)
        self.buffer: LogBuffer | CrashBuffer
        self.buffer = LogBuffer(max_buffer_entries, self.troubles.dropped, self._hurry)
        if log_durability == "crash":
            self.buffer = CrashBuffer(
                self.buffer,
                open_ring=lambda: self._recovery.open_ring(self._delivery.worker),
                redaction=redaction,
                unprotected=self.troubles.unprotected,
                full_batch=self._hurry,
            )
        self._recovery = Recovery(self.storage, self.troubles, finish)
        self._delivery = Delivery(
            self.storage,
            self.buffer,
            self.registry,
            finish=finish,
            max_backlog_bytes=max_backlog_bytes,
            lifetime=3 * heartbeat_interval,
            clock=clock,
        )
        self._collectors = collecting(
            checks.check_collectors(collectors),
            self.registry,
            commits=self._delivery.taken_seconds,
            waiting=lambda: len(self.buffer) + self._delivery.waiting,
            interval=collect_interval,
        )
        self._upkeep = Upkeep(
            self.storage,
            self.troubles,
            log_retention=self.log_retention,
            history_retention=self.history_retention,
            history_interval=history_interval,
            retention_interval=retention_interval,
            survey=self._collectors.survey,
            clock=clock,
        )
        self._begin()
        process.enrol(self)
        if self._recovery.has_work():
            self.start()

    def _begin(self) -> None:
        self._state = threading.RLock()  # guards the beginning and the end of the thread; a signal may come in between
        self._delivering = threading.Lock()  # guards the delivery: one thread at a time carries
        self._carrier: int | None = None  # the one that does
        self._keeping = threading.Lock()  # guards the upkeep
        self._news = News()
        self._thread: threading.Thread | None = None
        self._questions = Questions()
        self._interval = self._flush_interval
        self._due = 0.0  # monotonic seconds, where threads do not run
        self._closed = False
        self._ended = threading.Event()

    def start(self) -> None:
        """Start the thread now, without waiting for the first record."""
        self.wake()

    def flush(self) -> bool:
        """Wait until everything recorded before the call is committed. False when the storage cannot take it now."""
        return self._ask().result()

    async def aflush(self) -> bool:
        """The same without holding the event loop. Many who wait share the work."""
        from asyncio import wrap_future

        return await wrap_future(self._ask())

    def close(self) -> None:
        """Commit what there is, say goodbye to the storage, and end. May be called again.

        Log entries that are recorded afterwards are given up, counted and warned about.
        """
        with sigterm.finishing():
            with self._state:
                closing, self._closed = not self._closed, True
            if not closing:
                self._ended.wait(_CLOSE_SECONDS)
                return
            try:
                self.pause(_CLOSE_SECONDS)
                self._carry_last(self._look_last)
                self.buffer.close()
                self._carry_last(self._leave)
                if self._close_storage:
                    self._task("closing the storage", self.storage.close)
            finally:
                process.dismiss(self)  # not before: who ends the process waits for those that it knows
                self._ended.set()
                self._questions.answer(delivered=True)  # last: who asks from now on sees that it is over

    async def aclose(self) -> None:
        """The same without holding the event loop."""
        await off_loop(self.close)

    async def arest(self) -> None:
        """Commit what there is, end the worker and the thread, without closing: a later record begins anew.

        For servers that stop an application whose process may go on.
        """
        await off_loop(self._rest)

    def _rest(self) -> None:
        if self._closed:
            self._ended.wait(_CLOSE_SECONDS)
            return
        self.pause(_CLOSE_SECONDS)
        self._carry_last(self._look_last)
        process.sleep()  # before the last look: what is recorded after that wakes the thread
        self._carry_last(self._end_worker)

    # Called by ``process``

    def wake(self) -> None:
        """Start the thread if there is none and the runtime is not closed."""
        sigterm.look_again()
        if not process.threads_run():
            self._carry_when_due()
            return
        with self._state:
            if self._thread is not None or self._closed:
                return
            self._news = News()  # of its own: a thread that is told to stop must not read the next one's
            self._thread = threading.Thread(target=self._run, args=(self._news,), name="observabilipy", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:  # no thread can be had now, or the interpreter is ending
                self._thread = None
                if "interpreter shutdown" not in str(error):  # else atexit closes us in a moment, which commits
                    self.troubles.failed("starting the thread", error)
                process.sleep()  # last: what counts the failure is a record, too, and would come here again
        warn_of_lonely_memory(self.storage, self.troubles)

    def pause(self, timeout: float) -> None:
        """Commit what there is and end the thread; the next record starts it again."""
        with self._state:
            thread, self._thread = self._thread, None
            self._news.tell()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def hurry(self, timeout: float) -> None:
        """The process will end soon: commit now, and every few milliseconds from here on."""
        self._interval = min(self._flush_interval, _HASTY_SECONDS)
        if self._thread is not None or self.has_news():
            with suppress(TimeoutError):
                self._ask().result(timeout)

    def has_news(self) -> bool:
        """Whether records or questions wait for a thread."""
        return len(self._questions) > 0 or len(self.buffer) > 0 or self.registry.has_news()

    def begin_anew(self) -> None:
        """In a forked child: forget what belongs to the parent."""
        closed = self._closed
        self._begin()
        if closed:  # the parent was closing it
            self._closed = True
            self._ended.set()
        self.buffer.begin_anew()
        self.registry.begin_anew()
        self._collectors.begin_anew()
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

    # The thread

    def _run(self, news: News) -> None:
        delay = self._interval
        while self._thread is threading.current_thread():
            news.wait(delay)
            delivered = self._round()
            delay = self._interval if delivered else _RETRY_SECONDS
            # Also when nothing could be delivered: on a full disk it is retention that makes room.
            if self._thread is threading.current_thread() and self._keep_up(delivered):
                delay = min(delay, _GO_ON_SECONDS)
        self._round()

    def _round(self) -> bool:
        with self._delivering:
            self._recovery.look()
            self._collectors.look(asked=len(self._questions) > 0)
            delivered = self._carry()
            if delivered:
                self._task("the heartbeat", self._delivery.heartbeat)
        return delivered

    def _carry_when_due(self) -> None:
        """The thread's work, where threads do not run: done by whoever records, when it is time."""
        now = time.monotonic()
        if now >= self._due and not self._closed and not self._delivering.locked():  # else: we are at it already
            self._due = now + self._interval
            self._keep_up(self._round())

    def _carry(self) -> bool:
        """Deliver, and answer those who asked before: what came later may not be in it."""
        waiting, delivered = len(self._questions), self._deliver()
        self._questions.answer(waiting, delivered=delivered)
        return delivered

    def _keep_up(self, delivered: bool) -> bool:
        """Whether there is more to keep up at once."""
        if not self._keeping.acquire(blocking=False):  # a thread that a fork did not wait for may still be at it
            return False
        try:
            return self._upkeep.look(self._delivery.worker, troubled=not delivered)
        finally:
            self._keeping.release()

    def _deliver(self) -> bool:
        self._carrier = threading.get_ident()
        try:
            return self._delivery.deliver()
        except BaseException as error:  # the thread must outlive a bug of ours, and what foreign code raises
            self.troubles.failed("carrying records to the storage", error)
            if not isinstance(error, Exception) and self._thread is not threading.current_thread():
                raise  # whoever closes is told of Ctrl-C
            return False
        finally:
            self._carrier = None

    def _carry_last(self, work: Callable[[], object]) -> None:
        """Do this in the place of the thread, which has ended, or is stuck in its storage."""
        if self._delivering.acquire(timeout=_CLOSE_SECONDS):
            try:
                work()
            finally:
                self._delivering.release()

    def _look_last(self) -> None:
        if self._delivery.has_begun or self.has_news():
            self._collectors.look(asked=False, last=True)

    def _end_worker(self) -> bool:
        if not self._delivery.has_begun and not self.has_news():
            return True  # a command that only looked at the application leaves no file behind
        delivered = self._deliver()
        if delivered:
            self._task("ending the worker", self._delivery.end)
        return delivered

    def _leave(self) -> None:
        self._end_worker()
        self._delivery.abandon()

    def _ask(self) -> "Future[bool]":
        if self._carrier == threading.get_ident():  # a storage, or a handler called from one, asks in mid-commit
            return self._questions.refuse()
        future = self._questions.ask()
        self.wake()
        self._news.tell()
        if self._ended.is_set():
            self._questions.answer(delivered=True)  # nothing is left to wait for
        elif self._thread is None and not self._closed:  # no thread can be had: who asks has to carry
            with self._delivering:
                self._carry()
        return future

    def _hurry(self) -> None:
        self._news.tell()

    def _task(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a storage may raise anything; the next round tries again
            self.troubles.failed(name, error)
