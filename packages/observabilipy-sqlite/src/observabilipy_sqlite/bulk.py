"""Statements for many rows at once.

Each statement that ends asks for the interpreter's lock, and beside a busy thread it waits five milliseconds for that.
A thousand of them under the write lock would keep all other workers from committing for seconds.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain

__all__ = ["write_rows"]

_SIZES = (512, 64, 8, 1)  # rows of a statement: few texts, so that SQLite compiles each of them once


def write_rows(
    connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[object]], *others: object
) -> None:
    """Run a statement that has ``{rows}`` where it wants a list such as ``(?, ?), (?, ?)``.

    Args:
        connection: in a transaction.
        statement: SQL, with the parameters ``others`` before ``{rows}``.
        rows: of one length each.
        others: parameters that are the same for all rows.
    """
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            text = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * size)
            connection.execute(statement.replace("{rows}", text), (*others, *chain.from_iterable(rows[at : at + size])))
            at += size
