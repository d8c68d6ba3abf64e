"""``manage.py observability``: the commands of ``observabilipy``, on the storage that the settings name."""

import argparse
import contextlib
import sys
from typing import Any, TextIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from observabilipy.command import WrongUsage
from observabilipy.commands import COMMANDS
from observabilipy.commands.terminal import ended, printable
from observabilipy.errors import ObservabilityError

__all__ = ["Command"]

_IN_MEMORY = ("memory://", "ring://")


class Command(BaseCommand):
    """What ``observabilipy`` does on a command line, on the storage of the settings, or on the one that is named."""

    help = "Read what observabilipy has recorded."
    # It must read the log of a project that is broken, too.
    requires_system_checks: list[str] = []  # noqa: RUF012 - declared so by Django

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the commands of core, each with its own arguments."""
        subparsers = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True, parser_class=_Parser)
        for name, command in sorted(COMMANDS.items()):
            command.configure(subparsers.add_parser(name, help=command.help, description=command.help))

    def handle(self, *_args: object, **options: Any) -> None:  # Any: as Django declares it
        """Run one of them."""
        arguments = argparse.Namespace(**options)
        arguments.source = options["source"] or _configured_source()
        shown: TextIO | None = options.get("stdout")  # of call_command()
        try:
            with contextlib.nullcontext() if shown is None else contextlib.redirect_stdout(shown):
                code = ended(lambda: COMMANDS[options["subcommand"]].run(arguments))
        except ObservabilityError as error:
            raise CommandError(printable(str(error)), returncode=2 if isinstance(error, WrongUsage) else 1) from error
        if code:
            sys.exit(code)


class _Parser(CommandParser):
    """A parser for which the source is an option: it need not be named."""

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:  # Any: as argparse declares it
        if names == ("source",):
            options |= {"help": f"{options['help']} (default: OBSERVABILIPY['STORAGE'])"}
            return super().add_argument("--source", **options)
        return super().add_argument(*names, **options)


def _configured_source() -> str:
    setting = getattr(settings, "OBSERVABILIPY", {})
    storage = setting.get("STORAGE", "memory://") if isinstance(setting, dict) else setting
    if isinstance(storage, str) and not storage.startswith(_IN_MEMORY):
        return storage
    raise CommandError(
        f"OBSERVABILIPY['STORAGE'] is {storage!r}, which only its own process can read: name the service,"
        " http(s)://host/observability, or write 'sqlite:///observability.db' into the settings"
    )
