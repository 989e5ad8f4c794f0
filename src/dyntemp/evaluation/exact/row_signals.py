"""The signals of sorted rows: those that are measured while rows are read, and those with arguments, from the lists."""

from __future__ import annotations

import numpy as np

from dyntemp.evaluation.exact.prefixes import Prefixes, Values
from dyntemp.language.signals import SIGNALS

MEASURED = tuple(name for name, signal in SIGNALS.items() if signal.measured and not signal.arguments)
"""The signals without arguments, which are measured on the full rows and kept."""

COLDEST, HOTTEST = -7.0, 7.0
"""ln T between which a temperature is searched."""

HALVINGS = 40
"""Steps of the search."""


def top_mass(rows: Prefixes, count: int) -> Values:
    """The probability of the `count` likeliest tokens together, [rows]."""
    ones = np.ones(len(rows))
    some = rows.sums(ones, np.minimum(rows.support, count)).log_partition
    return np.minimum(np.exp(some - rows.sums(ones, rows.support).log_partition), 1.0)


def temperature_for_entropy(rows: Prefixes, entropy: float) -> Values:
    """The temperature at which each row has this entropy in nats, [rows]; 0 or infinity where none reaches it.

    It is found by halving.
    """
    low, high = np.full(len(rows), COLDEST), np.full(len(rows), HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        log_partition, mean = rows.sums(np.exp(-middle), rows.support)
        below = log_partition - np.exp(-middle) * mean < entropy
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    found = np.exp((low + high) / 2)
    found[entropy >= np.log(rows.support)] = np.inf
    ties = np.count_nonzero(rows.depth[:, : rows.single] == 0, axis=1)
    ties -= np.maximum(rows.single - rows.support, 0)  # places beyond the support hold 0
    found[entropy <= np.log(ties)] = 0.0
    return np.asarray(found)
