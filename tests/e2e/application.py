"""A process that records, told what to do from outside: the troubles are made around it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Application", "said"]

_PROGRAM = Path(__file__).with_name("troubled_application.py")


class Application:
    """``troubled_application.py`` with a store at ``path``, and what it says.

    Args:
        path: of its database.
        options: of its URL.
        settings: of its Observability.
        runtime: of its EmbeddedRuntime.
        environment: further variables.
        command: what is put before the command.
    """

    def __init__(
        self,
        path: Path,
        *,
        options: str = "",
        settings: Mapping[str, object] | None = None,
        runtime: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.printed = ""
        program = [sys.executable, str(_PROGRAM), f"sqlite:///{path}{options}", json.dumps(settings or {})]
        self._process = subprocess.Popen(
            [*command, *program, json.dumps(runtime or {})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            encoding="utf-8",
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def __call__(self, order: str, *arguments: object) -> Any:  # whatever the order answers
        """Give an order, and wait for its answer: an application that is blocked gives none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([order, *arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self.close()
            raise AssertionError(f"the application ended: {self.printed}")
        return json.loads(answer)

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        self._process.kill()
        self._process.communicate(timeout=60)

    def close(self) -> None:
        """Let it end in good order; ``printed`` is then what it said on standard error."""
        if self._process.returncode is None:
            _, self.printed = self._process.communicate(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        finally:
            self._process.kill()


def said(printed: str, beginning: str) -> int:
    """How many warnings begin like that."""
    return sum(line.startswith(beginning) for line in printed.splitlines())
