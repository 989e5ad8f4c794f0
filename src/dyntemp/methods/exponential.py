"""Start temperatures, multiplied by a power whose exponent a signal gives."""

from __future__ import annotations

from math import log

from dyntemp.functions import max, sigmoid  # noqa: A004 (the language's own)
from dyntemp.language.nodes import Expression
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import divergence, entropy, given


def edt(t0: Number = 1.0, theta: Number = 1.5, n: Number = 0.8, floor: Number = 0.0) -> Policy:
    """T = t0 * n**(theta/entropy), at least `floor`; the paper has no floor."""
    scaled = _scaled(t0, n ** (theta / entropy))
    return Policy(scaled if floor == 0 else max(scaled, floor), name="edt")


def kl_guided(t0: Number = 1.0, sigma: Number = 1.0) -> Policy:
    """T = t0 * 2**(-divergence/sigma): the divergence of decoding without the context, which is the second prompt."""
    return Policy(_scaled(t0, _halved(divergence, sigma)), name="kl_guided")


def dfd(base_temperature: Number = 1.0, focus_sigma: Number = 0.25) -> Policy:
    """T = base_temperature * 2**(-knowledge/focus_sigma).

    The caller gives `knowledge`: the mean divergence, in nats, of earlier layers' distributions from the last one's,
    over the tokens that have a tenth of the largest probability or more.
    """
    return Policy(_scaled(base_temperature, _halved(KNOWLEDGE, focus_sigma)), name="dfd")


def dfd_linear(base_temperature: Number = 1.0, focus_sigma: Number = 0.25) -> Policy:
    """T = base_temperature * max(1 - knowledge/(2*focus_sigma), 0): as `dfd`, along a straight line."""
    line = max(1 - KNOWLEDGE / (2 * focus_sigma), 0)
    return Policy(_scaled(base_temperature, line), name="dfd_linear")


def dfd_sigmoid(base_temperature: Number = 1.0, focus_sigma: Number = 0.25) -> Policy:
    """T = base_temperature * 2*sigmoid(-ln(3)*knowledge/focus_sigma): as `dfd`, along a sigmoid."""
    curve = 2 * sigmoid(-log(3) * KNOWLEDGE / focus_sigma)
    return Policy(_scaled(base_temperature, curve), name="dfd_sigmoid")


def _scaled(start: Number, power: Expression) -> Expression:
    return power if start == 1 else start * power


def _halved(amount: Expression, width: Number) -> Expression:
    return 2 ** -(amount if width == 1 else amount / width)


KNOWLEDGE = given("knowledge", 0, 1000)
START = Range(0.1, 2, "the temperature without divergence")
WIDTH = Range(0.05, 10, "the divergence that halves T, in nats")

METHODS = (
    Method("edt", edt, "from 0 at certainty towards t0", "Zhang, Bao and Huang 2024, arXiv:2403.14541",
           "only cools; 0 where the entropy is 0, unless there is a floor; theta scales with the logarithm's base, "
           "which ports mix up",
           {"t0": Range(0.1, 2, "the temperature at large entropies"), "theta": Range(0.01, 5, "the scale, in nats"),
            "n": Range(0.1, 0.99, "the base"), "floor": Range(0, 1, "the lowest temperature")}),
    Method("kl_guided", kl_guided, "colder where the context matters", "Chang et al. 2023, arXiv:2306.01286",
           "reads a second prompt beside the first: twice the work and the memory; its source clips probabilities at "
           "1e-7", {"t0": START, "sigma": WIDTH}),
    Method("dfd", dfd, "colder where the last layers add knowledge", "dynamic focus decoding, arXiv:2503.08057 (2025)",
           "needs the output head on earlier layers; the code's configuration has focus_sigma = 0.25, its example 4",
           {"base_temperature": START, "focus_sigma": WIDTH}),
    Method("dfd_linear", dfd_linear, "as `dfd`, along a straight line",
           "after the linear form that arXiv:2503.08057 (2025) names",
           "the released code has the exponential form alone, so that the scale is ours: half of T at focus_sigma, and "
           "greedy from twice that on", {"base_temperature": START, "focus_sigma": WIDTH}),
    Method("dfd_sigmoid", dfd_sigmoid, "as `dfd`, along a sigmoid",
           "after the sigmoid form that arXiv:2503.08057 (2025) names",
           "the released code has the exponential form alone, so that the scale is ours: half of T at focus_sigma",
           {"base_temperature": START, "focus_sigma": WIDTH}),
)  # fmt: skip
