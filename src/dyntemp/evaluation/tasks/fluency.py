"""Category fluency: name a fruit. Many answers are right, so it is counted how many different ones the samples give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dyntemp.evaluation.task import Item, Score, Split, listed_score
from dyntemp.evaluation.tasks.categories import CATEGORIES
from dyntemp.evaluation.tasks.other_categories import OTHER_CATEGORIES
from dyntemp.evaluation.tasks.splits import first_items

SHOTS = {"a season": "summer", "a planet": "Mars", "a shape": "triangle", "a month": "April",
         "a day of the week": "Friday", "a direction": "north"}  # fmt: skip
"""The questions in front of each prompt, with their answers. None of them is a category of any split."""

PILOT = ("fruit", "animal", "color", "country", "vegetable", "sport", "instrument", "profession", "city", "metal",
         "flower", "furniture")  # fmt: skip
VAL = ("bird", "fish", "insect", "tree", "element", "capital", "spice", "drink")
TEST = tuple(name for name in CATEGORIES if name not in {*PILOT, *VAL})


@dataclass(slots=True)
class Fluency:
    """Category fluency, an item per category; see `Task`.

    Args:
        name: The name of the task.
        categories: The categories of each split, names in `CATEGORIES` or `OTHER_CATEGORIES`.
        max_tokens: Most tokens of a text, the newline that ends it among them.
    """

    name: str
    categories: Mapping[Split, Sequence[str]]
    max_tokens: int

    group: str = field(default="text", init=False)
    metric: str | None = field(default="distinct@8", init=False)
    about: str = field(default="Name a thing of a category; a closed list says whether it belongs there.", init=False)

    def items(self, split: Split, count: int, seed: int = 0) -> list[Item]:
        """The first `count` categories of a split, in an order that the seed decides; see `Task.items`.

        Raises:
            ValueError: If the split has fewer categories.
        """
        return first_items(self.name, split, [self._item(name) for name in self.categories[split]], count, seed)

    def score(self, item: Item, text: str) -> Score:
        """The score of an answer: correct if it is spelled as the item lists it, with the thing as its key."""
        return listed_score(item, text)

    def _item(self, name: str) -> Item:
        category = CATEGORIES.get(name) or OTHER_CATEGORIES[name]
        shots = "".join(f"Question: Name {asked}.\nAnswer: {answer}\n\n" for asked, answer in SHOTS.items())
        return Item(
            id=name,
            cluster=name,
            prompt=f"{shots}Question: Name {category.asked}.\nAnswer:",
            max_tokens=self.max_tokens,
            stop=("\n",),
            answers=category.answers(),
        )


FLUENCY = Fluency("fluency", {"tune": PILOT, "val": VAL, "test": TEST}, max_tokens=8)
FLUENCY_PILOT = Fluency("fluency_pilot", {"tune": TEST, "val": VAL, "test": PILOT}, max_tokens=5)
"""The same question with the twelve categories of an earlier study as its test."""
FLUENCY_OTHER = Fluency("fluency_other", {"tune": PILOT, "val": VAL, "test": tuple(OTHER_CATEGORIES)}, max_tokens=8)
"""The same question with forty other categories as its test, to confirm what was found on the test of `fluency`."""
