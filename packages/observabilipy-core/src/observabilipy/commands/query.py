"""``observabilipy query``: metrics, as they are now or over time."""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from observabilipy.command import Command, WrongUsage
from observabilipy.commands.arguments import add_format, add_source, add_span
from observabilipy.commands.exposed import exposed_families
from observabilipy.commands.formats import chosen, print_records, table, time_text
from observabilipy.commands.selector import Selector, selector, series_text
from observabilipy.commands.source import is_service, opened_source, with_storage
from observabilipy.commands.terminal import note
from observabilipy.models import Family, HistogramValue, MetricQuery, SeriesHistory, SeriesValue, SummaryValue
from observabilipy.ports import RuntimeStoragePort

__all__ = ["command", "shown_value"]

_COLUMNS = ("name", "kind", "labels", "value")
_ALL = Selector(None, ())


def _configure(parser: argparse.ArgumentParser) -> None:
    add_source(parser, "a file, a storage URL (sqlite:///observability.db), or http(s)://host/prefix", service=True)
    parser.add_argument(
        "selector",
        metavar="SELECTOR",
        type=selector,
        nargs="?",
        default=_ALL,
        help="which series: a name, labels or both, as 'orders_total{tier=\"gold\"}' (default: all)",
    )
    add_span(parser)
    add_format(parser)


def _run(arguments: argparse.Namespace) -> int:
    wanted: Selector = arguments.selector
    output = chosen(arguments.output)
    over_time = arguments.since is not None or arguments.until is not None
    records = _history(arguments, wanted) if over_time else _totals(arguments, wanted)
    columns = ("timestamp", *_COLUMNS) if over_time else _COLUMNS
    if output != "text":
        print_records(records, output, columns)
    else:
        for line in _text(records):
            print(line)
    if not records:
        note(
            f"nothing matches: 'observabilipy query {arguments.source}' shows all there is"
            if wanted != _ALL or over_time
            else "there are no metrics yet"
        )
    return 0


def _totals(arguments: argparse.Namespace, wanted: Selector) -> list[Mapping[str, object]]:
    names = None if wanted.name is None else [wanted.name]
    if is_service(arguments.source):
        with opened_source(arguments.source, arguments.token_file) as source:
            families = exposed_families(source)
    else:
        families = with_storage(arguments.source, "query", lambda storage: _families(storage, names))
    return [
        {"name": family.name, "kind": str(family.kind), "labels": dict(row.labels), "value": shown_value(row.value)}
        for family in families
        for row in family.series
        if wanted.accepts(family.name, row.labels)
    ]


async def _families(storage: RuntimeStoragePort, names: Iterable[str] | None) -> list[Family]:
    return [family async for family in storage.totals(names)]


def _history(arguments: argparse.Namespace, wanted: Selector) -> list[Mapping[str, object]]:
    if is_service(arguments.source):
        raise WrongUsage(
            "a service tells its totals, not their history: name the file or URL of its storage, or leave --since out"
        )
    if wanted.name is None:
        raise WrongUsage(
            f"a history is that of one name: write 'observabilipy query {arguments.source} NAME --since 1h'"
        )
    query = MetricQuery(wanted.name, wanted.matchers, arguments.since, arguments.until)
    histories = with_storage(arguments.source, "query", lambda storage: _read(storage, query))
    return list(_points(histories))


async def _read(storage: RuntimeStoragePort, query: MetricQuery) -> list[SeriesHistory]:
    return [series async for series in storage.read_history(query)]


def _points(histories: Iterable[SeriesHistory]) -> Iterator[Mapping[str, object]]:
    for series in histories:
        for timestamp, value in series.points:
            yield {
                "timestamp": timestamp,
                "name": series.name,
                "kind": str(series.kind),
                "labels": dict(series.labels),
                "value": None if value is None else shown_value(value),
            }


def shown_value(value: SeriesValue) -> object:
    """A number, or count, sum and cumulative buckets by their upper bounds, as in the Prometheus format."""
    if isinstance(value, HistogramValue):
        bounds = (*(f"{bound:.12g}" for bound in value.bounds), "+Inf")
        return {
            "count": value.count,
            "sum": value.sum,
            "buckets": dict(zip(bounds, accumulate(value.counts), strict=True)),
        }
    if isinstance(value, SummaryValue):
        quantiles = {f"{quantile:.12g}": number for quantile, number in value.quantiles}
        return {"count": value.count, "sum": value.sum, "quantiles": quantiles}
    return value


def _text(records: Iterable[Mapping[str, object]]) -> Iterable[str]:
    rows = []
    for record in records:
        timestamp, labels = record.get("timestamp"), record["labels"]
        moment = (time_text(timestamp),) if isinstance(timestamp, float) else ()
        series = series_text(str(record["name"]), labels if isinstance(labels, Mapping) else {})
        rows.append((*moment, series, _number(record["value"])))
    if not rows:
        return ()
    header = ("TIME", "SERIES", "VALUE") if len(rows[0]) == 3 else ("SERIES", "VALUE")
    return table([header, *rows])


def _number(value: object) -> str:
    if isinstance(value, Mapping):
        mean = f" mean={value['sum'] / value['count']:.6g}" if value["count"] else ""
        return f"count={value['count']} sum={value['sum']:.6g}{mean}"
    return "ended" if value is None else str(value) if isinstance(value, int) else f"{value:.12g}"


command = Command("show metrics: totals, or with --since the history of one name", _configure, _run)
