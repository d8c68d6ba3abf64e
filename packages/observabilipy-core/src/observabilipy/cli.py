"""The ``observabilipy`` command; the entry point group ``observabilipy.commands`` adds commands to it."""

import argparse
import sys
from collections.abc import Sequence

from observabilipy.command import Command, WrongUsage
from observabilipy.errors import ObservabilityError

__all__ = ["main"]

_ADDED = {"demo": "observabilipy-fastapi[demo]"}
"""Commands that come with other packages, and what to install for them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Exit codes: 0 done, 1 failed or in part (what and why is on stderr), 2 wrong usage, 130 interrupted, 141 the reader
    of the output went away.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:  # most of the time of a short command goes by here: Ctrl-C must not print what was just imported
        from observabilipy.commands.terminal import ended, note
    except KeyboardInterrupt:
        return 130
    try:
        return ended(lambda: _run(given))
    except ObservabilityError as error:
        note(str(error))
        return 2 if isinstance(error, WrongUsage) else 1


def _run(given: Sequence[str]) -> int:
    from observabilipy.commands import COMMANDS

    commands, missing = dict(COMMANDS), dict[str, str]()
    if not given or given[0] not in COMMANDS:  # to import what other packages add takes longer than most commands
        added, missing = _installed()
        commands = added | commands
    parser = argparse.ArgumentParser("observabilipy", description="Metrics and logs kept where a service runs.")
    parser.add_argument("--version", action="version", version=f"observabilipy-core {_version()}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in sorted(commands.items()):
        command.configure(subparsers.add_parser(name, help=command.help, description=command.help))
    if given and given[0] in missing and given[0] not in commands:
        parser.error(f"the command {given[0]!r} is not installed: pip install '{missing[given[0]]}'")
    chosen = parser.parse_args(given)
    return commands[chosen.command].run(chosen)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("observabilipy-core")
    except PackageNotFoundError:  # copied into another project
        return "of unknown version"


def _installed() -> tuple[dict[str, Command], dict[str, str]]:
    """The commands of other packages, and what to install for those that are not there or lack an extra."""
    from importlib.metadata import entry_points

    commands: dict[str, Command] = {}
    missing = dict(_ADDED)
    for point in entry_points(group="observabilipy.commands"):
        try:
            commands[point.name] = point.load()
        except ImportError as error:
            missing.setdefault(point.name, error.name or point.value)
        except Exception as error:  # noqa: BLE001 - a broken package must not take the other commands with it
            print(f"observabilipy: the command {point.name!r} is broken: {error}", file=sys.stderr)
    return commands, missing
