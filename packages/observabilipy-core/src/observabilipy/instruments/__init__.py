"""Instruments: what a program holds in its hands to count and measure."""

from observabilipy.instruments.counter import Counter
from observabilipy.instruments.gauge import Gauge
from observabilipy.instruments.histogram import Histogram
from observabilipy.instruments.labelled import Labelled
from observabilipy.instruments.registry import Registry

__all__ = ["Counter", "Gauge", "Histogram", "Labelled", "Registry"]
