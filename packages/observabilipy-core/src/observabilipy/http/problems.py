"""Problem: an error a client can act on, as ``application/problem+json`` (RFC 9457)."""

from dataclasses import dataclass
from http import HTTPStatus

from observabilipy.encoding.json_text import json_text
from observabilipy.http.message import Headers, Response, single_chunk

__all__ = ["PROBLEM_CONTENT_TYPE", "Problem", "Refused"]

PROBLEM_CONTENT_TYPE = "application/problem+json"
_MAX_VALUE = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """What was wrong, and what to do about it.

    Args:
        status: the HTTP status.
        detail: one sentence that names the rule.
        parameter: the query parameter it is about.
        value: what was sent, as text; cut to 200 characters in the document.
        hint: what to send or set instead.
        headers: further headers of the answer.
    """

    status: int
    detail: str
    parameter: str | None = None
    value: str | None = None
    hint: str | None = None
    headers: Headers = ()

    def document(self) -> dict[str, object]:
        """The members of the problem; those that say nothing are left out.

        The type is ``about:blank``, so the title is the status's own phrase (RFC 9457, section 4.2.1).
        """
        members = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "parameter": None if self.parameter is None else self.parameter[:_MAX_VALUE],
            "value": None if self.value is None else self.value[:_MAX_VALUE],
            "hint": self.hint,
        }
        return {name: member for name, member in members.items() if member is not None}

    def response(self) -> Response:
        """The answer that carries the document."""
        body = json_text(self.document()).encode() + b"\n"
        headers = (
            (b"content-type", PROBLEM_CONTENT_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            *self.headers,
        )
        return Response(self.status, headers, single_chunk(body))


class Refused(Exception):
    """Ends the handling of a request with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem
