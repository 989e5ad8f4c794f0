"""The article's formulas: a constant plus a weighted signal, never below 0."""

from __future__ import annotations

from dyntemp.functions import log
from dyntemp.language.nodes import Expression, lift
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range, never_negative
from dyntemp.signals import entropy, max_prob, median_prob, perplexity


def max_prob_linear(a: Number = 0.5, b: Number = -0.4) -> Policy:
    """T = a + b*max_prob."""
    return never_negative(_linear(a, b, max_prob), "max_prob")


def entropy_linear(a: Number = 0.1, b: Number = 0.8) -> Policy:
    """T = a + b*entropy."""
    return never_negative(_linear(a, b, entropy), "entropy")


def perplexity_linear(a: Number = 0.1, b: Number = 0.8) -> Policy:
    """T = a + b*log(perplexity): the same as `entropy_linear`."""
    return never_negative(_linear(a, b, log(perplexity)), "perplexity")


def median_linear(a: Number = 0.5, b: Number = -0.4) -> Policy:
    """T = a + b*median_prob."""
    return never_negative(_linear(a, b, median_prob), "median")


def combined_linear(a: Number = 0.3, b: Number = -0.2, c: Number = 0.2) -> Policy:
    """T = a + b*max_prob + c*entropy."""
    return never_negative(_linear(_linear(a, b, max_prob), c, entropy), "combined")


def _linear(a: Number, b: Number, signal: Expression) -> Expression:
    """a + b*signal, written `a - 0.4*signal` where b is a negative number."""
    if isinstance(b, Expression) or b >= 0:
        return lift(a) + b * signal
    return lift(a) - -b * signal


ARTICLE = "the article this project began with (docs/article.md)"
START = Range(0, 2, "the constant")
OF_PROBABILITY = Range(-2, 2, "the weight of the probability")
OF_ENTROPY = Range(-1, 1, "the weight of a nat of entropy")

METHODS = (
    Method("max_prob", max_prob_linear, "colder the likelier the best token", ARTICLE,
           "with the article's values it stays in [0.1, 0.5]: nearly greedy everywhere",
           {"a": START, "b": OF_PROBABILITY}),
    Method("entropy", entropy_linear, "hotter the higher the entropy", ARTICLE,
           "entropy is not normalised: up to T = 8.7 on a vocabulary of 49,152, and heat feeds entropy",
           {"a": START, "b": OF_ENTROPY}),
    Method("perplexity", perplexity_linear, "the same as `entropy`, since log(perplexity) = entropy", ARTICLE,
           "as `entropy`", {"a": START, "b": OF_ENTROPY}),
    Method("median", median_linear, "colder the higher the median probability", ARTICLE,
           "constant on a real vocabulary, where the median is about 1e-8", {"a": START, "b": OF_PROBABILITY}),
    Method("combined", combined_linear, "max_prob and entropy, weighted", ARTICLE,
           "the two signals move together, so the weights are hard to tell apart; unnormalised as `entropy`",
           {"a": START, "b": OF_PROBABILITY, "c": OF_ENTROPY}),
)  # fmt: skip
