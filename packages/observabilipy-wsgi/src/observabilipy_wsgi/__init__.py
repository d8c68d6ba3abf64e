"""observabilipy for any WSGI application: request metrics, an access log, /metrics and /logs."""

from observabilipy_wsgi.app import ObservabilityApp
from observabilipy_wsgi.middleware import ObservabilityMiddleware

__all__ = ["ObservabilityApp", "ObservabilityMiddleware"]
