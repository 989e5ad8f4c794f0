"""The temperatures of a policy over a family of rows, from certain to uniform."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.language.nodes import Const, Signal
from dyntemp.language.policy import Policy
from dyntemp.sampling import measure, temperatures
from dyntemp.signals import temperature_for_entropy

POINTS = 56


class Curve(NamedTuple):
    """A policy over a family of rows.

    Attributes:
        entropy: Entropy of each row in nats, rising.
        temperature: Temperature of each row.
    """

    entropy: NDArray[np.float64]
    temperature: NDArray[np.float64]


def curve_info(policy: Policy, vocabulary: int, points: int = POINTS) -> Curve:
    """The temperatures of a policy over rows whose probabilities follow Zipf's law, each with another exponent.

    The exponents are solved for entropies in equal steps, from 0.01 of the largest entropy to the largest. The policy
    is evaluated at the first token of a request with temperature 1, outside of every zone, with a divergence of 0.
    Values of `given(...)` are at the middle of their range.

    Args:
        policy: A policy without free parameters.
        vocabulary: Number of logits in each row, at least 2.
        points: Number of rows.
    """
    zipf = -np.log(np.arange(1, vocabulary + 1, dtype=np.float64))
    targets = np.linspace(0.01, 1.0, points) * np.log(vocabulary)
    sharp = np.array([_exponent(zipf, float(target)) for target in targets])
    rows = (zipf[None, :] * sharp[:, None]).astype(np.float32)
    state = policy.state(points) if policy.remembers else None
    entropy = measure(rows, "entropy")["entropy"]
    return Curve(entropy, np.asarray(temperatures(rows, policy, state=state, given=given(policy))))


def given(policy: Policy) -> dict[str, float]:
    """The values of `held` by the names under which a caller gives them."""
    return {
        str(signal.arguments[0] if signal.name == "given" else signal): value for signal, value in held(policy).items()
    }


def held(policy: Policy) -> dict[Signal, float]:
    """The signals of `policy` that do not depend on the row, and their values for a curve."""
    values = {}
    for signal in policy.signals:
        if signal.name == "given":
            low, high = (end.value for end in signal.arguments if isinstance(end, Const))
            values[signal] = (low + high) / 2
        elif signal.name in ("requested", "position", "inside", "divergence"):
            values[signal] = float(signal.name == "requested")
    return values


def _exponent(zipf: NDArray[np.float64], target: float) -> float:
    """The factor on `zipf` at which the row has the entropy `target`; it equals 1/T."""
    (temperature,) = measure(zipf, temperature_for_entropy(target)).values()
    return 1.0 / float(temperature)
