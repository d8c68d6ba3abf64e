"""Flush: what this process has not stored yet is given a moment to get there before it is read."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["FLUSH_SECONDS", "Flush"]

FLUSH_SECONDS = 0.25
"""How long an answer waits for a flush. A slower one goes on behind it."""


class Flush:
    """Waits for a flush, but never long, and never fails because of it."""

    def __init__(self, flush: Callable[[], Awaitable[object]], on_error: Callable[[Exception], None]) -> None:
        self._flush = flush
        self._on_error = on_error
        self._running: set[asyncio.Task[None]] = set()  # an event loop holds its tasks only weakly

    async def wait(self, seconds: float = FLUSH_SECONDS) -> None:
        """Start a flush and wait for its end, or until the time is up."""
        import asyncio

        task = asyncio.create_task(self._run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.wait((task,), timeout=seconds)

    async def _run(self) -> None:
        try:
            await self._flush()
        except Exception as error:  # noqa: BLE001 - a flush that fails must not fail who reads
            self._on_error(error)
