"""The commands that come with core, by their names."""

from collections.abc import Mapping

from observabilipy.command import Command
from observabilipy.commands import doctor, importing, logs, prune, query, serve, stats, tail

__all__ = ["COMMANDS"]

COMMANDS: Mapping[str, Command] = {
    "doctor": doctor.command,
    "export": logs.export,
    "import": importing.command,
    "logs": logs.logs,
    "prune": prune.command,
    "query": query.command,
    "serve": serve.command,
    "stats": stats.command,
    "tail": tail.command,
}
"""What the command line of core and ``manage.py observability`` offer."""
