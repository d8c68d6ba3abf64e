"""Schema: what the OpenAPI document says about the endpoints. The endpoints themselves check what they are sent."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from fastapi import Request
from fastapi.openapi.models import HTTPBase, HTTPBearer
from fastapi.params import Depends
from fastapi.security.base import SecurityBase

from observabilipy.encoding.exposition import CONTENT_TYPES
from observabilipy.encoding.ndjson import NDJSON_CONTENT_TYPE
from observabilipy.http.array import ARRAY_CONTENT_TYPE
from observabilipy.http.parameters import DEFAULT_LIMIT, MAX_LIMIT
from observabilipy.http.problems import PROBLEM_CONTENT_TYPE
from observabilipy.models import LEVELS

__all__ = ["DESCRIPTIONS", "PARAMETERS", "RESPONSES", "SECURITY"]

_Schema: TypeAlias = dict[str, Any]  # Any: JSON, as FastAPI's own type has it
_Responses: TypeAlias = dict[int | str, dict[str, Any]]

DESCRIPTIONS: Mapping[str, tuple[str, str]] = {
    "/health": ("Whether the service answers", "It shows no data and asks for no token."),
    "/logs": (
        "Log entries as NDJSON",
        "Without a cursor the newest `limit` entries that match, printed oldest first. The header `Link` leads to the"
        " pages before and after. A parameter that is not known is refused.",
    ),
    "/metrics": (
        "Totals of all workers for Prometheus",
        "Prometheus text, or OpenMetrics when `Accept` prefers it. Parameters that are not known are ignored.",
    ),
}
"""A line and a paragraph about each endpoint."""


class _Scheme(SecurityBase):
    """Tells the document how to authenticate. Who may read is decided by the endpoints."""

    def __init__(self, scheme_name: str, model: HTTPBase) -> None:
        self.scheme_name = scheme_name
        self.model = model

    async def __call__(self, _request: Request) -> None:
        """Let everyone through to the endpoint, which asks."""


SECURITY = (
    Depends(_Scheme("observabilipy-token", HTTPBearer(description="The token of these endpoints."))),
    Depends(
        _Scheme(
            "observabilipy-password",
            HTTPBase(scheme="basic", description="The token of these endpoints as the password of any user."),
        )
    ),
)
"""Either of them opens an endpoint that is not public."""


def _parameter(name: str, description: str, schema: _Schema, **more: object) -> _Schema:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema, **more}


_MAX_PAIRS = 100  # of the whole query string
_CURSOR = "[a-z0-9]{1,32}-(0|[1-9][0-9]{0,17})"
_LEVEL = r"[^,]{0,31}[^,\s\x1c-\x1f][^,]{0,31}"  # at most 64 characters, one of them not blank as Python has it
_MOMENT = {
    "anyOf": [
        {"type": "string", "pattern": r"^([0-9]{1,11}|-[0-9]{1,10})(\.[0-9]{1,20})?$", "title": "Unix seconds"},
        {"type": "string", "format": "date-time", "title": "RFC 3339"},
    ]
}

PARAMETERS: Mapping[str, list[_Schema]] = {
    "/health": [],
    "/logs": [
        _parameter(
            "limit",
            f"Entries of a page, {DEFAULT_LIMIT} if left out; `all` streams everything.",
            {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}, {"const": "all", "type": "string"}]},
        ),
        _parameter(
            "after",
            "Entries committed after this cursor; `start` begins at the oldest, `now` behind the newest.",
            {"type": "string", "pattern": f"^(start|now|{_CURSOR})$"},
        ),
        _parameter("before", "Entries committed before this cursor.", {"type": "string", "pattern": f"^{_CURSOR}$"}),
        _parameter(
            "follow",
            "Go on with what is committed later, for 25 seconds; an empty line says that nothing came."
            " Not with `before`, `until`, `order=desc`, `limit=all`, `format=json`, and not with `after` and `limit`.",
            {"type": "string", "enum": ["0", "1"], "default": "0"},
        ),
        _parameter(
            "format",
            "An entry a line, or all of them in one array.",
            {"type": "string", "enum": ["ndjson", "json"], "default": "ndjson"},
        ),
        _parameter("order", "How they are printed.", {"type": "string", "enum": ["asc", "desc"], "default": "asc"}),
        _parameter("since", "Entries at this moment or later.", _MOMENT),
        _parameter("until", "Entries before this moment.", _MOMENT),
        _parameter(
            "level",
            "Entries of these levels, in any case. It may also be repeated.",
            {"type": "array", "items": {"type": "string", "pattern": f"^{_LEVEL}(,{_LEVEL})*$"}, "minItems": 1},
            style="form",
            explode=False,
        ),
        _parameter("min_level", "Entries of this level and higher ones.", {"type": "string", "enum": [*LEVELS]}),
        _parameter("q", "Entries whose message holds this, in any case.", {"type": "string"}),
        _parameter(
            "attributes",
            "Entries that have these attributes: `attr.tier=gold`.",
            {
                "type": "object",
                "patternProperties": {r"^attr\..": {"type": ["string", "number", "boolean", "null"]}},
                "additionalProperties": False,
            },
            style="form",
            explode=True,
        ),
    ],
    "/metrics": [
        _parameter(
            "name[]",
            "Only these families, by the name of the family or of one of its samples.",
            {"type": "array", "items": {"type": "string"}, "maxItems": _MAX_PAIRS},
            style="form",
            explode=True,
        ),
    ],
}
"""What may stand in the query string."""

_PROBLEM: _Schema = {
    PROBLEM_CONTENT_TYPE: {
        "schema": {
            "title": "Problem",
            "description": "RFC 9457",
            "type": "object",
            "properties": {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string", "description": "The rule that was broken."},
                "parameter": {"type": "string"},
                "value": {"type": "string"},
                "hint": {"type": "string", "description": "What to do instead."},
            },
            "required": ["type", "title", "status", "detail"],
        }
    }
}


def _header(description: str) -> _Schema:
    return {"description": description, "schema": {"type": "string"}}


_REFUSALS: _Responses = {
    400: {"description": "A query string that is not understood", "content": _PROBLEM},
    401: {
        "description": "A valid token is required",
        "content": _PROBLEM,
        "headers": {"WWW-Authenticate": _header("Bearer, and Basic.")},
    },
    403: {"description": "Nobody decided yet who may read, or not you", "content": _PROBLEM},
    500: {"description": "The answer could not be made", "content": _PROBLEM},
    503: {
        "description": "The store cannot be read now, or too many ask for much at once",
        "content": _PROBLEM,
        "headers": {"Retry-After": _header("Seconds.")},
    },
}

RESPONSES: Mapping[str, _Responses] = {
    "/health": {
        200: {
            "description": "The service answers",
            "content": {"application/json": {"schema": {"type": "object", "properties": {"status": {"const": "ok"}}}}},
        }
    },
    "/logs": {
        200: {
            "description": "Log entries, one a line, or in an array",
            "content": {
                NDJSON_CONTENT_TYPE: {"schema": {"type": "string"}},
                ARRAY_CONTENT_TYPE: {"schema": {"type": "array", "items": {"type": "object"}}},
            },
            "headers": {
                "Link": _header("The pages before (`prev`) and after (`next`) this one, RFC 8288."),
                "X-Observabilipy-Gap": _header("`reset` or `expired`: the cursor fell out of the store."),
                "X-Observabilipy-Partial": _header(
                    "`bytes` or `time`: the page ended early; the links go on from there."
                ),
            },
        },
        **_REFUSALS,
    },
    "/metrics": {
        200: {
            "description": "The totals of all workers",
            "content": {content_type: {"schema": {"type": "string"}} for content_type in CONTENT_TYPES.values()},
        },
        **_REFUSALS,
    },
}
"""What may come back."""
