"""What reaches the runtime's thread: news that wake it, and the questions of those who wait for a flush."""

from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["News", "Questions"]


class News:
    """Something that one thread waits for.

    A SimpleQueue, because its put may interrupt itself: an Event's set dead-locks when a signal handler does that.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[None] = SimpleQueue()

    def tell(self) -> None:
        """Wake whoever waits, or will."""
        self._queue.put(None)

    def wait(self, seconds: float) -> None:
        """Until there is news, or so many seconds; news that came together are one."""
        try:
            self._queue.get(timeout=seconds)
            while True:
                self._queue.get_nowait()
        except Empty:
            pass


class Questions:
    """Who wants to know when everything that was recorded before is committed."""

    def __init__(self) -> None:
        from concurrent.futures import Future  # a sixteenth of our own import, for who has a runtime only

        self._future = Future[bool]
        self._waiting: deque[Future[bool]] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def ask(self) -> "Future[bool]":
        """One more; what it gets says whether the storage took everything."""
        future = self._future()
        self._waiting.append(future)
        return future

    def refuse(self) -> "Future[bool]":
        """An answer at once: it cannot be done now."""
        future = self._future()
        future.set_result(False)
        return future

    def answer(self, count: int | None = None, *, delivered: bool) -> None:
        """Those who asked first, or all of them."""
        for _ in range(len(self._waiting) if count is None else count):
            try:
                future = self._waiting.popleft()
            except IndexError:
                return
            if future.set_running_or_notify_cancel():
                future.set_result(delivered)
