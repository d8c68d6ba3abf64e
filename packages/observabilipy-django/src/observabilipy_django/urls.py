"""The urls: ``path("observability/", include("observabilipy_django.urls"))``.

They are named ``observabilipy:metrics``, ``observabilipy:logs`` and ``observabilipy:health``; the last one answers only
with ``OBSERVABILIPY = {"HEALTH": True}``.
"""

from django.urls import path

from observabilipy_django.views import endpoint

__all__ = ["app_name", "urlpatterns"]

app_name = "observabilipy"

urlpatterns = [path(name, endpoint, {"path": f"/{name}"}, name=name) for name in ("metrics", "logs", "health")]
