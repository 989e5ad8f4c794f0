"""Two temperatures, on either side of a threshold."""

from __future__ import annotations

from dyntemp.functions import where
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import entropy, given, max_prob


def greedy_threshold(threshold: Number = 0.3, temperature: Number = 0.7) -> Policy:
    """Greedy where max_prob < threshold, else `temperature`."""
    return Policy(where(max_prob < threshold, 0, temperature), name="greedy_threshold")


def confident_greedy(threshold: Number = 0.9, temperature: Number = 0.7) -> Policy:
    """Greedy where max_prob >= threshold, else `temperature`."""
    return Policy(where(max_prob >= threshold, 0, temperature), name="confident_greedy")


def fork_lock(threshold: Number = 0.23, lock: Number = 0.2, fork: Number = 0.8) -> Policy:
    """`lock` where entropy < threshold, in nats; `fork` elsewhere."""
    return Policy(where(entropy < threshold, lock, fork), name="fork_lock")


def selective(threshold: Number = 0.5, temperature: Number = 1.0) -> Policy:
    """Greedy where risk > threshold, else `temperature`. The caller gives `risk`, a classifier's probability."""
    return Policy(where(given("risk", 0, 1) > threshold, 0, temperature), name="selective")


SHARE = Range(0, 1, "the threshold of max_prob")
ELSE = Range(0, 2, "the temperature on the other side")

METHODS = (
    Method("greedy_threshold", greedy_threshold, "greedy where the model is unsure", "arXiv:2510.05987 (ICLR 2026)",
           "the opposite sign of `dynatemp`; proposed for reasoning, where one answer is right",
           {"threshold": SHARE, "temperature": ELSE}, stated="cools"),
    Method("confident_greedy", confident_greedy, "greedy where the model is sure",
           "the gate of the inference server met 1.0.0-beta (2026)",
           "the opposite of `greedy_threshold`, though it is attributed to the same paper; where p is 0.9 and more, "
           "greedy and T = 0.7 seldom differ", {"threshold": SHARE, "temperature": ELSE}, stated="heats"),
    Method("fork_lock", fork_lock, "cold where one token fits, warm where texts part",
           "after the locks and forks of arXiv:2604.01193 (2026); three quarters of the tokens of code lie below the "
           "threshold",
           "that paper argues for training instead; a repository that tried it on code solved 6 of 1,750 fewer",
           {"threshold": Range(0, 3, "the entropy of a fork, in nats"), "lock": Range(0, 1, "the cold temperature"),
            "fork": Range(0, 2, "the warm temperature")}, stated="heats"),
    Method("selective", selective, "greedy where a classifier sees a risk", "selective sampling, arXiv:2510.01218",
           "needs a classifier on the hidden state, trained on problems whose answers can be checked",
           {"threshold": Range(0, 1, "the risk from which it is greedy"), "temperature": ELSE}),
)  # fmt: skip
