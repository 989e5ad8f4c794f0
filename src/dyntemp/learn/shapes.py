"""Shapes of policies that can be learned, as templates of the policy language: a curve of one signal, a network.

A shape is written in what the language has already, so that what is learned runs on every backend and in every host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, log

import numpy as np

from dyntemp.errors import StudyError
from dyntemp.functions import exp, lerp, sigmoid
from dyntemp.language.parse import parse
from dyntemp.language.policy import Policy

KNOTS = 6
"""Points of a curve."""

UNITS = 16
"""Units of a network."""

STEEPEST = 8.0
"""The largest weight of a network, for an input that is scaled to a spread of 1."""

Start = dict[str, float]


def curve(
    signal: str, quantiles: Sequence[float], bounds: tuple[float, float], anchor: float, count: int = KNOTS
) -> tuple[Policy, Start]:
    """A piecewise-linear curve of a signal, and the values that make it one temperature.

    The parameters `t0`, `t1`, ... are the temperatures at the points. Behind the first and the last point the curve is
    level.

    Args:
        signal: The signal, as an expression.
        quantiles: Quantiles of its values, ascending; the points lie at `count` of them, equal ones once.
        bounds: The range of each temperature.
        anchor: The temperature at all points.
        count: Points of the curve.

    Raises:
        StudyError: If the signal has fewer than two different values.

    >>> template, start = curve("entropy", [0, 1, 3], (0.1, 3), 0.9, 3)
    >>> str(template.bind(t0=0.5, t1=1, t2=2))
    'lerp(lerp(0.5, 1, clip(entropy, 0, 1)), 2, clip((entropy - 1)/2, 0, 1))'
    """
    at = np.quantile(quantiles, np.linspace(0, 1, count))
    points = sorted({float(f"{value:.3g}") for value in at})
    if len(points) < 2:
        raise StudyError(f"the signal {signal} is {points[0]:g} at all tokens: take another one for a curve")
    low, high = bounds
    temperatures = [f'param("t{number}", {low!r}, {high!r})' for number in range(len(points))]
    text = temperatures[0]
    for (left, right), temperature in zip(pairwise(points), temperatures[1:], strict=True):
        text = f"lerp({text}, {temperature}, clip({_scaled(signal, left, right - left)}, 0, 1))"
    return Policy(text), {f"t{number}": anchor for number in range(len(points))}


def network(
    signals: Mapping[str, Sequence[float]],
    bounds: tuple[float, float],
    anchor: float,
    units: int = UNITS,
    seed: int = 0,
) -> tuple[Policy, Start]:
    """A network with one layer of tanh units over signals, and values that make it one temperature.

    The logarithm of T lies between those of the bounds, by a sigmoid of the weighted sum of the units and of a number
    that gives the anchor. The weights into the units are random at the start, those out of them and `c` are 0.

    Args:
        signals: Quantiles of each signal's values by its expression, ascending; they scale the weights.
        bounds: The lowest and the highest temperature.
        anchor: The temperature at the start.
        units: Number of units.
        seed: Seed of the weights.

    >>> template, start = network({"entropy": [0, 1, 3], "margin": [0, 0.5, 1]}, (0.1, 3), 0.9, 2)
    >>> len(start)
    9
    >>> template.bind(**start).bounds().low > 0.1 - 1e-9
    True
    """
    low, high = bounds
    drawn = np.random.default_rng(seed)
    scales = {signal: _spread(quantiles) for signal, quantiles in signals.items()}
    start: Start = {}
    terms = []
    for unit in range(1, units + 1):
        weights = drawn.normal(size=len(scales)) / len(scales) ** 0.5
        inside = []
        for number, ((signal, (middle, spread)), weight) in enumerate(
            zip(scales.items(), weights, strict=True), start=1
        ):
            name = f"w{unit}_{number}"
            inside.append(_param(name, STEEPEST / spread) + f"*{_factor(signal)}")
            start[name] = float(weight) / spread
            start[f"b{unit}"] = start.get(f"b{unit}", float(drawn.normal())) - float(weight) * middle / spread
        terms.append(
            f"{_param(f'v{unit}', STEEPEST)}*tanh({_param(f'b{unit}', _limit(scales))} + {' + '.join(inside)})"
        )
        start[f"v{unit}"] = 0.0
    start["c"] = 0.0
    share = (log(anchor) - log(low)) / (log(high) - log(low))
    total = parse(f"{log(share / (1 - share)):.7g} + {_param('c', STEEPEST)}")
    for term in terms:  # one by one: a text of all units would be longer than one that is read
        total += parse(term)
    lowest, highest = ceil(1e6 * log(low)) / 1e6, floor(1e6 * log(high)) / 1e6
    return Policy(exp(lerp(lowest, highest, sigmoid(total)))), start


def _param(name: str, limit: float) -> str:
    return f'param("{name}", {-float(f"{limit:.4g}")!r}, {float(f"{limit:.4g}")!r})'


def _spread(quantiles: Sequence[float]) -> tuple[float, float]:
    """The middle of a signal's values and half of their spread; 1 for a signal that does not move."""
    low, middle, high = np.quantile(quantiles, [0.1, 0.5, 0.9])
    return float(middle), float(high - low) / 2 or float(max(quantiles) - min(quantiles)) / 2 or 1.0


def _limit(scales: Mapping[str, tuple[float, float]]) -> float:
    """The largest bias: it can move each input's middle to any place that a weight reaches."""
    return STEEPEST * (1 + sum(abs(middle) / spread for middle, spread in scales.values()))


def _factor(signal: str) -> str:
    """An expression as a factor: in brackets unless it is a name or one call."""
    return signal if re.fullmatch(r"\w+(\([^()]*\))?", signal) else f"({signal})"


def _scaled(signal: str, left: float, width: float) -> str:
    shifted = signal if left == 0 else f"({signal} - {left!r})" if left > 0 else f"({signal} + {-left!r})"
    size = float(f"{width:.6g}")
    return shifted if size == 1 else f"{_factor(shifted)}/{size!r}"
