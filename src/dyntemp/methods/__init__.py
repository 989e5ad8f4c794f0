"""Published recipes for a dynamic temperature, each a function that returns a Policy.

`METHODS` tells of each where it comes from, its formula, and where it is known to fail. They differ even in sign: some
heat the steps at which the model is unsure, some cool them, and no study compares the two under equal tuning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dyntemp.functions import clip, exp, integral, lerp, log, max, where  # noqa: A004 (the language's own)
from dyntemp.language.nodes import Expression, lift
from dyntemp.language.policy import Policy
from dyntemp.signals import (
    entropy,
    given,
    max_prob,
    median_prob,
    normalized_entropy,
    perplexity,
    position,
    surprisal,
    temperature_for_entropy,
)


@dataclass(frozen=True, slots=True)
class Method:
    """One recipe.

    Attributes:
        name: What `--policy` takes.
        make: The function that returns the policy; called without arguments it takes the source's values.
        source: Where it was published.
        idea: What it does, in one sentence.
        fails: Where it is known to fail or to mislead.
    """

    name: str
    make: Callable[..., Policy]
    source: str
    idea: str
    fails: str


def default() -> Policy:
    """From 0.3 where the model is certain to 1 where it knows nothing.

    It never exceeds 1, so it cannot make the model less certain than it is and cannot run away, on any vocabulary;
    and the square root spreads the small entropies at which real models take most of their steps.
    """
    return Policy(lerp(0.3, 1.0, normalized_entropy**0.5), name="default")


def static(temperature: float = 0.7) -> Policy:
    """One temperature for all, the control that every other method has to beat."""
    return Policy(temperature, name="static")


def max_prob_linear(a: float = 0.5, b: float = -0.4) -> Policy:
    """T = a + b*max_prob."""
    return Policy(_linear(a, b, max_prob), name="max_prob")


def entropy_linear(a: float = 0.1, b: float = 0.8) -> Policy:
    """T = a + b*entropy."""
    return Policy(_linear(a, b, entropy), name="entropy")


def perplexity_linear(a: float = 0.1, b: float = 0.8) -> Policy:
    """T = a + b*log(perplexity), which is `entropy_linear`."""
    return Policy(_linear(a, b, log(perplexity)), name="perplexity")


def median_linear(a: float = 0.5, b: float = -0.4) -> Policy:
    """T = a + b*median_prob."""
    return Policy(_linear(a, b, median_prob), name="median")


def combined_linear(a: float = 0.3, b: float = -0.2, c: float = 0.2) -> Policy:
    """T = a + b*max_prob + c*entropy."""
    return Policy(_linear(_linear(a, b, max_prob), c, entropy), name="combined")


def dynatemp(low: float = 0.3, high: float = 1.3, exponent: float = 1.0) -> Policy:
    """T = low + (high - low)*normalized_entropy**exponent; `low` above `high` gives the inverse."""
    share = normalized_entropy if exponent == 1 else normalized_entropy**exponent
    return Policy(lerp(low, high, share), name="dynatemp")


def edt(t0: float = 1.0, theta: float = 1.5, n: float = 0.8) -> Policy:
    """T = t0 * n**(theta/entropy)."""
    cooled = n ** (theta / entropy)
    return Policy(cooled if t0 == 1 else t0 * cooled, name="edt")


def kl_guided(t0: float = 1.0, sigma: float = 1.0) -> Policy:
    """T = t0 * 2**(-kl/sigma), where the caller gives the divergence between decoding with and without the context."""
    kl = given("kl", 0, 1000)
    cooled = 2 ** -(kl if sigma == 1 else kl / sigma)
    return Policy(cooled if t0 == 1 else t0 * cooled, name="kl_guided")


def adaptive_softmax() -> Policy:
    """T = 1/max(poly(entropy), 1) where entropy > 0.5, else 1; the polynomial has four fitted coefficients."""
    inverse: Expression = -1.791 + entropy * (4.917 + entropy * (-2.3 + entropy * (0.481 - 0.037 * entropy)))
    return Policy(where(entropy > 0.5, 1 / max(inverse, 1), 1), name="adaptive_softmax")


def greedy_threshold(threshold: float = 0.3, temperature: float = 0.7) -> Policy:
    """Greedy where max_prob < threshold, else `temperature`."""
    return Policy(where(max_prob < threshold, 0, temperature), name="greedy_threshold")


def target_entropy(share: float = 0.85, low: float = 0.01, high: float = 1.0) -> Policy:
    """The temperature at which the row's entropy is `share` of what it was, within [low, high]."""
    return Policy(clip(temperature_for_entropy(max(1e-5, share * entropy)), low, high), name="target_entropy")


