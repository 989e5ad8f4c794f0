"""The rules of entropix for entropy and varentropy, as far as they concern temperature."""

from __future__ import annotations

from math import log

from dyntemp.functions import max, min, where  # noqa: A004 (the language's own)
from dyntemp.language.nodes import Comparison
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import entropy, varentropy

BIT = log(2)


def entropix(
    temp: Number = 0.666, low_ent: Number = 0.1, med_ent: Number = 3.0, high_ent: Number = 5.0,
    low_vent: Number = 0.1, high_vent: Number = 5.0,
) -> Policy:  # fmt: skip
    """The temperature of the first of five rules that holds for entropy h and varentropy v, in bits.

    Both low: greedy. h high and v low: min(1.5, 1.3*temp). h not high and v high: min(1.5, 1.2*temp). Both high:
    max(2, 2*temp). Else temp*(1 + 0.3*(h + v)). Terms of the attention are left out, as if its entropy, varentropy
    and scores were 0.
    """
    h, v = entropy / BIT, varentropy / BIT**2
    between = temp * (1 + 0.3 * (h + v))
    both_high = where(_below_0(med_ent - h, high_vent - v), max(2, 2 * temp), between)
    forked = where(_below_0(h - high_ent, high_vent - v), min(1.5, 1.2 * temp), both_high)
    careful = where(_below_0(high_ent - h, v - low_vent), min(1.5, 1.3 * temp), forked)
    return Policy(where(_below_0(h - low_ent, v - low_vent), 0, careful), name="entropix")


def _below_0(x: Number, y: Number) -> Comparison:
    """True where both are below 0."""
    return max(x, y) < 0


METHODS = (
    Method("entropix", entropix, "greedy where the model is sure, else hotter by rules",
           "xjdr-alt/entropix e55e9a3 (October 2024)",
           "no evaluation was published; its thresholds are hand-made for one model; its draws of five candidates, its "
           "question token and its terms of the attention are not part of a temperature; up to T = 25",
           {"temp": Range(0, 2, "the start temperature"), "low_ent": Range(0, 1, "entropy is low below, in bits"),
            "med_ent": Range(0, 10, "entropy is high above, beside a high varentropy, in bits"),
            "high_ent": Range(0, 20, "entropy is high above, in bits"),
            "low_vent": Range(0, 1, "varentropy is low below, in bits^2"),
            "high_vent": Range(0, 50, "varentropy is high above, in bits^2")}, stated="heats"),
)  # fmt: skip
