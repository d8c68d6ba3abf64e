"""``observabilipy prune``: delete by hand what retention would keep."""

import argparse
import sys
import time
from collections.abc import Callable

from observabilipy.awaiting import await_here
from observabilipy.command import Command, WrongUsage
from observabilipy.commands.arguments import add_source, age, level
from observabilipy.commands.formats import time_text
from observabilipy.commands.selector import Selector, selector
from observabilipy.commands.source import opened_storage
from observabilipy.commands.terminal import note
from observabilipy.models import LogQuery, MetricQuery
from observabilipy.ports import RuntimeStoragePort

__all__ = ["command"]


def _configure(parser: argparse.ArgumentParser) -> None:
    add_source(parser, "a file, or a storage URL (sqlite:///observability.db)", service=False)
    parser.add_argument("--older-than", type=age, metavar="AGE", help="what is older than 15m, 12h, 30d, 4w")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--level", type=level, metavar="LEVEL", help="log entries of this level alone")
    what.add_argument("--history", action="store_true", help="the history of the metrics instead of the log")
    what.add_argument(
        "--series",
        type=selector,
        metavar="SELECTOR",
        help="these series instead of the log, with their totals; with --older-than those without a report since",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and delete nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.older_than is None and arguments.series is None:
        raise WrongUsage("prune needs to know what may go: say --older-than 30d, or --series with a name")
    before = None if arguments.older_than is None else max(0.0, time.time() - arguments.older_than)
    with opened_storage(arguments.source, "prune") as storage:
        if arguments.series is not None:
            count, what, delete = _series(storage, arguments.series, before)
        elif before is not None and arguments.history:
            count, what, delete = _history(storage, before)
        else:
            count, what, delete = _logs(storage, before or 0.0, arguments.level)
        if arguments.dry_run:
            print(f"would delete {count} {what}")
            return 0
        if not arguments.yes and not _agreed(f"Delete {count} {what}?"):
            note("nothing was deleted")
            return 1
        gone = delete()
        storage.maintain()
    print(f"deleted {gone} {what}")
    return 0


_Plan = tuple[str, str, Callable[[], int]]  # how many, of what, and what deletes them


def _logs(storage: RuntimeStoragePort, before: float, level: str | None) -> _Plan:
    query = LogQuery(until=before, levels=None if level is None else [level])
    what = f"entries{f' of level {level}' if level else ''} from before {time_text(before, 'seconds')}"
    count = await_here(storage.count_logs(query))
    return str(count), what, lambda: await_here(storage.delete_logs_before(before, level))


def _history(storage: RuntimeStoragePort, before: float) -> _Plan:
    async def count() -> int:
        names = [family.name async for family in storage.totals()]
        points = 0
        for name in names:
            async for series in storage.read_history(MetricQuery(name, until=before)):
                points += len(series.points)
        return points

    what = f"points of the history from before {time_text(before, 'seconds')}"
    # A family of which nothing is shown any more may have a history, too, and no storage lists such.
    return f"at least {await_here(count())}", what, lambda: await_here(storage.delete_history_before(before))


def _series(storage: RuntimeStoragePort, wanted: Selector, idle_since: float | None) -> _Plan:
    async def count() -> int:
        return sum(
            [
                sum(wanted.accepts(family.name, row.labels) for row in family.series)
                async for family in storage.totals(None if wanted.name is None else [wanted.name])
            ]
        )

    idle = "" if idle_since is None else f", as far as they had no report since {time_text(idle_since, 'seconds')}"
    matchers = wanted.all_matchers()
    return (
        f"about {await_here(count())}",
        f"series{idle}",
        lambda: await_here(storage.delete_series(matchers, idle_since)),
    )


def _agreed(question: str) -> bool:
    """Ask whoever sits there.

    Raises:
        WrongUsage: nobody does.
    """
    if not sys.stdin.isatty():
        raise WrongUsage(f"{question[:-1]}? Nobody can be asked here: say -y, or --dry-run to see what would go")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


command = Command("delete old log entries, old history, or series, after asking", _configure, _run)
