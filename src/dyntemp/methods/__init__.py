"""Published recipes for a dynamic temperature, each a function that returns a Policy.

`METHODS` holds the source of each, its idea, and its known failures. The recipes differ even in sign: some heat the
steps at which the model is unsure, some cool them. No study compares the two under equal tuning.
"""

from dyntemp.methods.constant import static
from dyntemp.methods.cooling import adaptive_softmax, edt, kl_guided
from dyntemp.methods.feedback import surprise_control
from dyntemp.methods.linear import combined_linear, entropy_linear, max_prob_linear, median_linear, perplexity_linear
from dyntemp.methods.normalized import default, dynatemp
from dyntemp.methods.schedule import annealed
from dyntemp.methods.table import METHODS, Method
from dyntemp.methods.target import target_entropy
from dyntemp.methods.threshold import greedy_threshold

__all__ = [
    "METHODS",
    "Method",
    "adaptive_softmax",
    "annealed",
    "combined_linear",
    "default",
    "dynatemp",
    "edt",
    "entropy_linear",
    "greedy_threshold",
    "kl_guided",
    "max_prob_linear",
    "median_linear",
    "perplexity_linear",
    "static",
    "surprise_control",
    "target_entropy",
]
