"""Route: what the environ tells about where a request went, read after the application has routed it.

Nothing is matched a second time, but for an answer 405 of Flask or Bottle: they name no route then.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeAlias
from wsgiref.types import WSGIEnvironment

from observabilipy.requests import RecordedRequest
from observabilipy.route_template import mount_template, route_template
from observabilipy_wsgi.environ import ROUTE_KEY, decoded_path

__all__ = ["OWN_FLASK_ENDPOINTS", "RouteOf", "caught_exception", "flask_chunks", "found_route", "mount", "note_flask"]

RouteOf: TypeAlias = Callable[[WSGIEnvironment], str | None]
"""Says which template a request matched, from its environ as the application left it."""

OWN_FLASK_ENDPOINTS = "observabilipy."
"""How the names of our own endpoints begin in Flask."""


def found_route(
    environ: WSGIEnvironment, route_of: RouteOf | None, status: int, headers: Iterable[tuple[str, str]]
) -> str | None:
    """The template that matched, such as ``/orders/{id}``; None when none did or nobody says.

    Args:
        environ: as the application left it.
        route_of: asked when the environ does not say it under ``observabilipy.route``.
        status: of the answer.
        headers: of the answer.

    Raises:
        TypeError: something else than a string was given as a template.
    """
    template = environ.get(ROUTE_KEY)
    if template is None and route_of is not None:
        template = route_of(environ)
    if template is None:
        return _bottle_route(environ, status, headers) if "bottle.app" in environ else None
    if not isinstance(template, str):
        raise TypeError(f"a route is a string such as '/orders/{{id}}', got {template!r}")
    return template


def mount(environ: WSGIEnvironment, script_name: str, path: str) -> str:
    """What was moved from the path into SCRIPT_NAME since they were like this, as dispatchers do."""
    now: str = environ.get("SCRIPT_NAME", "")
    taken = now.removeprefix(script_name).rstrip("/") if now.startswith(script_name) else ""
    return mount_template(decoded_path(taken)) if path.startswith(taken) else ""


def note_flask(environ: WSGIEnvironment, request: RecordedRequest) -> None:
    """Put the rule that Flask found into the environ. A hook of Flask's would take several times as long."""
    current = environ["werkzeug.request"]  # set by Werkzeug, and None again when Flask is done
    rule = getattr(current, "url_rule", None)
    if rule is None and getattr(current, "routing_exception", None) is not None:
        rule = _refused_flask_rule(current)
    if rule is None:
        return
    template = _flask_template(rule.rule, rule.endpoint)
    if template is None:
        request.ignore()  # something before our own endpoint has refused the request
    else:
        environ.setdefault(ROUTE_KEY, template)


@lru_cache(maxsize=1024)
def _flask_template(rule: str, endpoint: str) -> str | None:
    """The template of a rule, None for those of our own endpoints."""
    return None if endpoint.startswith(OWN_FLASK_ENDPOINTS) else route_template(rule, "last")


def flask_chunks(result: Any) -> list[bytes] | None:
    """The whole body, where Flask gives an iterator over one that is there already; None where it has yet to be made.

    Args:
        result: of an application. Any: see below.
    """
    try:
        # What a werkzeug.wrappers.Response gives closes that response last. There is no public way to it, and following
        # the iterator would take 3 microseconds more; it is followed where this does not lead to a response any more.
        if result.__class__.__name__ != "ClosingIterator":
            return None
        chunks = result._callbacks[-1].__self__.response  # noqa: SLF001 - see above
        return chunks if chunks.__class__ is list and len(chunks) == 1 and chunks[0].__class__ is bytes else None
    except (AttributeError, IndexError):
        return None


def caught_exception(environ: WSGIEnvironment) -> BaseException | None:
    """What a framework made an error page of and keeps in the environ, as Bottle does."""
    exc_info = environ.get("bottle.exc_info")
    return None if exc_info is None else exc_info[1]


def _refused_flask_rule(current: Any) -> Any:  # Any: Flask is not imported where it is not used
    """The rule that another method would have found."""
    from flask import current_app
    from werkzeug.exceptions import HTTPException

    methods: Any = getattr(current.routing_exception, "valid_methods", None)  # only MethodNotAllowed has them
    adapter = current_app.create_url_adapter(current) if methods else None
    if adapter is None:
        return None
    try:
        return adapter.match(None, next(iter(methods)), return_rule=True)[0]
    except HTTPException:  # a redirect to another spelling of the path
        return None


def _bottle_route(environ: WSGIEnvironment, status: int, headers: Iterable[tuple[str, str]]) -> str | None:
    route = environ.get("bottle.route")
    if route is None:
        allow = next((value for name, value in headers if name.lower() == "allow"), "") if status == 405 else ""
        if not allow:
            return None
        request = {"REQUEST_METHOD": allow.partition(",")[0].strip(), "PATH_INFO": environ["PATH_INFO"]}
        route = environ["bottle.app"].router.match(request)[0]
    # What Bottle mounts with mount() has a parameter without a name.
    return route_template(route.rule).replace("{}", "{path}")
