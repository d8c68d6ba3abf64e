"""Route: what the scope tells about where a request went, read after the application has routed it.

Nothing is matched a second time: frameworks leave what they found in the scope. Starlette and FastAPI name it under
``route``, Litestar under ``path_template``; FastAPI 0.137 and newer keep the prefixes of included routers elsewhere. An
application may put a template under ``observabilipy.route`` itself.
"""

from inspect import isroutine
from typing import Any

from observabilipy.route_template import mount_template
from observabilipy_asgi.protocol import Scope

__all__ = ["matched_template", "refused_template", "relative_path"]

_REST = "/{path}"
"""How Starlette spells whatever stands below a mounted application."""


def relative_path(scope: Scope) -> str:
    """The path as the application sees it: without the ``root_path``, where the path begins with it.

    Servers and frameworks disagree on whether ``path`` holds the mount or not, so both are understood.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if not root:
        return path
    root = root.rstrip("/")
    return path.removeprefix(root) or "/" if path == root or path.startswith(f"{root}/") else path


def matched_template(scope: Scope) -> str | None:
    """The template that matched, such as ``/orders/{id}``; None when none did or the framework does not say.

    It has few values whatever clients send: a path of theirs is given only where a route without parameters took it.
    """
    template = scope.get("observabilipy.route") or scope.get("path_template")
    if template is None:
        template = _spelled(_effective_route(scope) if "fastapi" in scope else scope.get("route"))
    if "app_root_path" in scope:  # Starlette went through a mount
        return mount_template(_mount_prefix(scope, template or "")) + (template or _REST)
    if template is None and _is_literal(scope):
        return relative_path(scope)
    return template


def refused_template(scope: Scope) -> str | None:
    """The template of a path that is there for other methods, where the framework does not say it itself.

    Litestar raises before it notes where it is. It answers OPTIONS wherever it answers anything.
    """
    app = scope.get("litestar_app")
    if app is None:
        return None
    *_, template = app.asgi_router.handle_routing(path=relative_path(scope), method="OPTIONS")
    return str(template)


def _spelled(route: Any) -> str | None:  # Any: the classes of frameworks that are not imported here
    """What a route calls itself; None for a mount, whose place ``root_path`` holds."""
    if route is None:
        return None
    path = getattr(route, "path", None)
    template = getattr(route, "path_format", None) or path
    if not isinstance(template, str) or not template:
        return None
    return None if template.endswith(_REST) and template == f"{path}{_REST}" else template


def _effective_route(scope: Scope) -> Any:  # Any: see above
    """The route with the prefixes of the routers that include it, where FastAPI keeps them apart."""
    route = scope.get("route")
    fastapi = scope["fastapi"]
    context = fastapi.get("effective_route_context") if isinstance(fastapi, dict) else None
    # It may be left from an application around a mounted one, and then belongs to another route. What has no path is
    # the included router itself, which FastAPI 0.137 names in the route's place.
    if context is None or (hasattr(route, "path") and route is not context.original_route):
        return route
    return getattr(context, "starlette_route", None) or context


def _is_literal(scope: Scope) -> bool:
    """Whether a route without parameters matched, but did not say its name, as FastAPI's own ``/docs``."""
    return "route" not in scope and not scope.get("path_params") and isroutine(scope.get("endpoint"))


def _mount_prefix(scope: Scope, template: str) -> str:
    """What was mounted where, with the names of parameters in the place of their values."""
    root: str = scope.get("root_path", "")
    outside: str = scope["app_root_path"]
    prefix = root.removeprefix(outside) + "/" if root.startswith(outside) else "/"
    values = scope.get("path_params", {})
    names = [name for name in values if f"{{{name}}}" not in template]
    for name in names:
        spelled = f"/{values[name]}/"
        if spelled not in prefix:  # a convertor changed the value ("007"), so its place is not known
            return "".join(f"/{{{each}}}" for each in names)
        prefix = prefix.replace(spelled, f"/{{{name}}}/", 1)
    return prefix.removesuffix("/")
