"""The application in Django: importing it configures Django in this process."""

import logging
from collections.abc import AsyncIterator, Iterator

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path
from django.views.decorators.http import require_safe
from tests.storm.applications import PREFIX, SETTINGS

from observabilipy import Observability, current

__all__ = ["asgi_handler", "observability", "urlpatterns", "wsgi_handler"]

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["observabilipy_django"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=["observabilipy_django.middleware.ObservabilityMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    OBSERVABILIPY={**{name.upper(): value for name, value in SETTINGS.items()}, "BODY_SIZES": True},
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
)
django.setup()
logging.getLogger("django").setLevel(logging.CRITICAL)  # it would tell of each refused request on stderr


@require_safe
def _item(_request: HttpRequest, item: str) -> HttpResponse:
    return HttpResponse(item)


@require_safe
def _stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_async_chunks() if isinstance(request, ASGIRequest) else _chunks())


def _chunks() -> Iterator[bytes]:
    yield b"some"
    yield b"body"


async def _async_chunks() -> AsyncIterator[bytes]:
    yield b"some"
    yield b"body"


urlpatterns = [
    path("items/<str:item>", _item),
    path("stream", _stream),
    path(f"{PREFIX.strip('/')}/", include("observabilipy_django.urls")),
]


def asgi_handler() -> ASGIHandler:
    return ASGIHandler()


def wsgi_handler() -> WSGIHandler:
    return WSGIHandler()


def observability() -> Observability:
    return current()
