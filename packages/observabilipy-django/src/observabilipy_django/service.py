"""Service: the one Observability of a Django process, made from the settings when it is first needed."""

import logging
import threading

from django.conf import settings
from django.core.signals import setting_changed

from observabilipy import Observability, process
from observabilipy.errors import ConfigurationError
from observabilipy.requests import RequestRecorder
from observabilipy_django.configuration import Configuration, read

__all__ = ["Service", "service"]


class Service:
    """Makes what ``settings.OBSERVABILIPY`` describes, once, and anew after ``override_settings``.

    A setting that cannot work is said once, through the logger ``observabilipy``, and remembered until it changes.
    """

    recorder: RequestRecorder | None = None
    """The recorder of requests, once there is one: a look at it is all that a request pays."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # guards the making and the forgetting of all below
        self._making = False
        self._configuration: Configuration | None = None
        self._obs: Observability | None = None
        self._failure: ConfigurationError | None = None
        self._unrecorded = False
        self._said: set[str] = set()

    def observability(self) -> Observability | None:
        """The process's Observability; None while this very thread is making it, and logs what it does.

        Raises:
            ConfigurationError: the setting cannot work.
        """
        obs = self._obs
        if obs is not None:
            return obs
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        # First no fork, then the lock: a child that inherits the lock held would wait for it for ever.
        with process.no_fork(), self._lock:
            if self._obs is None and not self._making:
                self._making = True
                try:
                    self._make()
                finally:
                    self._making = False
            return self._obs

    def find_recorder(self) -> RequestRecorder | None:
        """The recorder of requests; None when requests cannot be recorded, which has been said."""
        try:
            if self._unrecorded or self.observability() is None:
                return None
            with self._lock:
                if self.recorder is None and self._obs is not None and self._configuration is not None:
                    self.recorder = RequestRecorder(self._obs, **self._configuration.recorder)
        except ConfigurationError as error:
            if error is not self._failure:  # the application has defined one of the names in another way
                self.say(f"requests are not recorded: {error}")
            self._unrecorded = True
        return self.recorder

    @property
    def permission(self) -> str | None:
        """Who may read besides those with a token."""
        configuration = self._configuration
        return None if configuration is None else configuration.permission

    def reset(self) -> None:
        """Close what was made. The next who asks gets what the settings say then."""
        with self._lock:
            obs, self._obs, self.recorder = self._obs, None, None
            self._configuration, self._failure, self._unrecorded = None, None, False
            self._said.clear()
        if obs is not None:
            obs.close()

    def say(self, message: str) -> None:
        """Tell who runs the process, once."""
        if message not in self._said:
            self._said.add(message)
            logging.getLogger("observabilipy").error("%s", message)

    def _make(self) -> None:
        try:
            self._configuration = read(getattr(settings, "OBSERVABILIPY", {}))
            self._obs = Observability(**self._configuration.observability)
        except Exception as error:
            failure = error if isinstance(error, ConfigurationError) else ConfigurationError(f"OBSERVABILIPY: {error}")
            self._failure = failure
            self.say(f"nothing is recorded, the setting cannot work: {failure}")
            raise failure from error


service = Service()
"""This process's."""


def _changed(*, setting: str, **_about: object) -> None:
    if setting == "OBSERVABILIPY":
        service.reset()


setting_changed.connect(_changed, dispatch_uid="observabilipy_django")
