"""Request ids: what ties the entries of one request together, here and in the services before and behind this one.

Source: W3C Trace Context, section 3.2 "Traceparent Header".
"""

import os
import re

__all__ = ["RequestIds"]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# A version after 00 may append something, which begins with a dash; a comma would join two of them.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-[!-+.-~\-]{0,256})?"
)
_LENGTH_OF_VERSION_00 = 55


class RequestIds:
    """The ids of a request.

    ``request_id`` and ``traceparent`` are what the answer tells the client, the latter only when a valid one came.
    ``attributes`` are what log entries carry: ``request_id``, and ``trace_id`` and ``parent_id`` of a ``traceparent``.

    Args:
        request_id: the value of ``X-Request-ID``; one that is missing, not 1 to 128 of ``A-Z a-z 0-9 . _ -``, or sent
            more than once gives a new one, 32 hexadecimal digits.
        traceparent: the value of ``traceparent``; one that is not valid is ignored, as its specification asks.
    """

    __slots__ = ("attributes", "request_id", "traceparent")

    def __init__(self, request_id: str | None, traceparent: str | None) -> None:
        if request_id is None or _REQUEST_ID.fullmatch(request_id) is None:
            request_id = os.urandom(16).hex()
        self.request_id = request_id
        match = None if traceparent is None else _TRACEPARENT.fullmatch(traceparent)
        if match is None or (match.end() != _LENGTH_OF_VERSION_00 and match[0].startswith("00")):
            self.traceparent = None
            self.attributes = {"request_id": request_id}
        else:
            self.traceparent = traceparent
            self.attributes = {"request_id": request_id, "trace_id": match[1], "parent_id": match[2]}
