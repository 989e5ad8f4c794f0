"""Any data set of reasoning-gym by name, with its settings: `reasoning_gym:chain_sum?min_terms=2&max_terms=2`.

Each prompt has six solved questions of the same data set in front. The answer is the text without the space around it:
the data set's own scorer reads it, and only full marks count. Stop texts are a newline, or the next question where
answers have several lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from dyntemp.evaluation.task import WRONG, Item, Score, Split
from dyntemp.evaluation.tasks.gym_worker import GymWorker
from dyntemp.evaluation.tasks.splits import digest, split_of

PREFIX: Final = "reasoning_gym:"
SHOTS: Final = 6
DRAWS: Final = 64
"""Most draws for each question that is asked for: some repeat, and others belong to other splits."""

FULL: Final = 0.99
"""The least score that is correct; reasoning-gym gives less for an answer among other words."""


class ReasoningGym:
    """A data set of reasoning-gym as a task; see `Task`.

    A question belongs to a split by its text, and each split draws with seeds of its own. A text is valid if it is not
    empty: only the data set knows the form of its answers.

    Args:
        name: `reasoning_gym:` and the data set's name, then perhaps settings as in a URL.

    Raises:
        ValueError: If there is no such data set or setting, for a value that the data set refuses, or if reasoning-gym
            is not installed.
    """

    group: str = "reasoning"
    metric: str | None = "pass@8"

    def __init__(self, name: str) -> None:
        self.name = name
        self._spec = name.removeprefix(PREFIX)
        self.about = f"The data set {self._spec} of reasoning-gym."
        self._worker = GymWorker(self._spec)
        shots = list(islice(self._draws("shots", DRAWS * SHOTS), SHOTS))
        self._shown = {shot.question for shot in shots}
        self._solved = "".join(f"Question: {shot.question}\nAnswer: {shot.answer}\n\n" for shot in shots)
        self._stop = ("\n\nQuestion:",) if any("\n" in shot.answer for shot in shots) else ("\n",)
        self._longest = max(len(shot.answer) for shot in shots)

    def items(self, split: Split, count: int, seed: int = 0) -> list[Item]:
        """`count` questions of a split; see `Task.items`.

        Raises:
            ValueError: If so many different ones are not found.
        """
        limit = DRAWS * max(count, 1)
        drawn = self._draws(f"{split} {seed}", limit)
        ours = (draw for draw in drawn if draw.question not in self._shown and split_of(draw.question) == split)
        found = list(islice(ours, count))
        if len(found) < count:
            raise ValueError(
                f"{count} items of {self.name!r} were asked for; {limit} draws gave {len(found)} different ones of the "
                f"split {split!r}: ask for fewer, or choose settings with more questions"
            )
        return [self._item(draw) for draw in found]

    def score(self, item: Item, text: str) -> Score:
        """The score by the data set; wrong where its scorer takes more than 5 seconds, as parsers of formulas may."""
        if not (answer := text.strip()):
            return WRONG
        correct = self._worker.score(**item.data, answer=answer) >= FULL
        return Score(valid=True, correct=correct, key=answer if correct else "")

    def _draws(self, stream: str, size: int) -> Iterator[_Draw]:
        """The different questions among `size` draws; each stream has its own seed."""
        seed = digest(f"{self._spec} {stream}") % 2**32
        seen: set[str] = set()
        for place in range(size):
            question, answer = self._worker.entry(seed, size, place)
            if question not in seen:
                seen.add(question)
                yield _Draw(question, answer, seed, size, place)

    def _item(self, draw: _Draw) -> Item:
        name = f"{digest(draw.question):016x}"
        return Item(
            id=name,
            cluster=name,
            prompt=f"{self._solved}Question: {draw.question}\nAnswer:",
            max_tokens=8 + 2 * max(self._longest, len(draw.answer)),
            stop=self._stop,
            data={"seed": draw.seed, "size": draw.size, "index": draw.place},
        )


class _Draw(NamedTuple):
    """A question, its answer, and its place in a data set."""

    question: str
    answer: str
    seed: int
    size: int
    place: int
