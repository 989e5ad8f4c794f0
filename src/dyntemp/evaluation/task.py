"""A task: items, each a prompt in one of three splits, and a scorer of the texts that models write to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, get_args

from dyntemp.generation.prompts import Prompt

Split = Literal["tune", "val", "test"]
"""The items that choose configurations, those that choose among the best of these, and those that are reported."""

SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One prompt of a task.

    Attributes:
        id: Its name, unique in its task.
        cluster: Items of one cluster share a category or a template. Intervals resample clusters.
        prompt: Text that the model continues as it is, or a conversation, which goes into its chat template.
        max_tokens: Most tokens of a text.
        stop: A text ends before any of these.
        answers: The texts that are correct, each with its answer key, where the task can list them: the exact tier
            computes their probabilities. A text ends at a stop text or at the model's end of text, both outside it.
        data: The scorer's own, such as the expected answer.
    """

    id: str
    cluster: str
    prompt: Prompt
    max_tokens: int
    stop: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


class Score(NamedTuple):
    """The score of one text.

    Attributes:
        valid: Whether the text has the form that was asked for, so that it can be read as an answer.
        correct: Whether it is a correct answer.
        key: The answer that a correct text gives; texts of one key count as one answer. Empty where not correct.
    """

    valid: bool
    correct: bool
    key: str


WRONG = Score(valid=False, correct=False, key="")
"""The score of a text that is no answer."""


class Task(Protocol):
    """A task.

    Attributes:
        name: Its name, such as `fluency`.
        group: The use that it stands for: `text`, `code`, `dialogue` or `reasoning`. A verdict needs two groups.
        metric: The name of its first metric in `METRICS`, by which configurations are chosen and judged. None for a
            task without a verifier, which has no part in the verdict.
        about: What is asked, in one sentence.
    """

    name: str
    group: str
    metric: str | None
    about: str

    def items(self, split: Split, count: int, seed: int = 0) -> Sequence[Item]:
        """The first `count` items of a split; the same for equal arguments. No item is in two splits, for any seeds.

        Raises:
            ValueError: If the split has fewer items; the message says how many.
        """

    def score(self, item: Item, text: str) -> Score:
        """The score of a text that was written to an item, without its stop text."""


def listed_score(item: Item, text: str) -> Score:
    """The score of a text by the item's listed answers: correct if it is one of them, spelled as listed."""
    key = item.answers.get(text)
    return WRONG if key is None else Score(valid=True, correct=True, key=key)
