"""The parameters of /logs, read strictly: what is not understood is refused, by name, with a hint."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from observabilipy.errors import InvalidValue
from observabilipy.http.moment import parse_moment
from observabilipy.http.problems import Problem, Refused
from observabilipy.http.query_string import decoded, split_query
from observabilipy.models import LEVELS, RANKS, LogQuery, level_name, parse_cursor

__all__ = ["DEFAULT_LIMIT", "MAX_LIMIT", "LogsParameters", "logs_parameters"]

DEFAULT_LIMIT = 1_000
"""Entries of a page when the client does not say."""

MAX_LIMIT = 10_000
"""Entries that a page may have."""

_ATTRIBUTE = "attr."
_LIMIT = re.compile(r"[0-9]{1,9}", re.ASCII)
_MOMENT_RULE = "unix seconds, or RFC 3339 with a zone"
_CURSOR_HINT = "take a cursor from an entry or a Link header"

# What each parameter must be, and what to write.
_RULES: Mapping[str, tuple[str, str]] = {
    "after": (
        "a cursor, 'start' or 'now'",
        f"{_CURSOR_HINT}, or write after=start to begin at the oldest, after=now behind the newest",
    ),
    "before": ("a cursor", _CURSOR_HINT),
    "follow": ("'1' or '0'", "write follow=1 to be told what comes as it comes"),
    "format": ("'ndjson' or 'json'", "write format=json for one array, or nothing for an entry a line"),
    "level": ("a name of 1 to 64 characters, or several with commas", "write level=error,critical"),
    "limit": (f"a whole number from 1 to {MAX_LIMIT}, or 'all'", "write limit=100, or limit=all to stream everything"),
    "min_level": (f"one of {', '.join(LEVELS)}", "write min_level=warning"),
    "order": ("'asc' or 'desc'", "write order=desc to print the newest first"),
    "q": ("text", "write q=timeout"),
    "since": (_MOMENT_RULE, "write since=1763826000.5 or since=2026-11-22T20:00:00Z"),
    "until": (_MOMENT_RULE, "write until=1763826000.5 or until=2026-11-22T20:00:00Z"),
}
# What does not go with follow=1, and what to write instead.
_UNFOLLOWED: Mapping[str, tuple[str, str]] = {
    "before": ("it has no end", "leave before out, or read pages by their links"),
    "until": ("it has no end", "leave until out, or read pages by their links"),
    "order=desc": ("entries are printed as they come", "leave order out"),
    "limit=all": ("limit says with how many of the newest it begins", "write after=start to begin at the oldest"),
    "format=json": ("an array is not complete before its end", "leave format out and read a line at a time"),
}
_NO_LIMIT_AFTER = ("it gives everything that comes after a cursor", "leave limit out, or leave after out")
_KNOWN = ", ".join(sorted([*_RULES, f"{_ATTRIBUTE}<key>"]))

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LogsParameters:
    """What a client of /logs asked for.

    Args:
        filters: which entries match; cursors, order and limit are not set in it.
        after: a cursor, "start" or "now".
        before: a cursor.
        newest_first: how to print.
        limit: entries of a page, None for all there are.
        kept: the pairs that stay in the links to other pages, all but the cursors.
        follow: go on with what is committed later.
        array: one JSON array instead of lines.
    """

    filters: LogQuery
    after: str | None
    before: str | None
    newest_first: bool
    limit: int | None
    kept: tuple[tuple[str, str], ...]
    follow: bool = False
    array: bool = False


def logs_parameters(query: bytes) -> LogsParameters:
    """Read the query string of /logs.

    Raises:
        Refused: an unknown parameter, a value that breaks its rule, one that may stand once and stands twice, two that
            do not go together.
    """
    pairs = [decoded(pair) for pair in split_query(query)]
    values = _single_values(pairs)
    limit = _parsed(values, "limit", _limit)
    follow = _parsed(values, "follow", _one_of("0", "1")) == "1"
    if follow:
        _check_followed(values)
    return LogsParameters(
        filters=LogQuery(
            since=_parsed(values, "since", parse_moment),
            until=_parsed(values, "until", parse_moment),
            levels=_levels(pairs),
            min_level=_parsed(values, "min_level", _min_level),
            text=values.get("q"),
            attributes={
                name.removeprefix(_ATTRIBUTE): value for name, value in values.items() if name.startswith(_ATTRIBUTE)
            },
        ),
        after=_parsed(values, "after", _after),
        before=_parsed(values, "before", _cursor),
        newest_first=_parsed(values, "order", _one_of("asc", "desc")) == "desc",
        limit=DEFAULT_LIMIT if limit is None else limit or None,
        kept=tuple((name, value) for name, value in pairs if name not in {"after", "before"}),
        follow=follow,
        array=_parsed(values, "format", _one_of("ndjson", "json")) == "json",
    )


def _single_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """All but the levels, which may be repeated."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in _RULES and not (name.startswith(_ATTRIBUTE) and name != _ATTRIBUTE):
            raise Refused(Problem(400, "unknown parameter", name, value, f"known are {_KNOWN}"))
        if name in values:
            raise Refused(Problem(400, "this parameter may stand once", name, value, "keep one of its values"))
        if name != "level":
            values[name] = value
    return values


def _parsed(values: Mapping[str, str], name: str, parse: Callable[[str], _T]) -> _T | None:
    value = values.get(name)
    if value is None:
        return None
    try:
        return parse(value)
    except InvalidValue:
        rule, hint = _RULES[name]
        raise Refused(Problem(400, f"{name} must be {rule}", name, value, hint)) from None


def _check_followed(values: Mapping[str, str]) -> None:
    """Refuse what makes no sense for a stream that goes on."""
    for name, value in values.items():
        reason, hint = _UNFOLLOWED.get(name) or _UNFOLLOWED.get(f"{name}={value}") or (None, "")
        if name == "limit" and "after" in values:
            reason, hint = _NO_LIMIT_AFTER
        if reason is not None:
            raise Refused(Problem(400, f"follow=1 does not go with {name}: {reason}", name, value, hint))


def _levels(pairs: Iterable[tuple[str, str]]) -> frozenset[str] | None:
    names = [part for name, value in pairs if name == "level" for part in value.split(",")]
    parsed = [_parsed({"level": name}, "level", level_name) for name in names]
    return frozenset(filter(None, parsed)) or None


def _min_level(text: str) -> str:
    name = level_name(text)
    if name not in RANKS:
        raise InvalidValue(f"min_level must be one of {', '.join(LEVELS)}, got {text!r}")
    return name


def _limit(text: str) -> int:
    """The number, or 0 for all."""
    if text == "all":
        return 0
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidValue(f"limit must be a whole number from 1 to {MAX_LIMIT}, or 'all', got {text!r}")
    return int(text)


def _one_of(*words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in words:
            raise InvalidValue(f"it must be one of {', '.join(words)}, got {text!r}")
        return text

    return check


def _after(text: str) -> str:
    return text if text in {"start", "now"} else _cursor(text)


def _cursor(text: str) -> str:
    parse_cursor(text)
    return text
