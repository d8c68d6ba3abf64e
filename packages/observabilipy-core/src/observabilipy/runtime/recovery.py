"""Recovery: what processes that were killed left in their rings gets into the storage, once."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from observabilipy import uwsgi
from observabilipy.encoding.encoded_entries import EncodedEntries
from observabilipy.errors import StorageUnavailable
from observabilipy.logs.entries import Finish
from observabilipy.logs.ring_reader import entries_of_payloads
from observabilipy.models import level_of_number
from observabilipy.ports import Batch, RingPort, RuntimeStoragePort, Worker
from observabilipy.troubles import Troubles

if TYPE_CHECKING:
    from observabilipy.logs.leftover import Leftover
    from observabilipy.logs.ring import Ring

__all__ = ["Recovery"]

_BATCH_ENTRIES = 1_000
_ATTEMPTS = 3  # of a batch that the storage refuses for another reason than being out of reach


class Recovery:
    """Commits the rings of dead workers in their names, with the numbers that their batches had or would have had.

    The storage recognises what it has already, so a recovery that is itself killed is repeated from the beginning.

    Args:
        storage: where to; if it has no place for rings, there is nothing to do.
        troubles: told about what was recovered, and what failed.
        finish: makes the entries.
    """

    def __init__(self, storage: RuntimeStoragePort, troubles: Troubles, finish: Finish) -> None:
        self._storage = storage
        self._troubles = troubles
        self._finish = finish
        self._refusals: dict[str, int] = {}
        self._rings = _Rings(storage) if isinstance(storage, RingPort) else None

    def open_ring(self, worker: Worker) -> "Ring | None":
        """The ring of a worker of this process; None when it cannot be had now."""
        if self._rings is None or uwsgi.will_fork():  # it would share the lock with workers that are forked in C
            return None
        try:
            return self._rings.create(worker, self._finish.base)
        except Exception as error:  # noqa: BLE001 - the application logs in this moment and must not notice
            self._troubles.failed("making the ring of log entries", error)
            return None

    def has_work(self) -> bool:
        """Whether rings lie there. Their owners may be alive."""
        return self._rings is not None and self._rings.are_there()

    def look(self) -> None:
        """Recover each ring whose process is gone. Quick when there is none."""
        if self._rings is None:
            return
        try:
            for leftover in self._rings.leftovers(self._report):
                with leftover:
                    self._recover(leftover)
        except StorageUnavailable:
            pass  # the delivery that follows meets the same trouble, and tells it
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever lies in that directory
            self._report(error)

    def _report(self, error: Exception) -> None:
        self._troubles.failed("recovering log entries", error)

    def _recover(self, leftover: "Leftover") -> None:
        worker = Worker(leftover.worker_id, leftover.host, leftover.pid, lifetime=0.0)
        finish = self._finish.with_base(leftover.base)
        count = 0
        for sequence, payloads in leftover.batches(_BATCH_ENTRIES):
            entries = entries_of_payloads(payloads, finish, self._unreadable)
            if not self._commit(Batch(worker, sequence, EncodedEntries(entries))):
                return
            count += len(entries)
        self._storage.end_worker(worker)
        if leftover.holes:  # torn by a power failure, or never written to their end
            self._troubles.dropped("INFO", "torn", leftover.holes)
        leftover.remove()
        self._troubles.recovered(count)

    def _commit(self, batch: Batch) -> bool:
        """Whether the recovery may go on."""
        try:
            self._storage.commit(batch)
        except StorageUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a storage may raise anything
            self._report(error)
            attempts = self._refusals[batch.worker.id] = self._refusals.get(batch.worker.id, 0) + 1
            if attempts < _ATTEMPTS:
                return False
            for entry in batch.entries:
                self._troubles.dropped(entry.level, "refused_by_storage")
        return True

    def _unreadable(self, error: Exception, level: str | int) -> None:
        self._troubles.dropped(level if isinstance(level, str) else level_of_number(level), "invalid")
        self._report(error)


class _Rings:
    """The place beside a storage where rings lie.

    What it takes is imported when it is made: nobody else needs it, and the thread must import nothing, because a child
    that is forked meanwhile would inherit a lock that is held for ever.
    """

    def __init__(self, storage: RingPort) -> None:
        from pathlib import Path

        from observabilipy.logs.leftover import leftovers
        from observabilipy.logs.ring import Ring

        self._directory = directory = Path(storage.ring_directory)
        self.leftovers = partial(leftovers, directory)
        self._create = partial(Ring.create, directory)

    def create(self, worker: Worker, base: Mapping[str, object]) -> "Ring":
        return self._create(worker.id, worker.host, worker.pid, base)

    def are_there(self) -> bool:
        try:
            return any(self._directory.iterdir())
        except OSError:
            return False
