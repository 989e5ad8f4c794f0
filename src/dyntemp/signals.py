"""The signals of the policy language as Python objects, which expressions are built from."""

from __future__ import annotations

from dyntemp.language.nodes import Expression, Signal
from dyntemp.language.signals import make_signal

__all__ = [
    "collision", "divergence", "entries", "entropy", "given", "inside", "margin", "max_prob", "median_prob",
    "normalized_entropy", "perplexity", "position", "quantile", "requested", "support", "surprisal",
    "temperature_for_entropy", "top_mass", "varentropy",
]  # fmt: skip

max_prob = Signal("max_prob")
entropy = Signal("entropy")
normalized_entropy = Signal("normalized_entropy")
perplexity = Signal("perplexity")
median_prob = Signal("median_prob")
margin = Signal("margin")
collision = Signal("collision")
varentropy = Signal("varentropy")
support = Signal("support")
entries = Signal("entries")
divergence = Signal("divergence")
position = Signal("position")
surprisal = Signal("surprisal")
requested = Signal("requested")


def quantile(q: float) -> Signal:
    """The q-quantile of the probabilities over the support, linearly interpolated; 0 <= q <= 1."""
    return make_signal("quantile", q)


def top_mass(k: int) -> Signal:
    """The probability of the k likeliest tokens together; k >= 1."""
    return make_signal("top_mass", k)


def temperature_for_entropy(h: Expression | float) -> Signal:
    """The temperature at which the row's entropy is `h` nats.

    Entropy rises with temperature (dH/dT = Var(z)/T^3 under the tempered distribution), so there is at most one.
    Targets at or below the entropy of the tied maxima give 0, targets at or above ln(support) give infinity.
    """
    return make_signal("temperature_for_entropy", h)


def given(name: str, low: float, high: float) -> Signal:
    """A number that the caller supplies for each row under `name`, from `low` to `high`."""
    return make_signal("given", name, low, high)


def inside(zone: str) -> Signal:
    """1 if the text so far, prompt included, ends inside the zone of this name; else 0."""
    return make_signal("inside", zone)
