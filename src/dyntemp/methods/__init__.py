"""Published recipes for a dynamic temperature, each a function that returns a Policy.

`METHODS` holds the source of each, its parameters with their ranges, and its known failures. The recipes differ even in
sign: some heat the steps at which the model is unsure, some cool them. `evidence` has the study that compares them.
"""

from dyntemp.methods.constant import default, static
from dyntemp.methods.controllers import adaptive_p, entropy_control, entropy_cooling, surprise_control
from dyntemp.methods.exponential import dfd, dfd_linear, dfd_sigmoid, edt, kl_guided
from dyntemp.methods.learned import autodeco, lad
from dyntemp.methods.linear import combined_linear, entropy_linear, max_prob_linear, median_linear, perplexity_linear
from dyntemp.methods.maps import belltemp, evdt, gdt, hvh_drift, power_map
from dyntemp.methods.method import Method, MethodParameter
from dyntemp.methods.normalized import below_one, dynatemp, dynatemp_inverse
from dyntemp.methods.polynomial import adaptive_softmax
from dyntemp.methods.programs import (
    dynatemp_aphrodite,
    dynatemp_exllamav2,
    dynatemp_koboldcpp,
    dynatemp_llama_cpp,
    dynatemp_sillytavern,
    dynatemp_textgen,
)
from dyntemp.methods.rules import entropix
from dyntemp.methods.schedules import annealed, cosine_schedule, decay_schedule, linear_schedule, step_schedule
from dyntemp.methods.table import METHODS
from dyntemp.methods.target import fixed_entropy, target_entropy
from dyntemp.methods.threshold import confident_greedy, fork_lock, greedy_threshold, selective
from dyntemp.methods.zones import adapt, met, structured_cold, think_answer

__all__ = [
    "METHODS", "Method", "MethodParameter", "adapt", "adaptive_p", "adaptive_softmax", "annealed", "autodeco",
    "belltemp", "below_one", "combined_linear", "confident_greedy", "cosine_schedule", "decay_schedule", "default",
    "dfd", "dfd_linear", "dfd_sigmoid", "dynatemp", "dynatemp_aphrodite", "dynatemp_exllamav2", "dynatemp_inverse",
    "dynatemp_koboldcpp", "dynatemp_llama_cpp", "dynatemp_sillytavern", "dynatemp_textgen", "edt", "entropix",
    "entropy_control", "entropy_cooling", "entropy_linear", "evdt", "fixed_entropy", "fork_lock", "gdt",
    "greedy_threshold", "hvh_drift", "kl_guided", "lad", "linear_schedule", "max_prob_linear", "median_linear", "met",
    "perplexity_linear", "power_map", "selective", "static", "step_schedule", "structured_cold", "surprise_control",
    "target_entropy", "think_answer",
]  # fmt: skip
