"""The ``observabilipy`` command; the entry point group ``observabilipy.commands`` adds commands to it."""

import argparse
import sys
from collections.abc import Sequence

from observabilipy.command import Command
from observabilipy.errors import ObservabilityError
from observabilipy.stats import command as stats
from observabilipy.tail import command as tail

__all__ = ["main"]

_ADDED = {"demo": "observabilipy-fastapi[demo]"}
"""Commands that come with other packages, and what to install for them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    commands, missing = _installed()
    commands |= {"stats": stats, "tail": tail}
    parser = argparse.ArgumentParser("observabilipy", description="Metrics and logs kept where a service runs.")
    parser.add_argument("--version", action="version", version=f"observabilipy-core {_version()}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in sorted(commands.items()):
        command.configure(subparsers.add_parser(name, help=command.help, description=command.help))
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in missing and given[0] not in commands:
        parser.error(f"the command {given[0]!r} is not installed: pip install '{missing[given[0]]}'")
    chosen = parser.parse_args(given)
    try:
        return commands[chosen.command].run(chosen)
    except ObservabilityError as error:
        print(f"observabilipy: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


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
