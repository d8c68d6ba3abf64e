"""The embedded runtime: one daemon thread that carries what was recorded into the storage."""

from observabilipy.runtime.embedded import EmbeddedRuntime

__all__ = ["EmbeddedRuntime"]
