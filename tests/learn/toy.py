"""Two contexts whose best temperatures are known.

Hot is best where the model is sure of one of many answers, cold where one answer stands out of noise. The first has a
low entropy, the second a high one.
"""

import numpy as np

from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.task import Item, Score
from dyntemp.testing import FakeModel

ANSWERS = 8
NOISE = 40
PIECES = [b"h", b"c", *(f"<{at}>".encode() for at in range(ANSWERS + NOISE))]
SURE = np.full(len(PIECES), -30.0)
SURE[2 : 2 + ANSWERS] = [0.0] + [-3.0] * (ANSWERS - 1)
TORN = np.full(len(PIECES), -30.0)
TORN[2] = 2.5
TORN[2 + ANSWERS :] = 0.0


def logits(tokens):
    """The row after a prompt that ends with `h` (one likely answer of eight) or `c` (one answer above noise)."""
    return SURE if tokens[-1] == 0 else TORN


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
    return [f"<{at}>" for at in range(ANSWERS if item.prompt.endswith("h") else 1)]


def expected(kind, t, k=8):
    """The expected distinct@k of a context at a temperature."""
    z = (SURE if kind == "h" else TORN) / t
    p = np.exp(z - z.max())
    p /= p.sum()
    return float(np.sum(1 - (1 - p[2 : 2 + (ANSWERS if kind == "h" else 1)]) ** k))


def runner(batch=64):
    return LoopRunner(FakeModel(PIECES, logits), batch=batch, backend="cpu")
