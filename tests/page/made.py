"""Traces and models that the tests of the page share."""

import json

import numpy as np

from dyntemp import generate
from dyntemp.testing import FakeModel

WORDS = [
    b" the", b" a", b" sea", b" light", b" keeper", b" night", b" storm", b" ship", b" was", b" saw", b" and", b" far",
    b" old", b" lamp", b" wind", b".", b",", b"\n", b" river", b" stone", b"\xc3", b"\xa9", b" waited", b" alone", b"",
]  # fmt: skip
PROMPT = " the old keeper"


def words_model(**settings):
    """A model of some words, sure of some and torn over others: what comes next hangs on the last two."""

    def logits(tokens):
        noise = np.random.default_rng([tokens[-1], tokens[-2] if len(tokens) > 1 else 0])
        row = noise.normal(0, noise.choice([0.6, 2.0, 5.0]), len(WORDS))
        row[-1] = -30.0
        return row

    return FakeModel(WORDS, logits, end=[len(WORDS) - 1], chat=True, context=6000, name="words", **settings)


def trace_text(tmp_path, *, policy="0.3 + 0.7*normalized_entropy**0.5", count=60, name="made", **settings):
    """The text of a trace of `count` tokens."""
    path = tmp_path / f"{name}.jsonl"
    settings = {"seed": 7, "max_tokens": count, "backend": "reference", **settings}
    with generate(words_model(), PROMPT, policy, trace=path, **settings) as run:
        for _ in run:
            pass
    return path.read_text(encoding="utf-8")


def long_trace(tmp_path, count):
    """The text of a trace of `count` tokens, which repeats a shorter one."""
    header, *lines = trace_text(tmp_path, count=200, name="short").splitlines()
    tokens = [json.loads(line) for line in lines]
    shown = ({**tokens[at % len(tokens)], "position": at, "finish": None} for at in range(count))
    return "\n".join([header, *(json.dumps(token) for token in shown)]) + "\n"


def example(lines, title="Made for tests", teaches="It is short."):
    return {"title": title, "teaches": teaches, "lines": lines}
