"""Stream: an application's result that is made while the server takes it."""

from collections.abc import Iterable, Iterator
from typing import Any

from observabilipy_wsgi.answer import Answer

__all__ = ["Stream"]

_SENT_AT_ONCE = 65_536  # bytes that a socket takes without waiting for the client, more or less


class Stream:
    """Gives out one chunk for one chunk, each made when the server asks for it, and closes the result once.

    Args:
        answer: ended when the server has everything, or leaves.
        result: the application's.
    """

    def __init__(self, answer: Answer, result: Iterable[bytes]) -> None:
        self._answer = answer
        self._result: Any = result  # Any: an iterable that may have close(), which typing cannot say

    def __iter__(self) -> Iterator[bytes]:
        """The application's chunks."""
        request = self._answer.request
        request.enter()
        try:
            for chunk in self._result:
                if not request.ended:
                    request.response_bytes += len(chunk)
                    # Werkzeug's test client, and so Flask's, neither asks for more than was declared nor closes.
                    if self._is_whole(request.response_bytes):
                        self._answer.end("complete")
                request.leave()
                yield chunk
                request.enter()
            self._answer.end("complete")
        except GeneratorExit:  # close() comes, too
            raise
        except BaseException as error:
            self._answer.fail(error)
            raise
        finally:
            request.leave()

    def close(self) -> None:
        """The server is done; a client that has not got everything is gone."""
        result, self._result = self._result, ()  # closed once, however often servers call this
        request = self._answer.request
        request.enter()
        try:
            if hasattr(result, "close"):
                result.close()
        except BaseException as error:
            request.failed(error)
            raise
        finally:
            self._answer.end("aborted")
            request.leave()

    def _is_whole(self, sent: int) -> bool:
        """Whether all that the headers declare is out, and that is little."""
        if sent > _SENT_AT_ONCE:
            return False
        try:
            return any(
                len(name) == 14 and name.lower() == "content-length" and value == str(sent)
                for name, value in self._answer.headers or ()
            )
        except Exception as error:  # noqa: BLE001 - the server decides what it takes
            self._answer.request.recorder.failed(error)
            return False
