"""``observabilipy logs`` and ``export``: entries that are there, some or all of them."""

import argparse
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TextIO

from observabilipy.command import Command
from observabilipy.commands.arguments import add_filters, add_format, add_source, add_span, filters, number_of_entries
from observabilipy.commands.formats import chosen, print_entries
from observabilipy.commands.source import Source, opened_source
from observabilipy.commands.terminal import note, progress, write

__all__ = ["export", "logs", "newest", "or_note"]

_DEFAULT = 100
_SOURCE = "a file, a storage URL (sqlite:///observability.db), or http(s)://host/prefix"
_PREVIOUS = re.compile(r'<\?([^>]*)>; rel="prev"')


def newest(source: Source, query: str, limit: int) -> list[bytes]:
    """The newest lines that match, oldest first; a page that ended early is followed by the one before it."""
    pages: list[list[bytes]] = []
    asked: str | None = f"{query}&limit={limit}".lstrip("&")
    while asked is not None and limit > 0:
        answer = source.get("/logs", asked)
        page = list(answer.lines())
        pages.append(page)
        limit -= len(page)
        before = _PREVIOUS.search(answer.headers.get("link", ""))
        cut = "x-observabilipy-partial" in answer.headers
        asked = re.sub(r"limit=\d+", f"limit={limit}", before[1]) if cut and before else None
    return [line for page in reversed(pages) for line in page]


def or_note(lines: Iterable[bytes], query: str) -> Iterator[bytes]:
    """The same lines, or a word beside the output when there are none."""
    some = b""
    for some in lines:
        yield some
    if not some:
        note("nothing matches: ask for more levels or a longer time" if query else "there are no log entries yet")


def _configure(parser: argparse.ArgumentParser) -> None:
    add_source(parser, _SOURCE, service=True)
    add_span(parser)
    add_filters(parser)
    parser.add_argument(
        "-n",
        "--lines",
        type=number_of_entries,
        default=0,
        metavar="N",
        help=f"the newest so many that match, or 'all' (default: {_DEFAULT}; all with --since)",
    )
    add_format(parser)


def _run(arguments: argparse.Namespace) -> int:
    limit = arguments.lines
    if limit == 0:
        limit = _DEFAULT if arguments.since is None else None
    query = filters(arguments)
    with opened_source(arguments.source, arguments.token_file) as source:
        if limit is None:
            lines: Iterable[bytes] = _everything(source, query)
        else:
            lines = newest(source, query, limit)
        print_entries(or_note(lines, query), chosen(arguments.output))
    return 0


def _everything(source: Source, query: str) -> Iterator[bytes]:
    return source.get("/logs", f"{query}&limit=all".lstrip("&")).lines()


def _configure_export(parser: argparse.ArgumentParser) -> None:
    add_source(parser, _SOURCE, service=True)
    add_span(parser)
    add_filters(parser)


def _export(arguments: argparse.Namespace) -> int:
    with opened_source(arguments.source, arguments.token_file) as source:
        query = filters(arguments)
        with closing(source.get("/logs", f"{query}&limit=all".lstrip("&")).pieces()) as pieces:
            chunks = or_note(pieces, query)
            if _is_file(sys.stdout):  # what reads a pipe may print on the same terminal
                chunks = progress(chunks, lambda chunk: chunk.count(b"\n"), "entries exported")
            for chunk in chunks:
                write(chunk)
    return 0


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # it has no file descriptor
        return False


logs = Command("print log entries: the newest, or those of a time", _configure, _run)
export = Command(
    "print the whole log as NDJSON, oldest first, for import or another program", _configure_export, _export
)
