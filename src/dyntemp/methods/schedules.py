"""Temperatures that follow the position in the text."""

from __future__ import annotations

from dyntemp.functions import exp, halfcos, lerp, max, min, where  # noqa: A004 (the language's own)
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import position


def annealed(tau_max: Number = 1.2, tau_min: Number = 0.1, d: Number = 1000.0, c: Number = 10.0) -> Policy:
    """T = 1 for the first c tokens, then max(1 + tau_max - exp(position/d), tau_min): early hot, late cold."""
    return Policy(where(position < c, 1, max(1 + tau_max - exp(position / d), tau_min)), name="annealed")


def linear_schedule(start: Number = 1.0, end: Number = 0.3, length: Number = 256.0) -> Policy:
    """T on a straight line from `start` at the first token to `end` at token `length`, and `end` after it."""
    return Policy(lerp(start, end, min(position / length, 1)), name="linear_schedule")


def cosine_schedule(start: Number = 1.0, end: Number = 0.3, length: Number = 256.0) -> Policy:
    """T = end + (start - end)*(1 + cos(pi*position/length))/2 up to token `length`, and `end` after it."""
    return Policy(lerp(start, end, halfcos(position / length)), name="cosine_schedule")


def step_schedule(start: Number = 1.0, end: Number = 0.3, at: Number = 32.0) -> Policy:
    """T = `start` for the first `at` tokens, then `end`."""
    return Policy(where(position < at, start, end), name="step_schedule")


def decay_schedule(start: Number = 1.0, rate: Number = 0.01, floor: Number = 0.001) -> Policy:
    """T = max(start * exp(-rate*position), floor)."""
    return Policy(max(start * exp(-rate * position), floor), name="decay_schedule")


START, END = Range(0, 2, "the temperature at the first token"), Range(0, 2, "the temperature at the end")
BLIND = "knows the position only, and not how long the answer will be"

METHODS = (
    Method("annealed", annealed, "explore early, exploit late",
           "exploratory annealed decoding, arXiv:2510.05251 (2025)",
           f"{BLIND}: d has to fit it; made for training with rewards, where d grows from step to step",
           {"tau_max": Range(0.1, 2, "the temperature after the first tokens"),
            "tau_min": Range(0, 1, "the lowest temperature"),
            "d": Range(1, 40_000, "the tokens after which T has fallen by 1.7"),
            "c": Range(0, 100, "the first tokens, at T = 1")}),
    Method("linear_schedule", linear_schedule, "from one temperature to another along the text",
           "asked for in vLLM issue 11276", BLIND,
           {"start": START, "end": END, "length": Range(1, 32_768, "the tokens until the end")}),
    Method("cosine_schedule", cosine_schedule, "from one temperature to another along half a cosine",
           "asked for in vLLM issue 11276, in the shape of Loshchilov and Hutter 2017, arXiv:1608.03983",
           BLIND, {"start": START, "end": END, "length": Range(1, 32_768, "the tokens until the end")}),
    Method("step_schedule", step_schedule, "one temperature for the first tokens, then another",
           "asked for in vLLM issue 11276", BLIND,
           {"start": START, "end": END, "at": Range(0, 32_768, "the tokens before the step")}),
    Method("decay_schedule", decay_schedule, "colder by the same share at each token",
           "the `decay` mode of the code of TURN, arXiv:2502.05234 (2025)",
           f"{BLIND}; practically greedy after seven times 1/rate tokens",
           {"start": START, "rate": Range(1e-4, 1, "the share that is lost at each token"),
            "floor": Range(0, 1, "the lowest temperature")}),
)  # fmt: skip
