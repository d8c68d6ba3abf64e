"""Falcon: RouteMiddleware tells which template matched, for an ObservabilityMiddleware around the application."""

from typing import TYPE_CHECKING, Any

from observabilipy.route_template import route_template
from observabilipy_wsgi.environ import ROUTE_KEY

if TYPE_CHECKING:
    import falcon

__all__ = ["RouteMiddleware"]


class RouteMiddleware:
    """A middleware of Falcon's own kind: ``falcon.App(middleware=[RouteMiddleware()])``. Anywhere in the list will do.

    Sinks and static routes have no template: set ``req.env["observabilipy.route"]`` in them.
    """

    def process_resource(
        self,
        req: "falcon.Request",
        resp: "falcon.Response",  # noqa: ARG002 - Falcon calls it so
        resource: object,  # noqa: ARG002
        params: dict[str, Any],  # noqa: ARG002 - Any: what converters make
    ) -> None:
        """A resource was found."""
        _tell(req)

    def process_response(
        self,
        req: "falcon.Request",
        resp: "falcon.Response",  # noqa: ARG002 - Falcon calls it so
        resource: object,  # noqa: ARG002
        req_succeeded: bool,  # noqa: ARG002
    ) -> None:
        """The same, where a middleware before this one raised when a resource was found."""
        if ROUTE_KEY not in req.env:
            _tell(req)


def _tell(req: "falcon.Request") -> None:
    if req.uri_template is not None:
        req.env[ROUTE_KEY] = route_template(req.uri_template)
