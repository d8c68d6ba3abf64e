"""The app: what Django runs once when it has read the settings."""

from django.apps import AppConfig

__all__ = ["ObservabilityConfig"]


class ObservabilityConfig(AppConfig):
    """``INSTALLED_APPS = ["observabilipy_django", ...]``: system checks, the command, and ``observabilipy.current()``.

    It has no models, starts no thread and opens nothing: every ``manage.py`` command runs it.
    """

    name = "observabilipy_django"
    label = "observabilipy"
    verbose_name = "Observability"

    def ready(self) -> None:
        """Let the process's Observability be found, and register the checks."""
        from observabilipy.installation import provide
        from observabilipy_django.checks import register
        from observabilipy_django.service import service

        register()
        provide(service.observability)
