"""Policies as they are learned: shapes with random parameters."""

import numpy as np

from dyntemp.learn.learnable import Learnable, Shape, learnable

BOUNDS = (0.1, 3.0)

QUANTILES = {
    "entropy": [0.0, 0.05, 0.4, 1.1, 2.3, 5.0], "max_prob": [0.02, 0.2, 0.5, 0.8, 0.97, 1.0],
    "varentropy": [0.0, 0.2, 1.0, 2.1, 4.0, 9.0], "margin": [0.0, 0.1, 0.3, 0.7, 0.95, 1.0],
    "where(position < 1, 1, 0)": [0.0, 0.0, 0.0, 0.0, 0.0, 1.0], "min(position, 4)": [0.0, 3.0, 4.0, 4.0, 4.0, 4.0],
    "ema(entropy, 0.9)": [0.1, 0.4, 0.8, 1.0, 1.3, 2.5], "top_mass(5)": [0.2, 0.7, 0.9, 0.97, 0.99, 1.0],
    "normalized_entropy": [0.0, 0.01, 0.05, 0.1, 0.2, 0.5],
}  # fmt: skip
"""Quantiles of signals, made up; those of `position` have ties, as a model's have."""


def shaped(text, bounds=BOUNDS, anchor=0.9, seed=0) -> Learnable:
    """The shape of a text, at its static temperature."""
    return learnable(Shape.read(text), bounds, anchor, QUANTILES, seed)


def anywhere(found, rng):
    """Values of the parameters from the whole of their ranges."""
    return {name: rng.uniform(one.low, one.high) for name, one in found.template.parameters.items()}


def learned(text, seed=0, **options):
    """The text of a policy that has moved from its static temperature, but is not at its bounds throughout."""
    found, rng = shaped(text, seed=seed, **options), np.random.default_rng(seed)
    moved = anywhere(found, rng)
    if Shape.read(text).kind == "network":
        outside = {name: rng.normal() for name in found.start if name.startswith("v")}
        moved = {**found.start, **outside, "c": rng.normal()}
    return str(found.policy(moved))


CURVE = learned("curve")

NETWORK = learned("network")
"""16 units over 6 signals: 129 numbers."""

ROW_NETWORK = learned("network(entropy; max_prob; varentropy; margin; top_mass(5); normalized_entropy, 16)")
"""As many numbers over signals of the row alone, for hosts that do not tell positions."""

LEARNED = [
    CURVE, learned("curve(margin, 12)", 1), learned("curve(min(position, 4), 3)", 2),
    NETWORK, learned("network(27)", 3), learned("network(top_mass(5); entropy; where(position < 1, 1, 0), 5)", 4),
]  # fmt: skip
"""Policies that do not remember; the second network is the largest over the six signals that a policy has room for."""

LEARNED_REMEMBERING = [learned("curve(ema(entropy, 0.9))", 5), learned("network(ema(entropy, 0.9); margin, 4)", 6)]
