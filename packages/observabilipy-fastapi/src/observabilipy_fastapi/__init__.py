"""observabilipy for FastAPI: one call gives an application /metrics, /logs, request metrics and an access log."""

from observabilipy_fastapi.instrumentation import instrument
from observabilipy_fastapi.router import observability_router

__all__ = ["instrument", "observability_router"]
