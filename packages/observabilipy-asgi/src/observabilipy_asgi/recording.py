"""Recording: what the messages of one request mean for its record."""

from observabilipy.requests import Outcome, RecordedRequest
from observabilipy.troubles import Troubles
from observabilipy_asgi.protocol import Message, Scope
from observabilipy_asgi.route import route_template

__all__ = ["Recording"]

_CLIENT_CLOSED_REQUEST = 499  # nginx's: nobody waits for an answer any more, and none was begun


class Recording:
    """Follows a request to its end. Never raises: the application comes first."""

    def __init__(self, request: RecordedRequest, scope: Scope, troubles: Troubles) -> None:
        self._request = request
        self._scope = scope
        self._troubles = troubles
        self._has_body = scope["method"] != "HEAD"  # whatever the application sends then, the server keeps it back
        self._answer_begun = self._client_left = False

    def received(self, message: Message) -> None:
        """The application heard from the client."""
        if message["type"] == "http.disconnect":
            self.client_left()

    def client_left(self) -> None:
        """The client is gone; before the last byte of the answer it was aborted."""
        self._client_left = True

    def sent(self, message: Message) -> None:
        """The server took a part of the answer."""
        kind = message["type"]
        if kind == "http.response.start":
            self._answer_begun = True
            self._request.status = message.get("status", 500)
        elif kind == "http.response.body":
            if self._has_body:
                self._request.response_bytes += len(message.get("body") or b"")
            if not message.get("more_body", False):
                self._end("aborted" if self._client_left else "complete")
        elif kind == "http.response.pathsend":  # a file that the server sends by itself
            self._end("complete")

    def returned(self) -> None:
        """The application returned or raised. What was not answered whole by now never will be."""
        if not self._client_left:
            self._end("error")
            return
        if not self._answer_begun:
            self._request.status = _CLIENT_CLOSED_REQUEST
        self._end("aborted")

    def _end(self, outcome: Outcome) -> None:
        try:
            self._request.end(self._route(), outcome)
        except Exception as error:  # noqa: BLE001 - see the class
            self._troubles.failed("recording a request", error)

    def _route(self) -> str | None:
        try:
            return route_template(self._scope)
        except Exception as error:  # noqa: BLE001 - a framework may keep anything under the keys that are read
            self._troubles.failed("finding the route of a request", error)
            return None
