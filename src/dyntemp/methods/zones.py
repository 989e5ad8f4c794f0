"""Temperatures by the zone of the text: thinking, answer, tool call, code, the start of a block."""

from __future__ import annotations

from dyntemp.functions import integral, max, min, where  # noqa: A004 (the language's own)
from dyntemp.language.policy import Policy
from dyntemp.methods.method import Method, Number, Range
from dyntemp.signals import entropy, inside, max_prob

IN_CALL, IN_THOUGHT, IN_JSON = inside("tool_call") > 0.5, inside("think") > 0.5, inside("json") > 0.5


def think_answer(think: Number = 0.9, answer: Number = 0.2) -> Policy:
    """T = `think` inside the model's thoughts, `answer` elsewhere."""
    return Policy(where(IN_THOUGHT, think, answer), name="think_answer")


def structured_cold(cold: Number = 0.2, free: Number = 0.8) -> Policy:
    """T = `cold` inside tool calls, JSON and code, `free` elsewhere."""
    structured = max(inside("tool_call"), inside("json"), inside("code"))
    return Policy(where(structured > 0.5, cold, free), name="structured_cold")


def adapt(a: Number = 0.8, b: Number = 0.6) -> Policy:
    """T = a at the first token of a block of code, b elsewhere."""
    return Policy(where(inside("block") > 0.5, a, b), name="adapt")


def met(temperature: Number = 0.7) -> Policy:
    """T by zone, greedy where the model is sure, and hotter after a run of sure tokens.

    A tool call has at most 0.3, JSON outside of thoughts 0.6*temperature, all else `temperature`. Outside of tool calls
    0.1, 0.2 or 0.3 are added after 8, 16 or 32 tokens in a row with an entropy below 0.5 nats. Greedy where max_prob is
    at least 0.8 in a tool call, 0.95 in thoughts, 0.85 in JSON, 0.9 elsewhere.
    """
    sure = integral(where(entropy < 0.5, 1, -32), 0, 32)
    added = where(sure < 8, 0, where(sure < 16, 0.1, where(sure < 32, 0.2, 0.3)))
    elsewhere = where(inside("json") - inside("think") > 0.5, 0.6 * temperature, temperature) + added
    gate = where(IN_CALL, 0.8, where(IN_THOUGHT, 0.95, where(IN_JSON, 0.85, 0.9)))
    free = where(IN_CALL, min(temperature, 0.3), elsewhere)
    return Policy(where(max_prob >= gate, 0, free), name="met")


HOT, COLD = Range(0, 2, "the temperature inside"), Range(0, 2, "the temperature elsewhere")

METHODS = (
    Method("think_answer", think_answer, "one temperature for thoughts, one for the answer",
           "vLLM pull request 52876 (2026); also llama.cpp pull request 25709",
           "a model without thoughts is in its answer from the start; no measurement was published",
           {"think": HOT, "answer": COLD}),
    Method("structured_cold", structured_cold, "cold where the text has a syntax",
           "asked for in llguidance issue 90 and tt-inference-server issue 4203",
           "strings inside of JSON and comments inside of code are cold too",
           {"cold": HOT, "free": COLD}),
    Method("adapt", adapt, "hotter at the first token of a block of code", "AdapT, Zhu et al. 2024, arXiv:2309.02772",
           "for Python: a block opens after a line that ends in a colon; the pair of the paper was tuned against one "
           "static temperature", {"a": HOT, "b": COLD}),
    Method("met", met, "by zone, and greedy where the model is sure",
           "the inference server met 1.0.0-beta (2026)",
           "its factor for repeated windows is left out, since it reads the words of the text; heat after sure tokens "
           "has no published measurement",
           {"temperature": Range(0.05, 2, "the temperature of free text")}, stated="heats"),
)  # fmt: skip
