"""RingReader: what lies in the ring, a batch of entries at a time."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from marshal import loads

from observabilipy.encoding.encoded_entries import EncodedEntry
from observabilipy.logs.buffer import Record
from observabilipy.logs.crash_buffer import CrashBuffer
from observabilipy.logs.entries import Finish

__all__ = ["RingReader", "entries_of_payloads"]

_HOLE_SECONDS = 1.0  # after which a place that was reserved and never written is given up: its thread is gone
_NOTHING: Mapping[str, object] = {}


def entries_of_payloads(
    payloads: Iterable[bytes], finish: Finish, unreadable: Callable[[Exception, str | int], None]
) -> list[EncodedEntry]:
    """The entries of records as CrashBuffer put them into a ring; ``unreadable`` is told of what is something else."""
    records: list[Record] = []
    for payload in payloads:
        try:
            timestamp, level, message, attributes = loads(payload)  # noqa: S302 - from a file of ours that only we may write
            attributes = json.loads(attributes) if isinstance(attributes, str) else attributes
            records.append((0, timestamp, level, message, attributes, _NOTHING))
        except Exception as error:  # noqa: BLE001 - written by another version, perhaps
            unreadable(error, "INFO")
    return finish.entries(records, unreadable)


class RingReader:
    """Reads the ring of a buffer for the delivery. Not for several threads at once.

    Args:
        buffer: whose ring it is; it may have another one after a fork or a rest, or none.
        finish: makes the entries.
        unreadable: told about a record that cannot become an entry.
        monotonic: gives seconds that never go back.
    """

    def __init__(
        self,
        buffer: CrashBuffer,
        finish: Finish,
        unreadable: Callable[[Exception, str | int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._buffer = buffer
        self._finish = finish
        self._unreadable = unreadable
        self._monotonic = monotonic
        self._hole_since: float | None = None

    @property
    def head(self) -> int:
        """Where the ring ends now: what is recorded later lies behind that."""
        return 0 if self._buffer.ring is None else self._buffer.ring.head

    def replace_lost(self) -> None:
        """A ring whose file was removed protects nobody: take what is in it, and let the next record make another."""
        ring = self._buffer.ring
        if ring is not None and ring.is_lost:
            ring.seal()
            if ring.is_empty:
                self._buffer.end_ring()

    def take(self, count: int, until: int) -> tuple[list[EncodedEntry], int]:
        """The next entries, at most so many, of those recorded before ``until``; and where in the ring they end."""
        ring = self._buffer.ring
        if ring is None or ring.position >= until:
            return [], 0
        holes = ring.holes
        records = ring.read(count, skip_holes=self._gives_up_holes())
        if ring.holes > holes:
            self._unreadable(
                EOFError(f"{ring.holes - holes} places of the ring were never written to their end"), "INFO"
            )
        if records:
            self._hole_since = None
        elif self._hole_since is None:
            self._hole_since = self._monotonic()
        payloads = [payload for payload, _ in records]
        return entries_of_payloads(payloads, self._finish, self._unreadable), records[-1][1] if records else 0

    def intend(self, sequence: int, end: int) -> None:
        """A batch is about to be committed that holds what was taken up to there."""
        if end and self._buffer.ring is not None:
            self._buffer.ring.intend(sequence, end)

    def confirm(self) -> None:
        """The batch was committed, or given up."""
        if self._buffer.ring is not None:
            self._buffer.ring.confirm()

    def end(self, forget_owner: Callable[[], None] = lambda: None) -> None:
        """Nothing more is read: what is left in the ring is recovered by the next flush of any process.

        ``forget_owner`` is called before another ring can be made.
        """
        self._buffer.end_ring(forget_owner)

    def _gives_up_holes(self) -> bool:
        return self._hole_since is not None and self._monotonic() - self._hole_since >= _HOLE_SECONDS
