"""``observabilipy import``: lines of NDJSON into a storage, in bounded memory."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from observabilipy.awaiting import await_here
from observabilipy.command import Command, WrongUsage
from observabilipy.commands.arguments import add_source
from observabilipy.commands.foreign import Untaken, entry_of
from observabilipy.commands.source import opened_storage
from observabilipy.commands.terminal import note, printable, progress
from observabilipy.errors import ConfigurationError, ObservabilityError
from observabilipy.models import LogEntry
from observabilipy.ports import RuntimeStoragePort

__all__ = ["command"]

_MAX_LINE = 1_048_576
_BATCH_ENTRIES = 1_000
_BATCH_BYTES = 4_194_304
_SHOWN = 20
_LONGEST_REASON = 200
_BOM = b"\xef\xbb\xbf"


class _Lines:
    """The entries of a file of lines, in batches, and what could not be taken."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.untaken = 0
        self.shown: list[str] = []

    def batches(self) -> Iterator[list[LogEntry]]:
        """Entries, some thousand or some megabytes at once."""
        lines = self._entries()
        while batch := list(_bounded(lines)):
            yield batch

    def _entries(self) -> Iterator[tuple[LogEntry, int]]:
        number = 0
        while line := self._file.readline(_MAX_LINE + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(_BOM)
            if len(line) > _MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = self._file.readline(_MAX_LINE)
                self._refuse(number, f"longer than {_MAX_LINE} bytes")
            elif line.strip():
                try:
                    yield entry_of(line), len(line)
                except Untaken as why:
                    self._refuse(number, str(why))

    def _refuse(self, number: int, why: str) -> None:
        self.untaken += 1
        if len(self.shown) < _SHOWN:
            told = why if len(why) <= _LONGEST_REASON else f"{why[:_LONGEST_REASON]}..."
            self.shown.append(f"line {number}: {told}")


def _bounded(entries: Iterator[tuple[LogEntry, int]]) -> Iterator[LogEntry]:
    size = 0
    for entry, length in islice(entries, _BATCH_ENTRIES):
        yield entry
        size += length
        if size >= _BATCH_BYTES:
            return


def _configure(parser: argparse.ArgumentParser) -> None:
    add_source(parser, "a file, which is made if it is not there, or a storage URL", service=False)
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="lines of JSON (default: standard input)")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.source.startswith(("memory:", "ring:")):
        raise WrongUsage(f"{arguments.source!r} ends with this command: name a file, such as observability.db")
    with ExitStack() as stack:
        if arguments.file == "-":
            if sys.stdin.isatty():
                note("reading lines of JSON from the terminal; Ctrl-D ends them")
            file: BinaryIO = sys.stdin.buffer
        else:
            if not Path(arguments.file).is_file() and not Path(arguments.file).is_fifo():
                raise ConfigurationError(
                    f"there is no file {arguments.file!r}: name one, or leave it out to read a pipe"
                )
            file = stack.enter_context(Path(arguments.file).open("rb"))
        storage = stack.enter_context(opened_storage(arguments.source, "import", make=True))
        lines = _Lines(file)
        taken = _stored(storage, lines)
    for line in lines.shown:
        print(printable(line), file=sys.stderr)
    if lines.untaken > len(lines.shown):
        print(f"... and {lines.untaken - len(lines.shown)} more", file=sys.stderr)
    print(f"{taken} entries imported, {lines.untaken} lines not taken")
    return 1 if lines.untaken else 0


def _stored(storage: RuntimeStoragePort, lines: _Lines) -> int:
    taken = 0
    for batch in progress(lines.batches(), len, "entries imported"):
        try:
            await_here(storage.write_logs(batch))
        except ObservabilityError:
            if taken:
                note(f"{taken} entries are in the storage, the first of the file; it stopped after them")
            raise
        taken += len(batch)
    if taken:
        storage.maintain()  # packs what came, as a service would
    return taken


command = Command("read lines of JSON, our own or those of other loggers, into a storage", _configure, _run)