def annealed(tau_max: float = 1.2, tau_min: float = 0.1, d: float = 1000.0) -> Policy:
    """T = max(1 + tau_max - exp(position/d), tau_min): early hot, late cold."""
    return Policy(max(1 + tau_max - exp(position / d), tau_min), name="annealed")


def surprise_control(target: float = 2.5, gain: float = 0.1, base: float = 0.7) -> Policy:
    """T = base + a clipped running sum of gain*(target - surprisal): hotter while the text bores, else colder."""
    return Policy(base + integral(gain * (target - surprisal), -0.5, 0.8), name="surprise_control")


def _linear(a: Expression | float, b: float, signal: Expression) -> Expression:
    """a + b*signal, written `a - 0.4*signal` where b is negative."""
    return lift(a) - -b * signal if b < 0 else lift(a) + b * signal


ARTICLE = "the article this project began with (docs/article.md)"

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("default", default, "dyntemp", "0.3 where the model is certain, towards 1 where it is torn, never above",
               "not tuned for any task; a tuned static temperature may do as well"),
        Method("static", static, "Ackley, Hinton and Sejnowski 1985", "one temperature for every token",
               "treats a forced token and an open one alike"),
        Method("max_prob", max_prob_linear, ARTICLE, "colder the likelier the best token",
               "with the article's values it stays in [0.1, 0.5]: nearly greedy everywhere"),
        Method("entropy", entropy_linear, ARTICLE, "hotter the higher the entropy",
               "entropy is not normalised: up to T = 8.7 on a vocabulary of 49,152, and heat feeds entropy"),
        Method("perplexity", perplexity_linear, ARTICLE, "the same as `entropy`, since log(perplexity) = entropy",
               "as `entropy`"),
        Method("median", median_linear, ARTICLE, "colder the higher the median probability",
               "constant on a real vocabulary, where the median is about 1e-8"),
        Method("combined", combined_linear, ARTICLE, "max_prob and entropy, weighted",
               "the two signals move together, so the weights are hard to tell apart; unnormalised as `entropy`"),
        Method("dynatemp", dynatemp, "kalomaze 2024; llama.cpp pull request 4972, no paper",
               "hotter the nearer the entropy is to the largest possible",
               "no benchmark was ever published; engines normalise by what their filters left, so the same numbers "
               "mean different temperatures"),
        Method("edt", edt, "Zhang, Bao and Huang 2024, arXiv:2403.14541", "from 0 at certainty towards t0",
               "only cools; 0 where the entropy is 0; theta scales with the logarithm's base, which ports mix up"),
        Method("kl_guided", kl_guided, "Chang et al. 2023, arXiv:2306.01286", "colder where the context matters",
               "needs a second decode without the context, whose divergence the caller gives as `kl`"),
        Method("adaptive_softmax", adaptive_softmax, "Velickovic et al. 2024, arXiv:2410.01104",
               "sharper at middle entropies", "fitted to attention heads; its authors warn against vocabularies; "
               "inactive below 0.85 and above 5.94 nats, and not monotone between"),
        Method("greedy_threshold", greedy_threshold, "arXiv:2510.05987 (ICLR 2026)", "greedy where the model is unsure",
               "the opposite sign of `dynatemp`; proposed for reasoning, where one answer is right"),
        Method("target_entropy", target_entropy, "Agarwal et al. 2025, arXiv:2505.15134 (EM-INF)",
               "reduce each row's entropy by a fixed share", "ties cannot be made less entropic and turn greedy; the "
               "published code mixes rows of a batch and stops 0.1 nats short"),
        Method("annealed", annealed, "exploration-annealed decoding, arXiv:2510.05251 (2025)",
               "explore early, exploit late", "knows the position only; d has to fit the length of the answer"),
        Method("surprise_control", surprise_control, "after Basu et al. 2020, arXiv:2007.14966 (Mirostat), acting on "
               "temperature", "feedback that holds the surprise of the text near a target",
               "no proof of stability; a target that the text cannot reach drives it to its limits"),
    )
}  # fmt: skip
