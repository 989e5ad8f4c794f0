"""All recipes, each with its source, its idea and its known failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dyntemp.language.policy import Policy
from dyntemp.methods.constant import static
from dyntemp.methods.cooling import adaptive_softmax, edt, kl_guided
from dyntemp.methods.feedback import surprise_control
from dyntemp.methods.linear import combined_linear, entropy_linear, max_prob_linear, median_linear, perplexity_linear
from dyntemp.methods.normalized import default, dynatemp
from dyntemp.methods.schedule import annealed
from dyntemp.methods.target import target_entropy
from dyntemp.methods.threshold import greedy_threshold


@dataclass(frozen=True, slots=True)
class Method:
    """A published recipe.

    Attributes:
        name: The name that `--policy` takes.
        make: Returns the policy. Its defaults are the values of the source.
        source: The publication.
        idea: The effect, in one sentence.
        fails: The cases where it is known to fail or to mislead.
    """

    name: str
    make: Callable[..., Policy]
    source: str
    idea: str
    fails: str


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
"""The recipes by name, in the order in which they are listed."""
