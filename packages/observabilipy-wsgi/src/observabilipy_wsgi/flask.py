"""Flask: one line gives an application /metrics, /logs, request metrics and an access log."""

from collections.abc import Iterable
from typing import Any

try:
    from flask import (
        Blueprint,
        Flask,
        current_app,
        got_request_exception,
        has_app_context,
        request,
    )
    from flask.blueprints import BlueprintSetupState
    from werkzeug.routing import Rule
except ImportError as error:
    raise ImportError(f'{error}: pip install "observabilipy-wsgi[flask]"') from error

from observabilipy import ConfigurationError, Observability
from observabilipy.installation import provide
from observabilipy.ports import LogStoragePort, MetricsStoragePort
from observabilipy_wsgi.app import ObservabilityApp
from observabilipy_wsgi.environ import REQUEST_KEY
from observabilipy_wsgi.middleware import ObservabilityMiddleware
from observabilipy_wsgi.route import OWN_FLASK_ENDPOINTS, note_flask
from observabilipy_wsgi.settings import DEFAULTS, check_options, settings

__all__ = ["Observabilipy"]

_NAME = "observabilipy"


class Observabilipy:
    """Gives Flask applications ``/metrics``, ``/logs``, request metrics and an access log.

    ``Observabilipy(app)``, or ``init_app(app)`` later, as often as there are applications: each gets an
    ``Observability`` of its own, ``app.extensions["observabilipy"]``, unless it is given one. Nothing starts before the
    first record. Each argument has a key in ``app.config``, ``OBSERVABILIPY_STORAGE`` and so on, which counts more: the
    code says what is usual, the configuration what this deployment wants.

    Args:
        app: the application; left out, ``init_app`` takes it.
        storage: a storage URL such as ``"sqlite:///observability.db"``, a storage, or an ``Observability``.
        prefix: stands before the endpoints' paths, ``"/internal"`` for example.
        access_log: record a log entry for each request.
        request_ids: give each request its ids, in all that it logs and in its answer.
        body_sizes: measure the bodies of requests and answers, too.
        exclude: paths that are not recorded; one that ends in ``*`` stands for all that begin like it.
        options: further arguments of ``Observability``, such as ``service="shop"``, ``auth="public"``, ``health=True``.

    Raises:
        ConfigurationError: see ``init_app``.
    """

    def __init__(
        self,
        app: Flask | None = None,
        storage: str | LogStoragePort | tuple[LogStoragePort, MetricsStoragePort] | Observability = "memory://",
        *,
        prefix: str = "",
        access_log: bool = True,
        request_ids: bool = True,
        body_sizes: bool = False,
        exclude: Iterable[str] = (),
        **options: Any,  # whatever Observability takes, checked there
    ) -> None:
        check_options(options)
        self._arguments = {
            "storage": storage,
            "prefix": prefix,
            "access_log": access_log,
            "request_ids": request_ids,
            "body_sizes": body_sizes,
            "exclude": exclude if isinstance(exclude, str) else tuple(exclude),  # for several applications
            **options,
        }
        self._latest: Observability | None = None
        self._is_ambiguous = False
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Do all of it for an application, before its first request. Its ``Observability`` is ``current()`` then.

        Raises:
            ConfigurationError: a path that the application has already, an application that has this extension already,
                a key ``OBSERVABILIPY_...`` that nobody knows, or a setting that cannot work.
        """
        if _NAME in app.extensions:
            raise ConfigurationError(
                "this application has observabilipy already: call init_app() once, and use"
                " app.extensions['observabilipy'] or current()"
            )
        chosen = settings(app.config, self._arguments)
        own = {name: chosen.pop(name) for name in DEFAULTS}
        obs = _observability(chosen.pop("storage"), chosen)
        prefix = own.pop("prefix")
        for path in obs.endpoints.paths:
            _check_free(app, prefix + path)
        middleware = ObservabilityMiddleware(app.wsgi_app, obs, **own)
        app.register_blueprint(_blueprint(obs, prefix))
        got_request_exception.connect(_tell_exception, app)
        app.wsgi_app = middleware  # type: ignore[method-assign] # as Flask's documentation has it
        app.extensions[_NAME] = obs
        self._is_ambiguous |= self._latest not in {None, obs}
        self._latest = obs
        provide(lambda: _of_current_app() or obs)

    @property
    def obs(self) -> Observability:
        """The ``Observability`` of the current application; of the only one, where none is current.

        Raises:
            ConfigurationError: there is no application yet, or which of several is meant cannot be told.
        """
        obs = _of_current_app()
        if obs is None and not self._is_ambiguous:
            obs = self._latest
        if obs is None:
            count = "several applications" if self._is_ambiguous else "no application"
            raise ConfigurationError(
                f"this extension has {count}, and none of them is current: call init_app(app), then ask within"
                " app.app_context() or use app.extensions['observabilipy']"
            )
        return obs


def _observability(
    storage: str | LogStoragePort | tuple[LogStoragePort, MetricsStoragePort] | Observability, options: dict[str, Any]
) -> Observability:
    if not isinstance(storage, Observability):
        return Observability(storage, **options)
    if options:
        raise ConfigurationError(
            f"an Observability is used as it is, so the extension cannot set its {', '.join(sorted(options))}:"
            " give that to Observability(...) itself"
        )
    return storage


def _of_current_app() -> Observability | None:
    return current_app.extensions.get(_NAME) if has_app_context() else None


def _blueprint(obs: Observability, prefix: str) -> Blueprint:
    blueprint = Blueprint(_NAME, __name__, url_prefix=prefix or None)

    def add_routes(state: BlueprintSetupState) -> None:
        for path in obs.endpoints.paths:
            endpoint = OWN_FLASK_ENDPOINTS + path.removeprefix("/")
            # Without methods: the endpoints refuse them themselves. add_url_rule() would make that GET.
            state.app.url_map.add(Rule(prefix + path, endpoint=endpoint))
            state.app.view_functions[endpoint] = lambda path=path: ObservabilityApp(obs, path=path)

    blueprint.record(add_routes)
    return blueprint


def _check_free(app: Flask, path: str) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule == path:
            raise ConfigurationError(
                f"the application has {path!r} already (its endpoint {rule.endpoint!r}): set"
                " OBSERVABILIPY_PREFIX = '/internal' or another place for ours"
            )


def _tell_exception(_app: Flask, exception: BaseException, **_more: object) -> None:
    """Called by Flask while it still knows the request; an exception that goes on to the server takes it away."""
    recorded = request.environ.get(REQUEST_KEY)
    if recorded is not None:
        recorded.failed(exception)
        try:
            note_flask(request.environ, recorded)
        except Exception as error:  # noqa: BLE001 - applications may replace Flask's request and its rules
            recorded.recorder.failed(error)
