"""``observabilipy stats``: what a storage holds, in a table."""

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from observabilipy.command import Command
from observabilipy.errors import ConfigurationError
from observabilipy.models import LEVELS, LogFacts
from observabilipy.ports import RuntimeStoragePort
from observabilipy.source import storage_url
from observabilipy.storage import open_storage
from observabilipy.terminal import output, printable

__all__ = ["command"]


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a file, or a storage URL (sqlite:///observability.db)")


def _run(arguments: argparse.Namespace) -> int:
    source: str = arguments.source
    if source.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"stats reads a storage, got {source!r}: name its file or URL; /metrics has the totals"
        )
    lines = asyncio.run(_read(storage_url(source)))
    with output():
        for line in lines:
            print(printable(line))
    return 0


async def _read(url: str) -> list[str]:
    storage = open_storage(url)
    try:
        return [*_log_lines(await storage.log_facts()), "", *await _metric_lines(storage)]
    finally:
        await storage.aclose()


def _log_lines(facts: LogFacts) -> Iterable[str]:
    known = {level: place for place, level in enumerate(LEVELS)}
    rows = [
        (level, str(one.count), str(one.bytes), _moment(one.oldest), _moment(one.newest))
        for level, one in sorted(facts.levels.items(), key=lambda item: known.get(item[0], len(known)))
    ]
    total = ("all levels", str(facts.count), str(facts.bytes), "", "")
    return _table([("LOG", "ENTRIES", "BYTES", "OLDEST", "NEWEST"), *rows, total])


async def _metric_lines(storage: RuntimeStoragePort) -> list[str]:
    rows = [(family.name, str(family.kind), str(len(family.series))) async for family in storage.totals()]
    total = ("all families", "", str(sum(int(series) for _, _, series in rows)))
    history = f"history: {await storage.count_samples()} points"
    return [*_table([("METRICS", "KIND", "SERIES"), *rows, total]), "", history]


def _moment(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Columns as wide as what they hold; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if cell.isdigit() or header in {"ENTRIES", "BYTES", "SERIES"} else cell.ljust(width)
            for cell, width, header in zip(row, widths, rows[0], strict=True)
        )
        yield "  ".join(cells).rstrip()


command = Command("show what a storage holds: entries by level, families, series, history", _configure, _run)
