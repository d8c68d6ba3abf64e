"""Formats: the same records as text for people, or as NDJSON, JSON and CSV for programs."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from observabilipy.commands.terminal import coloured, has_colours, printable, write
from observabilipy.encoding.json_text import json_text
from observabilipy.errors import ObservabilityError
from observabilipy.models import LogEntry

__all__ = ["FORMATS", "chosen", "entry_line", "print_entries", "print_records", "table", "time_text"]

FORMATS = ("text", "json", "ndjson", "csv")

_COLOURS = {"DEBUG": "dim", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}
_ENTRY_COLUMNS = ("timestamp", "level", "message", "attributes", "cursor")


def chosen(output: str | None) -> str:
    """The format that was asked for: left out, text on a terminal, and NDJSON for whatever reads a pipe or a file."""
    return output or ("text" if sys.stdout.isatty() else "ndjson")


def time_text(timestamp: float, timespec: str = "milliseconds") -> str:
    """A time for a person, UTC."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def entry_line(entry: LogEntry, *, colours: bool = False) -> str:
    """One entry for a person: time (UTC), level, message, attributes; control characters shown as escapes."""
    moment = time_text(entry.timestamp)
    attributes = "".join(f" {name}={json_text(value)}" for name, value in entry.attributes.items())
    level = printable(f"{entry.level:<8}")
    if colours:
        moment, level = coloured(moment, "dim"), coloured(level, _COLOURS.get(entry.level))
    return f"{moment} {level} {printable(f'{entry.message}{attributes}')}"


def print_entries(lines: Iterable[bytes], output: str, *, live: bool = False) -> None:
    """Print lines of ``/logs``; those that are ``live`` at once, each by itself."""
    if output in {"json", "csv"}:
        print_records((_entry(line)[1] for line in lines), output, _ENTRY_COLUMNS, live=live)
        return
    colours = has_colours(sys.stdout)
    for line in lines:
        if output == "ndjson":
            write(line)
        else:
            print(entry_line(_entry(line)[0], colours=colours))
        if live:
            sys.stdout.flush()


def _entry(line: bytes) -> tuple[LogEntry, Mapping[str, object]]:
    """An entry, and its fields as they came.

    Raises:
        ObservabilityError: a service sent something else.
    """
    try:
        fields = json.loads(line)
        return LogEntry(fields["timestamp"], fields["level"], fields["message"], fields["attributes"]), fields
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        told = printable(line[:80].decode(errors="replace"))
        raise ObservabilityError(
            f"what came is no line of /logs: {told} ({error!r}): name the address of a service of observabilipy"
        ) from None


def print_records(
    records: Iterable[Mapping[str, object]], output: str, columns: Sequence[str], *, live: bool = False
) -> None:
    """Print records as "ndjson", "json" or "csv". In CSV, what is no text or number is JSON, None is empty."""
    if output == "csv":
        write(_row(columns))
    elif output == "json":
        write(b"[")
    separator = b""
    for record in records:
        if output == "csv":
            write(_row([_cell(record.get(column)) for column in columns]))
        elif output == "json":
            write(separator + json_text(record).encode())
            separator = b",\n"
        else:
            write(json_text(record).encode() + b"\n")
        if live:
            sys.stdout.flush()
    if output == "json":
        write(b"]\n")


def table(rows: Sequence[Sequence[str]], numbers: Iterable[str] = ()) -> Iterable[str]:
    """Columns as wide as what they hold; those whose headers are of numbers to the right."""
    right = frozenset(numbers)
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (
            cell.rjust(width) if header in right else cell.ljust(width)
            for cell, width, header in zip(row, widths, rows[0], strict=True)
        )
        yield "  ".join(cells).rstrip()


def _cell(value: object) -> object:
    return "" if value is None else value if isinstance(value, str | int | float) else json_text(value)


def _row(cells: Sequence[object]) -> bytes:
    text = io.StringIO(newline="")
    # It quotes what holds a character of the line terminator: before Python 3.13 a bare "\r" would break the line.
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n").encode(errors="backslashreplace") + b"\n"
