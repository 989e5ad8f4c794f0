"""A fitted polynomial of the entropy."""

from __future__ import annotations

from dyntemp.functions import max, where  # noqa: A004 (the language's own)
from dyntemp.language.nodes import Expression
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method
from dyntemp.signals import entropy


def adaptive_softmax() -> Policy:
    """T = 1/max(poly(entropy), 1) where entropy > 0.5, else 1, with a fitted polynomial of degree four."""
    inverse: Expression = -1.791 + entropy * (4.917 + entropy * (-2.3 + entropy * (0.481 - 0.037 * entropy)))
    return Policy(where(entropy > 0.5, 1 / max(inverse, 1), 1), name="adaptive_softmax")


METHODS = (
    Method("adaptive_softmax", adaptive_softmax, "sharper at middle entropies",
           "Velickovic et al. 2024, arXiv:2410.01104",
           "fitted to attention heads; its authors warn against vocabularies; inactive below 0.85 and above 5.94 nats, "
           "and not monotone between", stated="cools"),
)  # fmt: skip
