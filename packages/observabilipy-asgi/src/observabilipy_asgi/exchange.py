"""Exchange: what the messages of one request and its answer mean for its record."""

from observabilipy.requests import CLIENT_CLOSED_REQUEST, Outcome, RecordedRequest, RequestIds
from observabilipy_asgi.protocol import Message, Receive, Scope, Send
from observabilipy_asgi.route import matched_template, refused_template

__all__ = ["Exchange"]

_IDS = frozenset({b"x-request-id", b"traceparent"})


class Exchange:
    """Follows a request to its end: its ``receive`` and ``send`` stand in the place of the server's."""

    _client_left = _is_whole = False
    _start: Message | None = None

    def __init__(self, request: RecordedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        self._request = request
        self._scope = scope
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """The next message from the client."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._client_left = True
        return message

    async def send(self, message: Message) -> None:
        """Give a part of the answer to the server."""
        request = self._request
        kind = message["type"]
        bytes_before = request.response_bytes
        if kind == "http.response.start":
            if request.ids is not None:
                message = _with_ids(message, request.ids)
        elif kind == "http.response.body":
            body = message.get("body")
            if body:
                request.response_bytes += len(body)
            # Before it is sent: after the last part servers say "disconnect", and applications may be cancelled for it.
            self._is_whole = not (self._client_left or message.get("more_body"))
        try:
            await self._send(message)
        except OSError:  # ASGI 2.4, "Disconnected Client - send exception"
            self._client_left = True
            self._is_whole = False
            request.response_bytes = bytes_before
            raise
        if kind == "http.response.body":
            if not message.get("more_body"):
                if request.status >= 500:
                    request.last_byte_sent()  # Starlette answers first and raises then, and the entry tells what
                else:
                    self._end("complete" if self._is_whole else self._unless_all_was_sent("aborted"))
        elif kind == "http.response.start":
            self._start = message
            status = message.get("status")
            request.status = status if isinstance(status, int) else 500
        elif kind == "http.response.pathsend":  # a file that the server sends by itself
            self._end("complete")

    def left(self) -> None:
        """The server gave the connection up: it cancelled the application."""
        self._client_left = True

    def unfinished(self) -> None:
        """The application returned or raised. What was not answered whole by now never will be."""
        if self._client_left and self._start is None:
            self._request.status = CLIENT_CLOSED_REQUEST
        if self._is_whole:
            self._end("complete")
        else:
            self._end(self._unless_all_was_sent("aborted") if self._client_left else "error")

    def _unless_all_was_sent(self, outcome: Outcome) -> Outcome:
        """Clients leave when they have what was declared, which may be before the application's empty last part."""
        if self._start is None:
            return outcome
        declared = dict(self._start.get("headers", ())).get(b"content-length")
        return "complete" if declared == b"%d" % self._request.response_bytes else outcome

    def _end(self, outcome: Outcome) -> None:
        route = None
        try:
            route = matched_template(self._scope)
            if route is None and self._request.status == 405:
                route = refused_template(self._scope)
        except Exception as error:  # noqa: BLE001 - a framework may keep anything under the keys that are read
            self._request.recorder.failed(error)
        self._request.end(route, outcome)


def _with_ids(message: Message, ids: RequestIds) -> Message:
    """The start of the answer with the ids that the application did not set itself."""
    headers = list(message.get("headers", ()))
    own = [(b"x-request-id", ids.request_id.encode())]
    if ids.traceparent is not None:
        own.append((b"traceparent", ids.traceparent.encode()))
    for name, _ in headers:
        if name in _IDS:
            own = [header for header in own if header[0] != name]
    return {**message, "headers": headers + own}
