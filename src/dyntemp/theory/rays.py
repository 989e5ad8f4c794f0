"""A policy along the ray of a row, the rows s*z with s > 0: from nearly uniform to nearly certain."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.language.policy import Policy
from dyntemp.sampling import temperatures
from dyntemp.show.curve import given

POINTS = 241
"""Points of a ray that are looked at."""

FLAT, SHARP = 1e-4, 100.0
"""The spread of the flattest row of a ray, and the lead of the likeliest entry in the sharpest, as differences of z."""


class Heats(NamedTuple):
    """The temperatures of a policy along a ray.

    Attributes:
        at: ln s -> T, at the first token of a request of temperature 1, with what a caller gives at its middle.
        scales: ln s of the points looked at, from the flattest row to the sharpest.
        values: T at each of them.
        spread: Half the difference between the largest and the smallest logit of z.
    """

    at: Callable[[float], float]
    scales: list[float]
    values: NDArray[np.float64]
    spread: float


def heats(policy: Policy, logits: ArrayLike) -> Heats:
    """`policy` along the ray of one row, [n], of which two unmasked entries differ."""
    row = np.asarray(logits, np.float64)
    row = row - row.max()
    below = np.unique(-row[row > -inf])

    def at(log_scale: float) -> float:
        state = policy.state() if policy.remembers else None
        return float(temperatures(exp(log_scale) * row, policy, state=state, given=given(policy)))

    scales = np.linspace(log(FLAT / below[-1]), log(SHARP / below[1]), POINTS).tolist()
    return Heats(at, scales, np.array([at(scale) for scale in scales]), float(below[-1]) / 2)


def zipf(vocabulary: int) -> NDArray[np.float64]:
    """The row whose probabilities follow Zipf's law; its ray has their powers."""
    return -np.log(np.arange(1, vocabulary + 1, dtype=np.float64))


def steepest_step(found: Heats) -> tuple[float, float]:
    """The distance of two rows of the ray, and the difference of their temperatures, where T seems to jump.

    The step with the largest difference is halved 40 times, each time to the half with the larger difference.
    """
    changes = np.abs(np.diff(np.minimum(found.values, HOT)))
    at = int(np.argmax(changes))
    low, high = found.scales[at], found.scales[at + 1]
    ends = [found.at(low), found.at(high)]
    for _ in range(40):
        middle = (low + high) / 2
        heat = found.at(middle)
        if abs(heat - ends[0]) >= abs(ends[1] - heat):
            high, ends[1] = middle, heat
        else:
            low, ends[0] = middle, heat
    return (exp(high) - exp(low)) * found.spread, abs(ends[1] - ends[0])


HOT = 1e6
"""Temperatures above this count as equal."""
