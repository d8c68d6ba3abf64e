"""Arguments that several commands share, read strictly: what is wrong is told with what to write instead."""

import argparse
import re
import time
from collections.abc import Mapping
from difflib import get_close_matches
from urllib.parse import urlencode

from observabilipy.command import WrongUsage
from observabilipy.commands.formats import FORMATS
from observabilipy.errors import InvalidValue
from observabilipy.http.moment import parse_moment
from observabilipy.http.parameters import MAX_LIMIT
from observabilipy.models import LEVELS, RANKS, level_name

__all__ = [
    "add_filters",
    "add_format",
    "add_source",
    "add_span",
    "age",
    "filters",
    "level",
    "moment",
    "number_of_entries",
]

_AGE = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_ALIASES = ("WARN", "FATAL")


def age(text: str) -> float:
    """Seconds of an age such as 90s, 15m, 2h, 7d or 4w."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"an age is a whole number with s, m, h, d or w, got {text!r}: write 15m")
    return float(int(match[1]) * _SECONDS[match[2]])


def moment(text: str) -> float:
    """Unix seconds of an age before now, of unix seconds, or of RFC 3339."""
    if _AGE.fullmatch(text):
        return max(0.0, time.time() - age(text))
    try:
        return parse_moment(text)
    except InvalidValue:
        raise argparse.ArgumentTypeError(
            f"a time is an age such as 15m, 2h or 7d, unix seconds, or RFC 3339 with a zone, got {text!r}:"
            " write 15m or 2026-11-22T20:00:00Z"
        ) from None


def level(text: str) -> str:
    """A level of any name; one that looks like a slip of the five is refused."""
    try:
        name = level_name(text)
    except InvalidValue as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    near = get_close_matches(name, (*LEVELS, *_ALIASES), n=1, cutoff=0.7)
    if name not in LEVELS and near:
        raise argparse.ArgumentTypeError(f"no level is called {text!r}: did you mean {near[0]}?")
    return name


def _levels(text: str) -> str:
    return ",".join(level(name) for name in text.split(","))


def _min_level(text: str) -> str:
    name = level(text)
    if name not in RANKS:
        raise argparse.ArgumentTypeError(f"it must be one of {', '.join(LEVELS)}, got {text!r}")
    return name


def number_of_entries(text: str) -> int | None:
    """A whole number of 1 or more, or "all"."""
    if text == "all":
        return None
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= MAX_LIMIT or len(text) > 9:
        raise argparse.ArgumentTypeError(f"it must be 1 to {MAX_LIMIT}, or 'all', got {text!r}")
    return int(text)


def _attribute(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"an attribute is a name and a value, got {text!r}: write order_id=7")
    return f"attr.{name}", value


def add_source(parser: argparse.ArgumentParser, help: str, *, service: bool) -> None:
    """Add the source, which comes first, and what a service needs."""
    parser.add_argument("source", metavar="SOURCE", help=help)
    if service:
        parser.add_argument(
            "--token-file",
            metavar="FILE",
            help="a file that holds the token for a service; else OBSERVABILIPY_TOKEN or OBSERVABILIPY_TOKEN_FILE",
        )


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add ``-o``."""
    parser.add_argument(
        "-o", "--output", choices=FORMATS, help="how to print (default: text on a terminal, else ndjson)"
    )


def add_span(parser: argparse.ArgumentParser) -> None:
    """Add ``--since`` and ``--until``."""
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="from then on: 15m, 2h, 7d, unix seconds, 2026-11-22T20:00:00Z"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="before then")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add what entries are chosen by, besides their time."""
    parser.add_argument("--level", type=_levels, metavar="LEVEL", help="this level alone, or several: error,critical")
    parser.add_argument(
        "--min-level",
        type=_min_level,
        metavar="LEVEL",
        help="this level and above: debug, info, warning, error, critical",
    )
    parser.add_argument("-q", "--text", help="only entries whose message contains this, in either case")
    parser.add_argument(
        "--attr",
        type=_attribute,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only entries with this attribute; may be given several times",
    )


def filters(arguments: argparse.Namespace, **more: str) -> str:
    """The query of ``/logs`` that says the same.

    Raises:
        WrongUsage: two values for one attribute.
    """
    attributes = dict(arguments.attr)
    if len(attributes) < len(arguments.attr):
        raise WrongUsage("an attribute of an entry has one value: give each --attr once, and search twice for two")
    given: Mapping[str, object] = {
        "since": None if getattr(arguments, "since", None) is None else f"{arguments.since:.6f}",
        "until": None if getattr(arguments, "until", None) is None else f"{arguments.until:.6f}",
        "level": arguments.level,
        "min_level": arguments.min_level,
        "q": arguments.text,
        **attributes,
        **more,
    }
    # What was typed in another encoding than the locale's is bytes of its own, which no message holds.
    return urlencode({name: value for name, value in given.items() if value is not None}, errors="surrogateescape")
