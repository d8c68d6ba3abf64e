"""A Django project in one file. Run it: OBSERVABILIPY_TOKEN=letmein python examples/django_example.py runserver

Then: curl -X POST localhost:8000/orders/gold
      curl -u any:letmein localhost:8000/observability/metrics
      python examples/django_example.py observability tail
"""

import logging
import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from observabilipy import current

settings.configure(
    DEBUG=True,
    SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["observabilipy_django"],
    MIDDLEWARE=[
        "observabilipy_django.middleware.ObservabilityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    OBSERVABILIPY={"STORAGE": "sqlite:///observability.db", "SERVICE": "shop"},
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"observability": {"class": "observabilipy.LoggingHandler"}},
        "root": {"handlers": ["observability"], "level": "INFO"},
    },
)


@csrf_exempt
@require_POST
def order(_request: HttpRequest, tier: str) -> JsonResponse:
    current().counter("orders_total", "Orders placed.", labels=("tier",)).labels(tier).inc()
    logging.getLogger("shop").info("order placed", extra={"tier": tier, "cents": 1999})
    return JsonResponse({"status": "ok"})


urlpatterns = [
    path("orders/<str:tier>", order),
    path("observability/", include("observabilipy_django.urls")),
]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
