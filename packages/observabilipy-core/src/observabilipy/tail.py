"""``observabilipy tail``: read a log as it grows, from a storage or from a service's /logs."""

import argparse
import asyncio
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from observabilipy.command import Command
from observabilipy.encoding.json_text import json_text
from observabilipy.errors import ConfigurationError
from observabilipy.models import LogEntry, LogQuery
from observabilipy.source import storage_url
from observabilipy.storage import open_storage
from observabilipy.terminal import output, printable

__all__ = ["command", "entry_line"]

_POLL_SECONDS = 0.5
_PAGE = 1_000
_UNAUTHORIZED = 401
_NEXT = re.compile(r'<\?([^>]*)>; rel="next"')


def entry_line(entry: LogEntry) -> str:
    """One entry for a person: time (UTC), level, message, attributes; control characters shown as escapes."""
    moment = datetime.fromtimestamp(entry.timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    attributes = "".join(f" {name}={json_text(value)}" for name, value in entry.attributes.items())
    return printable(f"{moment} {entry.level:<8} {entry.message}{attributes}")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a file, a storage URL (sqlite:///observability.db), or http(s)://host/prefix")
    parser.add_argument("-n", "--lines", type=int, default=20, help="entries to begin with (default: 20)")
    parser.add_argument("--min-level", help="this level and above: DEBUG, INFO, WARNING, ERROR or CRITICAL")
    parser.add_argument("-q", "--text", help="only entries whose message contains this")
    parser.add_argument("--no-follow", action="store_true", help="end after the entries there are")
    parser.add_argument("--token-file", help="a file that holds the token for http; else OBSERVABILIPY_TOKEN")


def _run(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.lines <= _PAGE:
        raise ConfigurationError(f"--lines must be 1 to {_PAGE}, got {arguments.lines}")
    query = LogQuery(min_level=arguments.min_level, text=arguments.text, limit=arguments.lines)
    source: str = arguments.source
    if source.startswith(("http://", "https://")):
        pages = _service_pages(source, _token(arguments.token_file), query)
    else:
        pages = _storage_pages(storage_url(source), query)
    with contextlib.closing(pages), output():
        for page in pages:
            for entry in page:
                print(entry_line(entry), flush=True)
            if arguments.no_follow:
                break
            if not page:
                time.sleep(_POLL_SECONDS)
    return 0


def _token(token_file: str | None) -> str:
    if token_file is not None:
        try:
            return Path(token_file).read_text(encoding="utf-8").split()[0]
        except (OSError, ValueError, IndexError) as error:
            raise ConfigurationError(f"the token file {token_file!r} cannot be read: {error}") from None
    return os.environ.get("OBSERVABILIPY_TOKEN", "")


def _storage_pages(url: str, query: LogQuery) -> Generator[list[LogEntry], None, None]:
    """The newest entries, then whatever comes after them, for ever."""
    storage = open_storage(url)

    async def read(query: LogQuery) -> list[LogEntry]:
        return [entry async for entry in storage.read_logs(query)]

    with asyncio.Runner() as runner:
        try:
            page = runner.run(read(replace(query, order="desc")))[::-1]
            after = page[-1].cursor if page else None
            while True:
                yield page
                page = runner.run(read(replace(query, after=after, limit=_PAGE)))
                after = page[-1].cursor if page else after
        finally:
            runner.run(storage.aclose())


def _service_pages(base: str, token: str, query: LogQuery) -> Generator[list[LogEntry], None, None]:
    """The same from a service's /logs, page after page by its Link headers. Once it answered, it may be away."""
    from urllib.parse import urlencode

    parameters = {"limit": query.limit, "min_level": query.min_level, "q": query.text}
    ask = urlencode({name: value for name, value in parameters.items() if value is not None})
    url = base.rstrip("/").removesuffix("/logs") + "/logs"
    answered = away = False
    while True:
        try:
            page, following = _fetch(f"{url}?{ask}", token)
        except OSError as error:  # URLError is one
            if not answered:
                raise ConfigurationError(f"{url} cannot be reached: {getattr(error, 'reason', error)}") from None
            if not away:
                print(f"observabilipy: {url} is away, trying again", file=sys.stderr)
            page, following, away = [], ask, True
        else:
            answered, away = True, False
        yield page
        ask = following or ask


def _fetch(url: str, token: str) -> tuple[list[LogEntry], str | None]:
    """The entries of a page, and the query of the next one."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        bearer = f"Bearer {token}".encode().decode("latin-1")  # header values are bytes; urllib spells them in latin-1
        request = Request(url, headers={"Authorization": bearer})  # noqa: S310 - http(s) only
        with urlopen(request, timeout=30) as response:  # noqa: S310 - http(s) only
            link = _NEXT.search(response.headers.get("Link", ""))
            return [_entry(line) for line in response], link[1] if link else None
    except HTTPError as error:
        if error.code >= 500:  # a proxy, or a worker that is going
            raise
        raise ConfigurationError(f"{url} answered {error.code}: {_refusal(error.code, error.read(2_000))}") from None
    except OSError:
        raise
    except (HTTPException, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{url} is no /logs of observabilipy: {error}") from None


def _refusal(code: int, answer: bytes) -> str:
    """What a service said, on one line, and what to do about it here."""
    text = answer.decode(errors="replace").strip()
    try:
        problem = json.loads(text)
        told, hint = problem["detail"], problem["hint"]
    except (KeyError, TypeError, ValueError):
        return printable(text)
    if code == _UNAUTHORIZED:
        hint = "set OBSERVABILIPY_TOKEN, or name a file with --token-file"
    return printable(f"{told}: {hint}")


def _entry(line: bytes) -> LogEntry:
    fields = json.loads(line)
    return LogEntry(
        fields["timestamp"], fields["level"], fields["message"], fields["attributes"], cursor=fields.get("cursor")
    )


command = Command("print the newest log entries and follow the log", _configure, _run)
