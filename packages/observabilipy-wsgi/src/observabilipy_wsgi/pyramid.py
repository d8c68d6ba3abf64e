"""Pyramid: ``config.include("observabilipy_wsgi.pyramid")`` tells which pattern matched.

An ObservabilityMiddleware around the application takes it from there.
"""

import re
from functools import lru_cache
from typing import Any

from observabilipy.route_template import route_template
from observabilipy_wsgi.environ import ROUTE_KEY

__all__ = ["includeme"]

_REST = re.compile(r"\*(\w*)$")
_OLD_PARAMETER = re.compile(r":([_a-zA-Z]\w*)")


def includeme(config: Any) -> None:  # Any: Pyramid has no types and is not imported here
    """Called by Pyramid."""
    config.add_subscriber(_tell, "pyramid.events.BeforeTraversal")


def _tell(event: Any) -> None:  # Any: see above
    route = getattr(event.request, "matched_route", None)
    if route is not None:
        event.request.environ[ROUTE_KEY] = _spelled(route.pattern)


@lru_cache(maxsize=1024)
def _spelled(pattern: str) -> str:
    """``/orders/{id}/*rest`` and the older ``/orders/:id`` with parameters in braces."""
    if "{" not in pattern:
        pattern = _OLD_PARAMETER.sub(r"{\1}", pattern)
    return route_template(_REST.sub(lambda rest: f"{{{rest[1]}}}" if rest[1] else "", pattern))
