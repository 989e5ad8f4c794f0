"""A model of five tokens and tasks about its texts, for studies that take seconds."""

import numpy as np

from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.task import Item, Score
from dyntemp.testing import FakeModel

PIECES = [b"a", b"b", b"c", b"d", b"\n"]
COUNTS = {"tune": 4, "val": 4, "test": 5}


def logits(tokens):
    return np.random.default_rng([len(tokens), *tokens[-2:]]).normal(0, 1.5, len(PIECES))


class Letters:
    """The first letter after the prompt: two are correct."""

    group, about = "text", "A letter that is a or b."

    def __init__(self, name="letters", metric="distinct@4", answers=False):
        self.name, self.metric, self.answers = name, metric, answers

    def items(self, split, count, seed=0):
        if count > COUNTS[split]:
            raise ValueError(f"{split} has {COUNTS[split]} items")
        answers = {"a": "a", "b": "b"} if self.answers else {}
        prompts = {"tune": "abc", "val": "bcd", "test": "cda"}
        return [
            Item(id=f"{split}{at}", cluster=f"{split}{at}", prompt=prompts[split] + PIECES[at % 4].decode() * at,
                 max_tokens=2, stop=("\n",), answers=answers)
            for at in range(1, count + 1)
        ]  # fmt: skip

    def score(self, item, text):
        correct = text[:1] in ("a", "b")
        return Score(valid=bool(text), correct=correct, key=text[:1] if correct else "")


def runner(model=None, batch=8):
    return LoopRunner(model or FakeModel(PIECES, logits), batch=batch, backend="reference")
