"""A model of nine tokens, small enough to enumerate every text, and an item whose answers have several spellings."""

from collections import defaultdict

import numpy as np

from dyntemp.distribution.filters import GREEDY_AT, Filters
from dyntemp.evaluation.task import Item
from dyntemp.sampling import temperatures
from dyntemp.testing import FakeModel

PIECES = [b"a", b"b", b"ab", b"\n", b"b\n", b"", b"<", b"c", b"\n\n"]
"""`ab` is one token and two, `b\\n` ends an answer in the middle of a token, and token 5 ends the text."""


def row(tokens):
    return np.random.default_rng([len(tokens), *tokens]).normal(0, 1.5, len(PIECES)).astype(np.float32)


def toy_model():
    return FakeModel(PIECES, row, end=[5])


def toy_item(prompt="c", max_tokens=3, answers=("a", "ab", "aba")):
    keys = {"a": "A", "ab": "AB", "aba": "A", "<": "<", "c": "C"}
    return Item(id=prompt, cluster=prompt, prompt=prompt, max_tokens=max_tokens, stop=("\n",),
                answers={text: keys[text] for text in answers})  # fmt: skip


def enumerated(policy, filters=Filters(), item=None):
    """The probability of each text and tokens: text -> tokens -> probability. The policy reads the row alone."""
    item = item or toy_item()
    prompt = toy_model().encode(item.prompt)
    found = defaultdict(dict)

    def go(path, chance, text):
        if b"\n" in text or len(path) == item.max_tokens:
            found[text.split(b"\n")[0].decode()][path] = chance
            return
        z = row([*prompt, *path])
        t = float(temperatures(z, policy))
        z = np.where(filters.mask(z.astype(np.float64), t), z, -np.inf).astype(np.float64)
        p = np.exp((z - z.max()) / min(t, 1e300)) if t > GREEDY_AT else (np.arange(len(z)) == z.argmax()) * 1.0
        for token, weight in enumerate(p / p.sum()):
            if token == 5:
                found[text.decode()][(*path, token)] = chance * weight
            elif weight > 0:
                go((*path, token), chance * weight, text + PIECES[token])

    go((), 1.0, b"")
    return found
