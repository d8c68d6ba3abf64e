"""observabilipy for any ASGI application: request metrics, an access log, /metrics and /logs."""

from observabilipy_asgi.app import ObservabilityApp
from observabilipy_asgi.middleware import ObservabilityMiddleware
from observabilipy_asgi.mount import mounted

__all__ = ["ObservabilityApp", "ObservabilityMiddleware", "mounted"]
