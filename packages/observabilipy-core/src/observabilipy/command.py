"""Command: what a package adds to ``observabilipy``, by the entry point group ``observabilipy.commands``."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from observabilipy.errors import ConfigurationError

__all__ = ["Command", "WrongUsage"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command: a line of help, what adds its arguments to a parser, and what runs it and gives the exit code."""

    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class WrongUsage(ConfigurationError):
    """Arguments that cannot work together, or not with this source: the command ends with exit code 2."""
