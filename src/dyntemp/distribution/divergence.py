"""The divergence of one row of logits from another."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray


def divergence(z: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The Kullback-Leibler divergence KL(p || q) of p = softmax(z) and q = softmax(other), in nats.

    An entry that is masked in one of the rows is left out of both; p and q are distributions over the others. Two rows
    without a common entry have the divergence infinity.

    Args:
        z: A row of logits, [n]; masked entries are -inf.
        other: The other row, [n].

    >>> round(divergence(np.log([0.5, 0.5]), np.log([0.25, 0.75])), 6)
    0.143841
    """
    shared = (z > -np.inf) & (other > -np.inf)
    if not shared.any():
        return inf
    log_p, log_q = _log_softmax(z[shared]), _log_softmax(other[shared])
    return max(float(np.sum(np.exp(log_p) * (log_p - log_q))), 0.0)


def _log_softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = z - z.max()
    log_softmax: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return log_softmax
