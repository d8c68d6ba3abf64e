"""Upkeep: what one of the workers does for all of them, by lease."""

import time
from collections.abc import Callable

from observabilipy.awaiting import await_here
from observabilipy.errors import StorageUnavailable
from observabilipy.models import Clock, LevelRetentionPolicy, RetentionPolicy
from observabilipy.ports import RuntimeStoragePort, Worker
from observabilipy.retention import LogRetention, PatientClock, apply_history_retention
from observabilipy.troubles import Troubles

__all__ = ["Upkeep"]

_ROUND_SECONDS = 1.0
_LEASE_SECONDS = 5.0
_SLICE_SECONDS = 0.1  # of deleting, then the thread commits what was recorded meanwhile


class Upkeep:
    """Maintains the storage, samples the history and applies retention, each in its own rhythm.

    Args:
        storage: what is kept in order.
        troubles: told about what failed; the next round tries again.
        log_retention: how long entries are kept.
        history_retention: how long the history is kept.
        history_interval: seconds between two samples of the totals.
        retention_interval: seconds between two looks at what is too old or too much.
        survey: called as often, to read what the storage holds.
        clock: gives unix seconds.
        monotonic: gives seconds that never jump.
    """

    def __init__(
        self,
        storage: RuntimeStoragePort,
        troubles: Troubles,
        *,
        log_retention: RetentionPolicy | LevelRetentionPolicy,
        history_retention: RetentionPolicy,
        history_interval: float,
        retention_interval: float,
        survey: Callable[[RuntimeStoragePort], object] | None = None,
        clock: Clock,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._storage = storage
        self._troubles = troubles
        self._log_retention = log_retention
        self._history_retention = history_retention
        self._clock = clock
        self._survey = survey
        self._patient_clock = PatientClock(clock, monotonic)
        self._round = _Rhythm(min(_ROUND_SECONDS, history_interval, retention_interval), monotonic)
        self._sampling = _Rhythm(history_interval, monotonic)
        self._retention = _Rhythm(retention_interval, monotonic)
        self._unfinished: LogRetention | None = None
        self._maintains_on = False
        self._troubled = False

    def look(self, worker: Worker, *, troubled: bool = False) -> bool:
        """Do what is due, if this worker has the lease or can take it. True when there is more to do at once.

        What takes long is done a slice at a time: the thread that calls this has records to carry, too.

        Args:
            worker: who looks.
            troubled: the storage has just refused a batch, which was told. Retention is tried all the same, as it makes
                room on a full disk; that the storage refuses it, too, is not told once more.
        """
        self._troubled = troubled
        if self._round.is_due() and (self._retention.is_over() or not troubled):
            if self._task("maintenance", lambda: self._storage.acquire_lease(worker, _LEASE_SECONDS)):
                self._maintain()
                self._begin_what_is_due()
            else:
                self._unfinished = None  # whoever has the lease now begins anew
                self._maintains_on = False
        elif self._maintains_on and not troubled:
            self._maintain()
        if self._unfinished is not None:
            self._retain_logs(self._unfinished)
        return self._unfinished is not None or self._maintains_on

    def _maintain(self) -> None:
        self._maintains_on = False

        def work() -> None:
            self._maintains_on = bool(self._storage.maintain())

        self._task("maintenance", work)

    def _begin_what_is_due(self) -> None:
        if self._sampling.is_due():
            self._task("sampling the history", lambda: self._storage.sample_history(self._clock()))
        if self._retention.is_due():
            if self._survey is not None:
                self._survey(self._storage)
            now = self._patient_clock()
            if self._unfinished is None:
                self._unfinished = LogRetention(self._storage, self._log_retention, now)
            self._task(
                "retention of the history",
                lambda: await_here(apply_history_retention(self._storage, self._history_retention, now)),
            )

    def _retain_logs(self, retention: LogRetention) -> None:
        goes_on = self._task("retention of logs", lambda: not await_here(retention.work(_SLICE_SECONDS)))
        for error in retention.errors:
            self._tell("retention of logs", error)
        retention.errors.clear()
        if not goes_on:
            self._unfinished = None

    def _task(self, name: str, work: Callable[[], object]) -> bool:
        """Whether the work was done, and not in vain."""
        try:
            return work() is not False
        except Exception as error:  # noqa: BLE001 - a storage may raise anything; the next round tries again
            self._tell(name, error)
            return False

    def _tell(self, name: str, error: Exception) -> None:
        if not (self._troubled and isinstance(error, StorageUnavailable)):
            self._troubles.failed(name, error)


class _Rhythm:
    """Due once in so many seconds."""

    def __init__(self, seconds: float, monotonic: Clock) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._last = monotonic()

    def is_over(self) -> bool:
        """Whether so much time has passed since it was due."""
        return self._monotonic() - self._last >= self._seconds

    def is_due(self) -> bool:
        """The same, and if so the time begins anew."""
        due = self.is_over()
        if due:
            self._last = self._monotonic()
        return due
