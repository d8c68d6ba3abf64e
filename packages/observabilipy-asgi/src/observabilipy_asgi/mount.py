"""mounted(): the endpoints below a prefix, for frameworks that mount nothing themselves."""

from observabilipy import ConfigurationError, Observability
from observabilipy_asgi.app import ObservabilityApp
from observabilipy_asgi.protocol import ASGIApp, Receive, Scope, Send
from observabilipy_asgi.route import relative_path

__all__ = ["mounted"]


def mounted(app: ASGIApp, obs: Observability, *, prefix: str = "/observability") -> ASGIApp:
    """The application, with ``/metrics`` and ``/logs`` of ``obs`` below the prefix.

    Put it inside: ``ObservabilityMiddleware(mounted(app, obs), obs)``.

    Raises:
        ConfigurationError: a prefix that does not begin with a slash, or ends with one.
    """
    if not prefix.startswith("/") or prefix.endswith("/"):
        raise ConfigurationError(
            f"prefix must begin with a slash and not end with one, got {prefix!r}: write '/observability'"
        )
    endpoints = ObservabilityApp(obs)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = relative_path(scope)
            if path.startswith(f"{prefix}/"):
                await endpoints({**scope, "root_path": "", "path": path.removeprefix(prefix)}, receive, send)
                return
        await app(scope, receive, send)

    return serve
