"""Orders in a Django project, for servers of both kinds."""

import os
import time

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from observabilipy import current

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["observabilipy_django"],
    MIDDLEWARE=["observabilipy_django.middleware.ObservabilityMiddleware"],
    OBSERVABILIPY={
        "STORAGE": os.environ["ORDERS_STORAGE"],
        "FLUSH_INTERVAL": float(os.environ["ORDERS_FLUSH_INTERVAL"]),
        "EXCLUDE": ["/pid"],
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
)


def order(_: HttpRequest, number: int) -> HttpResponse:
    current().counter("orders_total", "Orders placed.").inc()
    return pid(_)


def pid(_: HttpRequest) -> HttpResponse:
    time.sleep(0.005)  # whoever is busy leaves the next request to the other workers
    return HttpResponse(str(os.getpid()))


urlpatterns = [
    path("orders/<int:number>", order),
    path("pid", pid),
    path("", include("observabilipy_django.urls")),
]

asgi = get_asgi_application()
wsgi = get_wsgi_application()
