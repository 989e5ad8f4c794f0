"""Passages of a model without weights, drawn by NumPy at temperatures of the test's choice."""

import json

import numpy as np

from dyntemp.learn.passages import Passage
from dyntemp.testing import FakeModel

LETTERS = 12
TABLE = np.random.default_rng(5).normal(0, 1, (LETTERS, LETTERS, LETTERS)) * np.geomspace(0.5, 6, LETTERS)[:, None]
"""Logits by the two letters before: the last one decides how sure the model is."""


def model():
    """A model of letters whose rows follow from the last two."""
    pieces = [bytes([97 + at]) for at in range(LETTERS)]
    return FakeModel(pieces, lambda tokens: TABLE[([0, *tokens])[-2], tokens[-1]])


def entropy(z):
    """Entropy of a row at temperature 1, as the formula says it."""
    p = np.exp(z - z.max())
    p /= p.sum()
    return float(-(p * np.log(p)).sum())


def drawn(temperature, texts, length, seed=0):
    """Passages whose letters are drawn at `temperature(row)`."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(texts):
        tokens = [int(draw.integers(LETTERS))]
        while len(tokens) < length:
            row = TABLE[([0, *tokens])[-2], tokens[-1]]
            scaled = row / temperature(row)
            p = np.exp(scaled - scaled.max())
            tokens.append(int(draw.choice(LETTERS, p=p / p.sum())))
        found.append(Passage("".join(chr(97 + token) for token in tokens)))
    return found


def written(path, passages):
    """A file of JSON lines with these passages."""
    path.write_text("".join(json.dumps({"text": one.text}) + "\n" for one in passages), encoding="utf-8")
    return path
