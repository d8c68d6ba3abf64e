"""Quart: the names of its routes and the exceptions it answers for, which it keeps out of the scope."""

from typing import cast

from quart import Quart, current_app, got_request_exception, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from observabilipy.requests import RecordedRequest
from observabilipy.route_template import route_template
from observabilipy_asgi.middleware import REQUEST_KEY
from observabilipy_asgi.protocol import Scope

__all__ = ["name_routes"]


def name_routes(app: Quart) -> None:
    """Let an ``ObservabilityMiddleware`` around this application know its routes and exceptions.

    Call it where the application is made.
    """
    app.before_request_funcs.setdefault(None, []).insert(0, _name_route)  # first: others may answer by themselves
    got_request_exception.connect(_tell, app)


async def _name_route() -> None:
    rule = request.url_rule.rule if request.url_rule is not None else _rule_of_another_method()
    if rule is not None:
        scope: Scope = cast("Scope", request.scope)
        scope["observabilipy.route"] = route_template(rule, "last")


def _rule_of_another_method() -> str | None:
    """The rule of a 405, which Quart does not tell: the one request for which a route is looked up a second time."""
    refused = request.routing_exception
    adapter = current_app.create_url_adapter(request)
    if not isinstance(refused, MethodNotAllowed) or not refused.valid_methods or adapter is None:
        return None
    try:
        rule, _ = adapter.match(method=next(iter(refused.valid_methods)), return_rule=True)
    except HTTPException:
        return None
    return rule.rule


async def _tell(_app: Quart, *, exception: BaseException, **_more: object) -> None:
    recorded = request.scope.get(REQUEST_KEY)
    if isinstance(recorded, RecordedRequest):
        recorded.failed(exception)
