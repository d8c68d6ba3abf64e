"""Workers and the maintenance lease in SQL. Times are microseconds; each function works inside a transaction."""

import sqlite3

from observabilipy.models import to_micros
from observabilipy.ports import Worker

__all__ = ["acquire_lease", "end", "is_new_batch", "is_told_of_expiry", "sees", "sweep"]

_REMEMBERED = 30 * 86_400 * 1_000_000  # how long after its end a worker's batches can still be recognised

_SLACK = 1_000_000  # microseconds by which two workers may see the time before they have the lock
_LONGER_LIVES = 60 * 1_000_000  # microseconds by which others' lifetimes may be longer than that of whoever looks


def sees(connection: sqlite3.Connection, worker: Worker, now: int) -> None:
    """The worker has spoken. One that had expired loses its gauges, and is told at its next heartbeat."""
    expired = connection.execute("SELECT 1 FROM worker WHERE id = ? AND expires <= ?", (worker.id, now)).fetchone()
    if expired is not None:
        _take_gauges(connection, worker.id)
    connection.execute(
        "INSERT INTO worker (id, sequence, expires, swept, host, pid) VALUES (?, 0, ?, 0, ?, ?)"
        " ON CONFLICT DO UPDATE SET expires = excluded.expires",
        (worker.id, now + to_micros(worker.lifetime), worker.host, worker.pid),
    )


def is_told_of_expiry(connection: sqlite3.Connection, worker: Worker) -> bool:
    """Whether it had expired since its last heartbeat; asked once, as the answer is taken as told."""
    told = connection.execute("UPDATE worker SET swept = 0 WHERE id = ? AND swept RETURNING id", (worker.id,))
    return told.fetchone() is not None


def is_new_batch(connection: sqlite3.Connection, worker: Worker, sequence: int) -> bool:
    """Whether this batch is not there yet; from now on it is."""
    new = connection.execute(
        "UPDATE worker SET sequence = ? WHERE id = ? AND sequence < ? RETURNING id", (sequence, worker.id, sequence)
    )
    return new.fetchone() is not None


def end(connection: sqlite3.Connection, worker: Worker, now: int) -> None:
    """The worker ended in good order: its gauges and its lease go; its row stays, its batches may be repeated."""
    connection.execute("UPDATE worker SET expires = min(expires, ?) WHERE id = ?", (now, worker.id))
    connection.execute("DELETE FROM gauge WHERE worker = ?", (worker.id,))
    connection.execute("DELETE FROM lease WHERE worker = ?", (worker.id,))


def acquire_lease(connection: sqlite3.Connection, worker: Worker, lifetime: float, now: int) -> bool:
    """Take or renew the lease; False while another worker holds it.

    One that ends later than the longest one would was taken before the clock went back: it could keep everybody off
    for as long as that was. The same goes for the lives of workers.
    """
    end = now + to_micros(lifetime)
    taken = connection.execute(
        "INSERT INTO lease (id, worker, expires) VALUES (1, ?, ?) ON CONFLICT DO UPDATE"
        " SET worker = excluded.worker, expires = excluded.expires"
        " WHERE worker = excluded.worker OR expires <= ? OR expires > ? RETURNING id",
        (worker.id, end, now, end + _SLACK),
    )
    if taken.fetchone() is None:
        return False
    life = now + to_micros(worker.lifetime)
    connection.execute("UPDATE worker SET expires = ? WHERE expires > ?", (life, life + _LONGER_LIVES))
    return True


def sweep(connection: sqlite3.Connection, now: int) -> None:
    """Take away the gauges of workers that expired, and forget those that did so long ago."""
    expired = connection.execute(
        "SELECT id FROM worker WHERE expires <= ? AND EXISTS (SELECT 1 FROM gauge WHERE worker = worker.id)", (now,)
    ).fetchall()
    for (worker,) in expired:
        _take_gauges(connection, worker)
    connection.execute("DELETE FROM worker WHERE expires <= ?", (now - _REMEMBERED,))


def _take_gauges(connection: sqlite3.Connection, worker: str) -> None:
    connection.execute("DELETE FROM gauge WHERE worker = ?", (worker,))
    connection.execute("UPDATE worker SET swept = 1 WHERE id = ?", (worker,))
