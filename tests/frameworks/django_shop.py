"""The same shop in Django, over WSGI and over ASGI."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.test import override_settings
from django.urls import include, path
from django.views.decorators.http import require_http_methods
from tests.frameworks.drivers import Ask, asgi_driver, wsgi_driver

from observabilipy import Observability, current, installation

__all__ = ["DJANGO_SHOPS", "django_shop"]

DJANGO_SHOPS = {"Django (WSGI)": WSGIHandler, "Django (ASGI)": ASGIHandler}

_PROJECT = {
    "ALLOWED_HOSTS": ["*"],
    "INSTALLED_APPS": ["observabilipy_django"],
    "MIDDLEWARE": ["observabilipy_django.middleware.ObservabilityMiddleware"],
    "ROOT_URLCONF": __name__,
    "SECRET_KEY": "only for tests",
    "OBSERVABILIPY": {
        "AUTH": "public",
        "COLLECTORS": [],
        "EXCLUDE": ["/health"],
        "FLUSH_INTERVAL": 3600,
        "HANDLE_SIGTERM": False,
    },
}

_found_before = installation._find
if not settings.configured:
    settings.configure(SECRET_KEY="only for tests")
django.setup()
installation.provide(_found_before)  # which the app may just have taken over, for all tests of this process


@contextmanager
def django_shop(name: str) -> Iterator[tuple[Observability, Ask]]:
    """A project whose settings say everything, as they do for users."""
    from observabilipy_django.service import service

    before = installation._find
    with override_settings(**_PROJECT):
        installation.provide(service.observability)
        try:
            driver = asgi_driver(ASGIHandler()) if DJANGO_SHOPS[name] is ASGIHandler else wsgi_driver(WSGIHandler())  # type: ignore[arg-type]  # the stubs know dictionaries only
            yield current(), driver
        finally:
            installation.provide(before)


@require_http_methods(["GET", "HEAD", "DELETE"])
def item(request: HttpRequest, item: int) -> HttpResponse:
    if request.method == "DELETE":
        return HttpResponse(status=204)
    current().info("looked at")
    return HttpResponse(f"item {item}")


def order(_: HttpRequest, order: str) -> HttpResponse:
    return HttpResponse("order")


def cached(_: HttpRequest) -> HttpResponse:
    return HttpResponseNotModified()


def boom(_: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


async def _parts() -> AsyncIterator[bytes]:
    for part in (b"one ", b"two ", b"three"):
        yield part


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b"on "
        await asyncio.sleep(0)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_parts() if hasattr(request, "scope") else iter((b"one ", b"two ", b"three")))


def forever(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_endless() if hasattr(request, "scope") else itertools.repeat(b"on "))


def health(_: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [
    path("items/<int:item>", item),
    path("api/", include([path("v1/", include([path("orders/<str:order>", order)]))])),
    path("cached", cached),
    path("boom", boom),
    path("stream", stream),
    path("endless", forever),
    path("health", health),
    path("observability/", include("observabilipy_django.urls")),
]
