"""Every error that observabilipy raises on purpose.

ObservabilityError
├── ConfigurationError (ValueError)    a setting, a storage URL, a retention policy, an instrument's definition
│   └── StorageNotInstalled            the URL's scheme belongs to a package that is not installed
├── InvalidValue (ValueError)          a value object that breaks a rule: LogEntry, MetricSample, a query ...
│   └── InvalidCursor                  a string that no store ever gave out as a cursor
├── UnsupportedQuery                   a query field that this store cannot honour
└── StorageUnavailable                 the store cannot be reached now; the same call may work later
    └── StorageRefused                 the store is one that this program cannot use, now or later

Recording never raises any of them for a value: ``inc``, ``observe``, ``set`` and ``info`` count what they refuse.
"""

__all__ = [
    "ConfigurationError",
    "InvalidCursor",
    "InvalidValue",
    "ObservabilityError",
    "StorageNotInstalled",
    "StorageRefused",
    "StorageUnavailable",
    "UnsupportedQuery",
]


class ObservabilityError(Exception):
    """The root of the tree: catch it to catch everything from this library."""


class ConfigurationError(ObservabilityError, ValueError):
    """Something was set up in a way that cannot work; the message says what to write instead."""


class StorageNotInstalled(ConfigurationError):
    """No installed package opens this storage URL; the message holds the install command."""


class InvalidValue(ObservabilityError, ValueError):
    """A value object was built from something that breaks its rules."""


class InvalidCursor(InvalidValue):
    """A string that cannot be a cursor. Cursors come from entries and are opaque."""


class UnsupportedQuery(ObservabilityError):
    """The store cannot honour a field of the query, and says so instead of ignoring it."""


class StorageUnavailable(ObservabilityError):
    """The store cannot take or give anything now. Repeating the call later is safe."""


class StorageRefused(StorageUnavailable):
    """The store is one that this program must leave alone, such as a file of a newer format: waiting does not help."""
