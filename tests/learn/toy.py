"""Two contexts whose best temperatures are known.

Hot is best where the model is sure of one of many answers, cold where one answer stands out of noise. The first has a
low entropy, the second a high one. Two more contexts differ in entropy and share their best temperature: on them no
policy is better than a static one.
"""

import numpy as np

from dyntemp import temperatures
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.task import Item, Score
from dyntemp.testing import FakeModel

ANSWERS = 8
NOISE = 40
PIECES = [b"h", b"c", *(f"<{at}>".encode() for at in range(ANSWERS + NOISE)), b"w", b"n"]
COUNTS = {"h": ANSWERS, "c": 1, "w": ANSWERS, "n": 3}
"""Answers of each context."""


def row(kind, answers, noise):
    """A row whose first tokens are answers."""
    z = np.full(len(PIECES), -30.0)
    z[2 : 2 + COUNTS[kind]], z[2 + ANSWERS : 2 + ANSWERS + NOISE] = answers, noise
    return z


SURE, TORN = row("h", [0.0] + [-3.0] * 7, -12.0), row("c", 2.5, 0.0)
SHARED = 1.0288
"""The best temperature of both contexts that share it: logits that are c times as large have one c times as high."""
ROWS = {
    "h": SURE,
    "c": TORN,
    "w": row("w", [0.0] + [-2.0] * 7, -4.0),
    "n": row("n", np.multiply([0.0, -3.0, -3.0], SHARED / 1.5609), -6.0 * SHARED / 1.5609),
}


def logits(tokens):
    """The row of the context that the prompt's last piece names.

    `h` has one likely answer of eight, `c` one answer above noise, `w` eight answers above noise, and `n` three.
    """
    return ROWS[PIECES[tokens[-1]].decode()]


class Contexts:
    """One token: the answers are the first pieces behind `h`, and the first one alone behind `c`."""

    group, about = "text", "A token."

    def __init__(self, kinds="hc", metric="distinct@8"):
        self.name, self.metric, self.kinds = f"contexts-{kinds}", metric, kinds

    def items(self, split, count, seed=0):
        at = {"tune": 1, "val": 2, "test": 3}[split]
        ends = [self.kinds[number % len(self.kinds)] for number in range(count)]
        return [
            Item(id=f"{split}{number}", cluster=f"{split}{number}", prompt="h" * at + "c" * number + end, max_tokens=1)
            for number, end in enumerate(ends)
        ]

    def score(self, item, text):
        correct = text in answers(item)
        return Score(valid=True, correct=correct, key=text if correct else "")


def answers(item):
    """The correct texts of an item."""
    return [f"<{at}>" for at in range(COUNTS[item.prompt[-1]])]


def expected(kind, t, k=8):
    """The expected distinct@k of a context at a temperature."""
    z = ROWS[kind] / t
    p = np.exp(z - z.max())
    p /= p.sum()
    return float(np.sum(1 - (1 - p[2 : 2 + COUNTS[kind]]) ** k))


def reached(policy, kinds):
    """The expected metric of a policy, the mean over contexts."""
    found = temperatures(np.array([ROWS[kind] for kind in kinds]), policy)
    return float(np.mean([expected(kind, t) for kind, t in zip(kinds, found, strict=True)]))


def best(kinds, low=0.1, high=3.0):
    """The best static temperature and its expected metric, and the metric with the best temperature of each context."""
    grid = np.exp(np.linspace(np.log(low), np.log(high), 500))
    values = np.array([[expected(kind, t) for t in grid] for kind in kinds])
    at = int(values.mean(axis=0).argmax())
    return float(grid[at]), float(values[:, at].mean()), float(values.max(axis=1).mean())


def runner(batch=64):
    return LoopRunner(FakeModel(PIECES, logits), batch=batch, backend="cpu")
