"""``observabilipy tail``: read a log as it grows, from a storage or from a service's /logs."""

import argparse
import json
import re
import time
from collections.abc import Generator
from contextlib import closing
from urllib.parse import parse_qs, quote

from observabilipy.command import Command, WrongUsage
from observabilipy.commands.arguments import add_filters, add_format, add_source, filters, number_of_entries
from observabilipy.commands.formats import chosen, print_entries
from observabilipy.commands.logs import newest, or_note
from observabilipy.commands.service import ServiceAway
from observabilipy.commands.source import Source, opened_source
from observabilipy.commands.terminal import end_without_reader, note
from observabilipy.errors import ObservabilityError, StorageUnavailable

__all__ = ["command"]

_AGAIN_SECONDS = 1.0
_NEXT = re.compile(r'<\?([^>]*)>; rel="next"')


def _configure(parser: argparse.ArgumentParser) -> None:
    add_source(parser, "a file, a storage URL (sqlite:///observability.db), or http(s)://host/prefix", service=True)
    parser.add_argument(
        "-n", "--lines", type=number_of_entries, default=20, metavar="N", help="entries to begin with (default: 20)"
    )
    add_filters(parser)
    parser.add_argument("--no-follow", action="store_true", help="end after the entries there are")
    add_format(parser)


def _run(arguments: argparse.Namespace) -> int:
    query, output = filters(arguments), chosen(arguments.output)
    if output == "json" and not arguments.no_follow:
        raise WrongUsage("an array is not complete before its end, and a log goes on: say -o ndjson, or --no-follow")
    with opened_source(arguments.source, arguments.token_file) as source:
        if arguments.no_follow and arguments.lines is not None:
            print_entries(or_note(newest(source, query, arguments.lines), query), output)
        elif arguments.no_follow:
            everything = source.get("/logs", f"{query}&limit=all".lstrip("&")).lines()
            print_entries(or_note(everything, query), output)
        else:
            end_without_reader()
            begin = "after=start" if arguments.lines is None else f"limit={arguments.lines}"
            with closing(_followed(source, query, begin)) as lines:
                print_entries(lines, output, live=True)
    return 0


def _followed(source: Source, query: str, begin: str) -> Generator[bytes, None, None]:
    """Lines as they come, for ever. A stream ends after a while by itself; the next one goes on after its last line."""
    answered = away = False
    place = begin
    while True:
        try:
            answer = source.get("/logs", "&".join(filter(None, ("follow=1", query, place))))
            if gap := answer.headers.get("x-observabilipy-gap"):
                note(f"entries are missing here: they were deleted before they could be read ({gap})")
            onwards = _NEXT.search(answer.headers.get("link", ""))
            answered, away = True, False
            # Where no line comes, the link leads on; before the first line it is behind the first page.
            place_of_link = _after(onwards[1]) if onwards else None
            for line in answer.lines():
                yield line
                place, place_of_link = f"after={quote(_cursor(line))}", None
            place = place_of_link or place
        except (ServiceAway, StorageUnavailable) as error:
            if not answered:
                raise
            if not away:
                note(f"trying again: {error}")
            away = True
            time.sleep(_AGAIN_SECONDS)


def _cursor(line: bytes) -> str:
    """Where a line stands in the log.

    Raises:
        ObservabilityError: it does not say.
    """
    try:
        cursor = json.loads(line)["cursor"]
    except (KeyError, TypeError, ValueError, RecursionError):
        cursor = None
    if not isinstance(cursor, str):
        told = line[:80].decode(errors="replace").rstrip()
        raise ObservabilityError(f"what came is no line of /logs with a cursor: {told}: name another address")
    return cursor


def _after(query: str) -> str | None:
    """The place in the query of a link."""
    after = parse_qs(query).get("after")
    return f"after={quote(after[0])}" if after else None


command = Command("print the newest log entries and follow the log", _configure, _run)
