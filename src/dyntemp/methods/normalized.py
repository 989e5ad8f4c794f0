"""DynaTemp: a temperature between two ends, by the entropy's share of the largest possible."""

from __future__ import annotations

from dyntemp.functions import lerp
from dyntemp.language.nodes import Expression
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import normalized_entropy


def below_one() -> Policy:
    """T from 0.3 where the model is certain to 1 where the row is uniform.

    T never exceeds 1, on any vocabulary. So it never makes the model less certain than it is, and heat cannot feed
    itself. The square root spreads the small entropies at which real models take most of their steps.
    """
    return Policy(between(0.3, 1.0, 0.5), name="below_one")


def dynatemp(low: Number = 0.3, high: Number = 1.3, exponent: Number = 1.0) -> Policy:
    """T = low + (high - low)*normalized_entropy**exponent."""
    return Policy(between(low, high, exponent), name="dynatemp")


def dynatemp_inverse(low: Number = 0.3, high: Number = 1.3, exponent: Number = 1.0) -> Policy:
    """T = high + (low - high)*normalized_entropy**exponent: `high` where the model is certain."""
    return Policy(between(high, low, exponent), name="dynatemp_inverse")


def between(certain: Number, uniform: Number, exponent: Number, share: Expression = normalized_entropy) -> Expression:
    """T = certain + (uniform - certain)*share**exponent, with a share from 0 to 1."""
    return lerp(certain, uniform, share if exponent == 1 else share**exponent)


LOW, HIGH = Range(0, 2, "the lower end"), Range(0, 3, "the higher end")
EXPONENT = Range(0.1, 5, "the exponent of the normalized entropy")

METHODS = (
    Method("below_one", below_one, "from 0.3 at certainty towards 1, and never above", "dyntemp",
           "not tuned for any task; a tuned static temperature may do as well"),
    Method("dynatemp", dynatemp, "hotter the nearer the entropy is to the largest possible",
           "kalomaze 2024; llama.cpp pull request 4972, no paper",
           "no benchmark was ever published; programs normalise by what their filters left, so the same numbers "
           "mean different temperatures: `dynatemp_llama_cpp` and its like follow one program each",
           {"low": LOW, "high": HIGH, "exponent": EXPONENT}),
    Method("dynatemp_inverse", dynatemp_inverse, "colder the nearer the entropy is to the largest possible",
           "asked for in llama.cpp issue 9178, where an exponent of -1 was tried and gives uniform draws or NaN",
           "heats the tokens of which the model is certain, where heat has the least effect; nothing was published",
           {"low": LOW, "high": HIGH, "exponent": EXPONENT}),
)  # fmt: skip
