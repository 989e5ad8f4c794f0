"""Temperatures at which the row reaches a target entropy."""

from __future__ import annotations

from dyntemp.functions import clip, max  # noqa: A004 (the language's own)
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import entropy, temperature_for_entropy


def target_entropy(share: Number = 0.85, low: Number = 0.01, high: Number = 1.0) -> Policy:
    """The temperature at which the row's entropy is `share` of its entropy at T = 1, within [low, high]."""
    return Policy(clip(temperature_for_entropy(max(1e-5, share * entropy)), low, high), name="target_entropy")


def fixed_entropy(target: Number = 1.0, low: Number = 0.3, high: Number = 1.3) -> Policy:
    """The temperature at which the row's entropy is `target` nats, within [low, high]."""
    return Policy(clip(temperature_for_entropy(target), low, high), name="fixed_entropy")


LOW, HIGH = Range(0, 0.5, "the lowest temperature"), Range(0.5, 2, "the highest temperature")

METHODS = (
    Method("target_entropy", target_entropy, "reduce each row's entropy by a fixed share",
           "Agarwal et al. 2025, arXiv:2505.15134 (EM-INF)",
           "ties cannot be made less entropic and turn greedy; the published code mixes rows of a batch and stops 0.1 "
           "nats short", {"share": Range(0, 2, "the share of the entropy that is left"), "low": LOW, "high": HIGH},
           stated="cools"),
    Method("fixed_entropy", fixed_entropy, "give every draw the same entropy, within limits",
           "after the target entropy of entropix (November 2024), with one target in place of moving averages",
           "heats certain rows to the upper limit, forced tokens among them, and cools open ones",
           {"target": Range(0, 5, "the entropy of a draw, in nats"), "low": LOW, "high": HIGH}, stated="cools"),
)  # fmt: skip
