"""``observabilipy stats``: what a storage holds, in tables."""

import argparse
from collections.abc import Iterable

from observabilipy.command import Command
from observabilipy.commands.arguments import add_format, add_source
from observabilipy.commands.formats import chosen, print_records, table, time_text
from observabilipy.commands.source import with_storage
from observabilipy.models import LEVELS, LogFacts
from observabilipy.ports import RuntimeStoragePort, SizePort

__all__ = ["command"]

_COLUMNS = ("what", "name", "count", "bytes", "oldest", "newest", "kind")
_Record = dict[str, object]


def _configure(parser: argparse.ArgumentParser) -> None:
    add_source(parser, "a file, or a storage URL (sqlite:///observability.db)", service=False)
    add_format(parser)


def _run(arguments: argparse.Namespace) -> int:
    records = with_storage(arguments.source, "stats", _read, "ask for the totals with query")
    output = chosen(arguments.output)
    if output != "text":
        print_records(records, output, _COLUMNS)
    else:
        for line in _text(records):
            print(line)
    return 0


async def _read(storage: RuntimeStoragePort) -> list[_Record]:
    records = list(_levels(await storage.log_facts()))
    records += [
        {"what": "family", "name": family.name, "count": len(family.series), "kind": str(family.kind)}
        async for family in storage.totals()
    ]
    records.append({"what": "history", "name": "points", "count": await storage.count_samples()})
    if isinstance(storage, SizePort):
        records.append({"what": "storage", "name": "size", "bytes": storage.size_bytes()})
    return records


def _levels(facts: LogFacts) -> Iterable[_Record]:
    known = {level: place for place, level in enumerate(LEVELS)}
    for level, one in sorted(facts.levels.items(), key=lambda item: known.get(item[0], len(known))):
        yield {
            "what": "level",
            "name": level,
            "count": one.count,
            "bytes": one.bytes,
            "oldest": one.oldest,
            "newest": one.newest,
        }


def _text(records: Iterable[_Record]) -> Iterable[str]:
    of = {what: [record for record in records if record["what"] == what] for what in ("level", "family")}
    rows = [
        (record["name"], record["count"], record["bytes"], _moment(record["oldest"]), _moment(record["newest"]))
        for record in of["level"]
    ]
    total = ("all levels", _sum(of["level"], "count"), _sum(of["level"], "bytes"), "", "")
    yield from _table(("LOG", "ENTRIES", "BYTES", "OLDEST", "NEWEST"), [*rows, total])
    yield ""
    families = [(record["name"], record["kind"], record["count"]) for record in of["family"]]
    yield from _table(("METRICS", "KIND", "SERIES"), [*families, ("all families", "", _sum(of["family"], "count"))])
    yield ""
    for record in records:
        if record["what"] == "history":
            yield f"history: {record['count']} points"
        elif record["what"] == "storage":
            yield f"storage: {record['bytes']} bytes"


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterable[str]:
    return table([header, *(tuple(map(str, row)) for row in rows)], {"ENTRIES", "BYTES", "SERIES"})


def _sum(records: Iterable[_Record], name: str) -> int:
    return sum(int(str(record[name])) for record in records)


def _moment(timestamp: object) -> str:
    return time_text(timestamp, "seconds") if isinstance(timestamp, float) else ""


command = Command("show what a storage holds: entries by level, families, series, history", _configure, _run)
