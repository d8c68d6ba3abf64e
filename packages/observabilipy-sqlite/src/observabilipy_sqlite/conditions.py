"""LogQuery in SQL: exactly, for time and level; for text and attributes no row too few, and some too many."""

import re
from collections.abc import Collection
from itertools import islice
from typing import TypeAlias

from observabilipy.encoding.json_text import json_text
from observabilipy.models import RANKS, LogQuery, level_rank, to_micros
from observabilipy_sqlite.values import escaped

__all__ = ["Condition", "condition", "is_exact", "within_time"]

Condition: TypeAlias = tuple[str, list[object]]
"""A boolean expression over the columns of the log, and its parameters."""

_MOST_ATTRIBUTES = 20  # that SQL looks for: it takes expressions of a limited depth, and a query may ask for thousands
_ASCII = re.compile(r"[\x00-\x7f]+")


def is_exact(query: LogQuery) -> bool:
    """Whether SQL alone decides which rows match; else each that it gives is to be asked ``LogQuery.predicate``."""
    return not query.text and not query.attributes


def condition(query: LogQuery) -> Condition:
    """What SQL can tell of the filters of a query; cursors, order and limit are not in it."""
    time, parameters = within_time(query)
    conditions = [time]
    if query.levels is not None:
        conditions.append(f"level IN ({_marks(query.levels)})")
        parameters.extend(map(escaped, query.levels))
    if query.min_level is not None:
        # Names outside the five rank as INFO, so it is the five that are listed, those wanted or those not.
        rank = level_rank(query.min_level)
        unwanted = rank <= RANKS["INFO"]
        names = [name for name in RANKS if (RANKS[name] < rank) is unwanted]
        conditions.append(f"level {'NOT IN' if unwanted else 'IN'} ({_marks(names)})")
        parameters.extend(names)
    # A row that matches holds what is looked for, escaped as the row is.
    if query.text:
        expression, piece = _holds_text(escaped(query.text))
        conditions.append(expression)
        parameters.append(piece)
    for name, value in islice(query.attributes.items(), _MOST_ATTRIBUTES):
        pieces = [json_text(name)] if _has_spellings(value) else [json_text(name), escaped(value)]
        conditions += ["instr(attributes, ?)"] * len(pieces)
        parameters += pieces
    return " AND ".join(conditions), parameters


def within_time(query: LogQuery) -> Condition:
    """The time alone."""
    bounds = (("timestamp >= ?", query.since), ("timestamp < ?", query.until))
    given = [(bound, to_micros(moment)) for bound, moment in bounds if moment is not None]
    return " AND ".join(bound for bound, _ in given) or "TRUE", [micros for _, micros in given]


def _holds_text(text: str) -> tuple[str, str]:
    """Look for the longest piece that lower() of every SQLite treats alike: with ICU it knows more than ASCII."""
    pieces = _ASCII.findall(text)
    return ("instr(lower(message), ?)", max(pieces, key=len).lower()) if pieces else ("instr(message, ?)", text)


def _has_spellings(value: str) -> bool:
    """Whether an attribute of this value may lie in the file as another text: numbers in other notations, lists."""
    if value.startswith(("[", "{")):
        return True
    if value.lstrip("-").isdecimal():
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
