"""Permission: who may read without a token, by Django's own means."""

import inspect
from collections.abc import Callable

from django.http import HttpRequest
from django.utils.module_loading import import_string

from observabilipy_django.configuration import STAFF

__all__ = ["may_read"]


def may_read(request: HttpRequest, permission: str | None, on_error: Callable[[Exception], None]) -> bool:
    """Whether this request is let in without a token. Everything but a plain True keeps it out.

    Args:
        request: who asks.
        permission: ``"staff"``, the dotted path of a callable ``(HttpRequest) -> bool``, or None for nobody.
        on_error: told about an exception, which keeps the request out.
    """
    if permission is None:
        return False
    try:
        if permission == STAFF:
            return _is_staff(request)
        answer = import_string(permission)(request)
        if inspect.iscoroutine(answer):
            answer.close()
            raise TypeError(f"{permission} must be a plain function, not an async one")
    except Exception as error:  # noqa: BLE001 - the application's own code, or its database, may raise anything
        on_error(error)
        return False
    return answer is True


def _is_staff(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)  # AuthenticationMiddleware's, where it is installed
    return user is not None and user.is_active is True and user.is_staff is True
