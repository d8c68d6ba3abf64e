"""WorkerTable: who is alive, what each committed last, and who holds the lease. Its owner holds the lock."""

from dataclasses import dataclass

from observabilipy.models import Clock
from observabilipy.ports import Worker

__all__ = ["ANONYMOUS", "WorkerTable"]

ANONYMOUS = ""
"""The id under which plain writes count: it always lives."""

_KEPT_SECONDS = 86_400.0  # a batch is repeated within minutes, so a day knows every one


@dataclass(slots=True)
class _Row:
    expires: float
    sequence: int = 0
    lapsed: bool = False  # its gauges may be gone and it was not told yet


class WorkerTable:
    """Lifetimes, sequences and the lease, by a clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._lease: tuple[str, float] | None = None

    def is_known(self, worker: Worker, sequence: int) -> bool:
        """Whether this batch of the worker, or a later one, was committed."""
        row = self._rows.get(worker.id)
        return row is not None and sequence <= row.sequence

    def committed(self, worker: Worker, sequence: int) -> None:
        """Remember the batch; it is a sign of life."""
        self._seen(worker).sequence = sequence

    def heartbeat(self, worker: Worker) -> bool:
        """A sign of life; False when the worker had expired since the last time it was told."""
        row = self._seen(worker)
        told, row.lapsed = not row.lapsed, False
        return told

    def end(self, worker: Worker) -> None:
        """The worker lives no more, and gives up the lease."""
        if row := self._rows.get(worker.id):
            row.expires = self._clock()
        if self._lease and self._lease[0] == worker.id:
            self._lease = None

    def living(self) -> set[str]:
        """The ids of all who live, the anonymous one among them."""
        now = self._clock()
        return {ANONYMOUS, *(worker_id for worker_id, row in self._rows.items() if now < row.expires)}

    def forget_old(self) -> None:
        """Drop those who have been dead for a day."""
        eldest = self._clock() - _KEPT_SECONDS
        self._rows = {worker_id: row for worker_id, row in self._rows.items() if row.expires > eldest}

    def forget_all(self) -> None:
        """In a forked child: the parent and its lease are not here."""
        self._rows = {}
        self._lease = None

    def acquire_lease(self, worker: Worker, lifetime: float) -> bool:
        """Take or renew the lease; False while another worker holds it."""
        now = self._clock()
        if self._lease and self._lease[0] != worker.id and now < self._lease[1]:
            return False
        self._lease = (worker.id, now + lifetime)
        return True

    def _seen(self, worker: Worker) -> _Row:
        now = self._clock()
        row = self._rows.setdefault(worker.id, _Row(expires=now + worker.lifetime))
        row.lapsed = row.lapsed or now >= row.expires
        row.expires = now + worker.lifetime
        return row
