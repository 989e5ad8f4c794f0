"""Functions of one line: the model writes the expression that is returned, and test cases say whether it is right.

The values of the test cases are computed in the sandbox and compared outside it, so that no code that a model writes
sees the values that are expected.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from typing import Any

from dyntemp.evaluation.task import WRONG, Item, Score, Split
from dyntemp.evaluation.tasks.functions import FAMILIES, SHOTS, Function
from dyntemp.evaluation.tasks.programs import normal, outcome_of
from dyntemp.evaluation.tasks.splits import first_items, split_of


@dataclass(slots=True)
class Code:
    """Functions of one line, an item per function and a cluster per family; see `Task`."""

    name: str = field(default="code", init=False)
    group: str = field(default="code", init=False)
    metric: str | None = field(default="pass@8", init=False)
    about: str = field(default="Write the expression that a function returns; it is run on test cases.", init=False)

    def items(self, split: Split, count: int, seed: int = 0) -> list[Item]:
        """The first `count` functions of a split, in an order that the seed decides; see `Task.items`.

        Raises:
            ValueError: If the split has fewer functions.
        """
        found = [
            _item(family, function)
            for family, functions in FAMILIES.items()
            if split_of(family) == split
            for function in functions
        ]
        return first_items(self.name, split, found, count, seed)

    def score(self, item: Item, text: str) -> Score:
        """The score of an expression: valid if Python can read it, correct if it is right on all test cases.

        Its key is the expression as `ast.unparse` writes it, so that other spaces are no other answer.
        """
        function = Function(**item.data)
        if (written := expression(text)) is None:
            return WRONG
        expected = _values(function, function.right)
        assert expected is not None
        correct = same(_values(function, written), expected)
        return Score(valid=True, correct=correct, key=written if correct else "")


CODE = Code()


def _item(family: str, function: Function) -> Item:
    shots = "".join(f"{_head(shot)} {shot.right}\n\n" for shot in SHOTS)
    return Item(
        id=function.name,
        cluster=family,
        prompt=shots + _head(function),
        max_tokens=32,
        stop=("\n",),
        data=function._asdict(),
    )


def _head(function: Function) -> str:
    return f"# Return {function.asked}\ndef {function.head}:\n    return"


def expression(text: str) -> str | None:
    """The text behind `return`, if it is one expression, as `ast.unparse` writes it.

    >>> expression(" max( a,b )  # the larger")
    'max(a, b)'
    >>> expression(" a; b") is expression(" if") is None
    True
    """
    head = "def function():\n    return"
    written = normal(head + text)
    if written is None or not written.startswith(f"{head} ") or "\n" in (found := written.removeprefix(f"{head} ")):
        return None
    return found


def _values(function: Function, written: str) -> list[Any] | None:
    """The values of an expression on the test cases of a function; None if it fails, or has values of other types."""
    outcome = outcome_of(
        f"def {function.head}:\n    return {written}\n"
        f"print(repr([{function.name}(*case) for case in {function.cases!r}]), end='')"
    )
    if not outcome.ok:
        return None
    try:
        values = ast.literal_eval(outcome.output.rpartition("\n")[2])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return values if isinstance(values, list) else None


def same(found: Any, expected: Any) -> bool:
    """Compare two values: numbers up to rounding, lists item by item; True and False equal nothing but themselves."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return found is expected
    if isinstance(expected, int | float) and isinstance(found, int | float):
        try:
            return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
        except OverflowError:  # a whole number that no float can hold
            return found == expected
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(type(found) is type(expected) and found == expected)
