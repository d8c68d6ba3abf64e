"""Instruments: what a program holds in its hands to count and measure."""

from observabilipy import process
from observabilipy.instruments import counter, gauge, histogram
from observabilipy.instruments.counter import Counter
from observabilipy.instruments.gauge import Gauge
from observabilipy.instruments.histogram import Histogram
from observabilipy.instruments.labelled import Labelled
from observabilipy.instruments.registry import Registry

__all__ = ["Counter", "Gauge", "Histogram", "Labelled", "Registry"]

process.mirrors = (counter, gauge, histogram)
