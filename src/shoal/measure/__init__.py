"""Measuring: what a model costs (MACs, parameters, seconds), what its layers compute, how sure a number is."""

from shoal.measure.counter import MacCounter
from shoal.measure.latency import Latency, latency
from shoal.measure.macs import MacCount, count_macs
from shoal.measure.parameters import count_parameters
from shoal.measure.recording import Recording, record
from shoal.measure.statistics import (
    Interval,
    bootstrap_interval,
    exact_proportion_interval,
    mean_interval,
    paired_difference_interval,
    proportion_interval,
    standard_error,
)

__all__ = [
    "Interval",
    "Latency",
    "MacCount",
    "MacCounter",
    "Recording",
    "bootstrap_interval",
    "count_macs",
    "count_parameters",
    "exact_proportion_interval",
    "latency",
    "mean_interval",
    "paired_difference_interval",
    "proportion_interval",
    "record",
    "standard_error",
]
