"""Temperatures of small networks that read the model's hidden state."""

from __future__ import annotations

from dyntemp.functions import sigmoid
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method
from dyntemp.signals import given


def autodeco() -> Policy:
    """T = 2*sigmoid(head). The caller gives `head`, the output of a network on the last hidden state."""
    return Policy(2 * sigmoid(given("head", -50, 50)), name="autodeco")


def lad() -> Policy:
    """T = tau. The caller gives `tau`, the temperature that a network chose from a list."""
    return Policy(given("tau", 0, 2), name="lad")


METHODS = (
    Method("autodeco", autodeco, "as hot as a trained head says", "The End of Manual Decoding, arXiv:2510.26697 (2025)",
           "needs a head trained for the model; its own table has less than a point over a tuned static temperature"),
    Method("lad", lad, "one of a few temperatures, as a trained head chooses",
           "latent preference optimization, arXiv:2411.09661 (2024)",
           "needs a head trained for the model and the task"),
)  # fmt: skip
