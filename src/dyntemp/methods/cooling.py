"""Formulas that cool a start temperature, and never exceed it."""

from __future__ import annotations

from dyntemp.functions import max, where  # noqa: A004 (the language's own)
from dyntemp.language.nodes import Expression
from dyntemp.language.policy import Policy
from dyntemp.signals import entropy, given


def edt(t0: float = 1.0, theta: float = 1.5, n: float = 0.8) -> Policy:
    """T = t0 * n**(theta/entropy)."""
    cooled = n ** (theta / entropy)
    return Policy(cooled if t0 == 1 else t0 * cooled, name="edt")


def kl_guided(t0: float = 1.0, sigma: float = 1.0) -> Policy:
    """T = t0 * 2**(-kl/sigma). The caller gives `kl`, the divergence between decoding with and without the context."""
    kl = given("kl", 0, 1000)
    cooled = 2 ** -(kl if sigma == 1 else kl / sigma)
    return Policy(cooled if t0 == 1 else t0 * cooled, name="kl_guided")


def adaptive_softmax() -> Policy:
    """T = 1/max(poly(entropy), 1) where entropy > 0.5, else 1, with a fitted polynomial of degree four."""
    inverse: Expression = -1.791 + entropy * (4.917 + entropy * (-2.3 + entropy * (0.481 - 0.037 * entropy)))
    return Policy(where(entropy > 0.5, 1 / max(inverse, 1), 1), name="adaptive_softmax")
