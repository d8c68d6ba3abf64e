"""``observabilipy doctor``: whether a storage, or a service, is in good condition, and what to do if not."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime

from observabilipy.awaiting import await_here
from observabilipy.command import Command
from observabilipy.commands.arguments import add_format, add_source
from observabilipy.commands.exposed import exposed_families
from observabilipy.commands.formats import chosen, print_records, time_text
from observabilipy.commands.source import is_service, opened_source, opened_storage
from observabilipy.commands.terminal import coloured, has_colours, printable
from observabilipy.errors import ObservabilityError
from observabilipy.findings import Checkable, Finding
from observabilipy.models import Cursor, LogFacts, LogQuery
from observabilipy.ports import RuntimeStoragePort
from observabilipy.storage.ndjson import ndjson_pages

__all__ = ["command"]

_COLUMNS = ("subject", "verdict", "told", "remedy")
_COLOURS = {"ok": "green", "note": "yellow", "trouble": "red"}
_SKEW_SECONDS = 60.0


def _configure(parser: argparse.ArgumentParser) -> None:
    add_source(parser, "a file, a storage URL (sqlite:///observability.db), or http(s)://host/prefix", service=True)
    add_format(parser)


def _run(arguments: argparse.Namespace) -> int:
    troubled = False

    def seen() -> Iterator[Finding]:
        nonlocal troubled
        for finding in _findings(arguments.source, arguments.token_file):
            troubled |= finding.verdict == "trouble"
            yield finding

    output = chosen(arguments.output)
    if output != "text":
        records = ({column: getattr(finding, column) for column in _COLUMNS} for finding in seen())
        print_records(records, output, _COLUMNS, live=True)
    else:
        for line in _text(seen()):
            print(line, flush=True)
    return 1 if troubled else 0


def _text(findings: Iterable[Finding]) -> Iterator[str]:
    colours = has_colours(sys.stdout)
    for finding in findings:
        verdict = f"{finding.verdict:<7}"
        yield (
            f"{coloured(verdict, _COLOURS[finding.verdict]) if colours else verdict}"
            f"  {printable(f'{finding.subject}: {finding.told}')}"
        )
        if finding.remedy:
            yield f"         -> {printable(finding.remedy)}"


def _findings(source: str, token_file: str | None) -> Iterator[Finding]:
    if is_service(source):
        yield from _of_service(source, token_file)
        return
    with opened_storage(source, "doctor") as storage:
        if isinstance(storage, Checkable):
            yield from storage.check()
        yield from _of_any(storage)


def _of_any(storage: RuntimeStoragePort) -> Iterator[Finding]:
    """What can be asked of every storage."""
    try:
        facts = await_here(storage.log_facts())
        series = await_here(_count_series(storage))
        points = await_here(storage.count_samples())
        missing = await_here(_unreadable_entries(storage, facts))
    except ObservabilityError as error:
        yield Finding("reading", "trouble", str(error), "see what was found above")
        return
    if missing > 0:
        told = f"{missing} of {facts.count} log entries cannot be read"
        yield Finding("reading", "trouble", told, "save the others with export; what is damaged goes with its age")
    else:
        yield Finding("reading", "ok", f"{facts.count} log entries, {series} series, {points} points of history")
    yield _clock(facts)


async def _count_series(storage: RuntimeStoragePort) -> int:
    return sum([len(family.series) async for family in storage.totals()])


async def _unreadable_entries(storage: RuntimeStoragePort, facts: LogFacts) -> int:
    """How many entries of the facts are neither given nor deleted meanwhile, at least."""
    if not facts.count:
        return 0
    pages = ndjson_pages(storage, LogQuery(before=str(Cursor(facts.generation, facts.upcoming))))
    read = sum([page.count async for page in pages])
    now = await storage.log_facts()
    return now.count - (now.upcoming - facts.upcoming) - read


def _clock(facts: LogFacts) -> Finding:
    newest = max((level.newest for level in facts.levels.values()), default=None)
    if newest is None:
        return Finding("clock", "ok", "no entry to compare this clock with")
    ahead = newest - time.time()
    if ahead <= _SKEW_SECONDS:
        return Finding(
            "clock", "ok", f"the newest time of an entry is {time_text(newest, 'seconds')}, not ahead of now"
        )
    return Finding(
        "clock",
        "trouble",
        f"the newest time of an entry, {time_text(newest, 'seconds')}, is {ahead:.0f} s ahead of this machine's clock",
        "set the clocks by NTP; retention by age keeps such entries for as much longer",
    )


def _of_service(source: str, token_file: str | None) -> Iterator[Finding]:
    with opened_source(source, token_file) as service:
        try:
            answer = service.get("/logs", "limit=1")
            entries = len(list(answer.lines()))
        except ObservabilityError as error:
            yield Finding("logs", "trouble", str(error), "see the message")
            return
        yield Finding("logs", "ok", "answers" if entries else "answers, and has no entry yet")
        try:
            families = exposed_families(service)
        except ObservabilityError as error:
            yield Finding("metrics", "trouble", str(error), "see the message")
        else:
            yield Finding("metrics", "ok", f"answers with {len(families)} families")
        yield from _service_clock(answer.headers.get("date"))
        if source.startswith("http://") and not source.startswith(("http://127.", "http://localhost", "http://[::1]")):
            yield Finding("transport", "note", "the token goes over the network in the clear", "serve it by https")


def _service_clock(date: str | None) -> Iterator[Finding]:
    try:
        ahead = parsedate_to_datetime(date or "").timestamp() - time.time()
    except ValueError:
        return
    if abs(ahead) <= _SKEW_SECONDS:
        yield Finding("clock", "ok", "that of the service agrees with this one to a minute")
    else:
        told = f"that of the service is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this one"
        yield Finding("clock", "trouble", told, "set the clocks by NTP")


command = Command("look at the condition of a storage or a service, and say what to do", _configure, _run)
