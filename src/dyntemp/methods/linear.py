"""The article's formulas: a constant plus a weighted signal."""

from __future__ import annotations

from dyntemp.functions import log
from dyntemp.language.nodes import Expression, lift
from dyntemp.language.policy import Policy
from dyntemp.signals import entropy, max_prob, median_prob, perplexity


def max_prob_linear(a: float = 0.5, b: float = -0.4) -> Policy:
    """T = a + b*max_prob."""
    return Policy(_linear(a, b, max_prob), name="max_prob")


def entropy_linear(a: float = 0.1, b: float = 0.8) -> Policy:
    """T = a + b*entropy."""
    return Policy(_linear(a, b, entropy), name="entropy")


def perplexity_linear(a: float = 0.1, b: float = 0.8) -> Policy:
    """T = a + b*log(perplexity): the same as `entropy_linear`."""
    return Policy(_linear(a, b, log(perplexity)), name="perplexity")


def median_linear(a: float = 0.5, b: float = -0.4) -> Policy:
    """T = a + b*median_prob."""
    return Policy(_linear(a, b, median_prob), name="median")


def combined_linear(a: float = 0.3, b: float = -0.2, c: float = 0.2) -> Policy:
    """T = a + b*max_prob + c*entropy."""
    return Policy(_linear(_linear(a, b, max_prob), c, entropy), name="combined")


def _linear(a: Expression | float, b: float, signal: Expression) -> Expression:
    """a + b*signal, written `a - 0.4*signal` where b is negative."""
    return lift(a) - -b * signal if b < 0 else lift(a) + b * signal
