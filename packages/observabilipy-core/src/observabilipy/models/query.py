"""What readers ask for: LogQuery and MetricQuery."""

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from observabilipy.errors import InvalidValue
from observabilipy.models.clock import check_timestamp, to_micros
from observabilipy.models.cursor import parse_cursor
from observabilipy.models.level import LEVELS, RANKS, level_name, level_rank
from observabilipy.models.names import check_metric_name
from observabilipy.models.number import is_number

__all__ = ["LogQuery", "Matcher", "MetricQuery", "Predicate"]

Predicate: TypeAlias = Callable[[int, str, str, str], bool]
"""Whether an entry is wanted, by timestamp in microseconds, level, message and attributes as JSON text."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which entries to read, in commit order.

    Args:
        since: unix seconds, inclusive.
        until: unix seconds, exclusive.
        levels: names of levels, in any case; None for all.
        min_level: this level and those ranking above; other names rank as INFO.
        text: a substring of the message; ASCII letters match in either case.
        attributes: values by name. A string matches itself and the JSON spelling of a number, true, false or null.
        after: the cursor of the last entry seen; reading goes on with the next one.
        before: a cursor; entries committed before it.
        order: "asc" from the oldest up, "desc" from the newest down.
        limit: at most so many entries; None for all.

    Raises:
        InvalidValue: a field that breaks its rule; InvalidCursor for a cursor that no store gave out.
    """

    since: float | None = None
    until: float | None = None
    levels: Collection[str] | None = None
    min_level: str | None = None
    text: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None
    before: str | None = None
    order: Literal["asc", "desc"] = "asc"
    limit: int | None = None

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        for name in ("since", "until"):
            if (moment := getattr(self, name)) is not None:
                set_field(self, name, check_timestamp(moment, name))
        if self.levels is not None:
            if isinstance(self.levels, str):
                raise InvalidValue(
                    f"levels must be a collection of names, got {self.levels!r}: write {{{self.levels!r}}}"
                )
            set_field(self, "levels", frozenset(map(level_name, self.levels)))
        if self.min_level is not None:
            set_field(self, "min_level", level_name(self.min_level))
            if self.min_level not in RANKS:
                raise InvalidValue(f"min_level must be one of {', '.join(LEVELS)}, got {self.min_level!r}")
        for cursor in (self.after, self.before):
            if cursor is not None:
                parse_cursor(cursor)
        if self.order not in {"asc", "desc"}:
            raise InvalidValue(f"order must be 'asc' or 'desc', got {self.order!r}")
        if self.limit is not None and (type(self.limit) is not int or self.limit < 1):
            raise InvalidValue(f"limit must be a whole number of 1 or more, or None for all, got {self.limit!r}")

    @property
    def plain(self) -> bool:
        """True when every entry is wanted: nothing filters by time, level, text or attribute."""
        return (
            (self.since, self.until, self.levels, self.min_level) == (None, None, None, None)
            and not self.text
            and not self.attributes
        )

    def predicate(self) -> Predicate:
        """A function that tells whether an entry passes the filters; cursors, order and limit are the store's."""
        since = None if self.since is None else to_micros(self.since)
        until = None if self.until is None else to_micros(self.until)
        levels = self.levels
        rank = None if self.min_level is None else level_rank(self.min_level)
        text = _folded(self.text) if self.text else None
        wanted = dict(self.attributes)

        def accepts(micros: int, level: str, message: str, attributes: str) -> bool:
            return (
                (since is None or micros >= since)
                and (until is None or micros < until)
                and (levels is None or level in levels)
                and (rank is None or level_rank(level) >= rank)
                and (text is None or text in _folded(message))
                and (not wanted or _has_attributes(json.loads(attributes), wanted))
            )

        return accepts


def _folded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").lower()


def _has_attributes(attributes: Mapping[str, object], wanted: Mapping[str, str]) -> bool:
    return all(name in attributes and _spelling(attributes[name]) == value for name, value in wanted.items())


def _spelling(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; ``__name__`` is the family's name, an absent label counts as "".

    Raises:
        InvalidValue: the operator is neither "=" nor "!=".
    """

    label: str
    value: str
    operator: Literal["=", "!="] = "="

    def __post_init__(self) -> None:
        if self.operator not in {"=", "!="}:
            raise InvalidValue(f"a matcher's operator must be '=' or '!=', got {self.operator!r}")

    def accepts(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether a series fulfils the condition."""
        actual = name if self.label == "__name__" else labels.get(self.label, "")
        return (actual == self.value) is (self.operator == "=")


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """Which series to read over which time.

    Args:
        name: the family's name, as registered.
        matchers: conditions on labels; all must hold.
        since: unix seconds, inclusive.
        until: unix seconds, exclusive.
        step: seconds between points that suffice; None for all points. A store that keeps a coarser history besides
            may give that, down to points which are so far apart; what it keeps finer alone, and other stores, come
            with all points.

    Raises:
        InvalidValue: a field that breaks its rule.
    """

    name: str
    matchers: tuple[Matcher, ...] = ()
    since: float | None = None
    until: float | None = None
    step: float | None = None

    def __post_init__(self) -> None:
        check_metric_name(self.name)
        object.__setattr__(self, "matchers", tuple(self.matchers))
        for field_name in ("since", "until"):
            if (moment := getattr(self, field_name)) is not None:
                object.__setattr__(self, field_name, check_timestamp(moment, field_name))
        if self.step is not None and not (is_number(self.step) and 0 < self.step < math.inf):
            raise InvalidValue(f"step must be seconds, more than 0, or None for all points, got {self.step!r}")
