"""Entropy and temperature of one row: heat raises entropy, and one temperature at most gives a wanted entropy."""

from __future__ import annotations

from math import inf, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.errors import PolicyError
from dyntemp.sampling import measure, scale
from dyntemp.signals import temperature_for_entropy
from dyntemp.theory.verdict import Verdict


def heating(logits: ArrayLike, temperature: float = 1.0) -> Verdict:
    """The verdict on dH/dT > 0, with H the entropy of softmax(z/T): dH/dT = Var(z)/T**3 = varentropy/T.

    It does not hold for a row whose unmasked logits are all equal.

    Args:
        logits: One row, [n].
        temperature: T, above 1e-6.

    Raises:
        PolicyError: For a temperature at which the distribution has no derivative.
        InvalidLogitsError: For a broken row.

    >>> round(heating(np.log([0.1, 0.2, 0.3, 0.4])).values["slope"], 6)
    0.180922
    """
    if not GREEDY_AT < temperature < inf:
        raise PolicyError(f"a temperature of {temperature} was given; those above {GREEDY_AT:g} have a derivative")
    row = np.asarray(logits, np.float64)
    found = measure(scale(row, temperature), "entropy", "varentropy", "support")
    entropy, varentropy, support = (float(value) for value in found.values())
    moves = _ties(row) < support
    slope = varentropy / temperature if moves else 0.0
    return Verdict(
        f"at T = {temperature:g} the entropy rises by {slope:.4g} nats per unit of temperature",
        moves,
        f"the surprisal of its {support:.0f} tokens has the variance {varentropy:.4g} there",
        "rows.md#entropy",
        {"entropy": entropy, "varentropy": varentropy, "slope": slope},
    )


def reachable(logits: ArrayLike, target: float) -> Verdict:
    """The verdict on a temperature that gives one row the entropy `target`: it is the only one.

    Args:
        logits: One row, [n].
        target: The wanted entropy, nats.

    Raises:
        InvalidLogitsError: For a broken row.

    >>> reachable(np.log([0.5, 0.25, 0.25]), 0.9).holds, reachable(np.log([0.4, 0.4, 0.2]), 0.6).holds
    (True, False)
    """
    row = np.asarray(logits, np.float64)
    (support,), (temperature,) = (
        [float(value) for value in measure(row, signal).values()]
        for signal in ("support", temperature_for_entropy(target))
    )
    low, high = log(_ties(row)), log(support)
    holds = low < target < high
    return Verdict(
        f"{f'T = {temperature:.4g} alone' if holds else 'no temperature'} gives this row {target:g} nats of entropy",
        holds,
        f"its entropy rises with T between {low:.4g} and {high:.4g} nats, the logarithms of its ties and its support",
        "rows.md#entropy",
        {"temperature": temperature, "low": low, "high": high},
    )


def _ties(row: NDArray[np.float64]) -> int:
    """How many entries share the largest logit."""
    return int(np.count_nonzero(row == row.max()))
