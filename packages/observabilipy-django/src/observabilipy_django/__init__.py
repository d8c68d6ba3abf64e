"""observabilipy for Django: request metrics, an access log, /metrics and /logs, system checks, a management command.

Everything is reached by its dotted path: the app ``observabilipy_django``, the middleware
``observabilipy_django.middleware.ObservabilityMiddleware`` and the urls ``observabilipy_django.urls``.
"""

__all__: list[str] = []
