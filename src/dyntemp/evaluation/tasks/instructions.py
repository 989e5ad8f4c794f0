"""Instructions whose form can be checked, in a chat: a sentence about a topic, in five words or without a letter.

Each instruction is asked about each topic, and a topic with all its instructions belongs to one split. Prompts in tune,
val and test: TODO.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from dyntemp.evaluation.task import SPLITS, WRONG, Item, Score, Split
from dyntemp.evaluation.tasks.splits import first_items, split_of

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
"""A word; `don't` and `well-known` are one each."""


class Instruction(NamedTuple):
    """A form of the answer.

    Attributes:
        name: Its name, the cluster of its items.
        asked: The request, with `{topic}` and perhaps `{word}`, the topic's word.
        holds: Whether a text has the form, given the topic's word.
    """

    name: str
    asked: str
    holds: Callable[[str, str], bool]


@dataclass
class Instructions:
    """Instructions in a chat, an item per instruction and topic; see `Task`."""

    name: str = field(default="instructions", init=False)
    group: str = field(default="dialogue", init=False)
    metric: str | None = field(default="distinct@8", init=False)
    about: str = field(default="Write about a topic in a given form, such as in five words.", init=False)

    def items(self, split: Split, count: int, seed: int = 0) -> list[Item]:
        """The first `count` items of a split, in an order that the seed decides; see `Task.items`.

        Raises:
            ValueError: If the split has fewer items.
        """
        return first_items(self.name, split, self._items[split], count, seed)

    def score(self, item: Item, text: str) -> Score:
        """The score of a text: valid if it has a word, correct if it has the form.

        The key has the words of the text in lower case, so that spaces, case and punctuation make no new answer.
        """
        key = " ".join(words(text.lower()))
        if not key:
            return WRONG
        correct = FORMS[item.data["form"]].holds(text.strip(), item.data["word"])
        return Score(valid=True, correct=correct, key=key if correct else "")

    @cached_property
    def _items(self) -> dict[Split, list[Item]]:
        """All items of each split."""
        found: dict[Split, list[Item]] = {split: [] for split in SPLITS}
        for topic, word in TOPICS.items():
            found[split_of(f"{self.name} {topic}")] += [_item(form, topic, word) for form in FORMS.values()]
        return found


def _item(form: Instruction, topic: str, word: str) -> Item:
    return Item(
        id=f"{form.name}: {topic}",
        cluster=form.name,
        prompt=[{"role": "user", "content": form.asked.format(topic=topic, word=word)}],
        max_tokens=24,
        data={"form": form.name, "word": word},
    )


def words(text: str) -> list[str]:
    """The words of a text."""
    return WORD.findall(text)


def lines(text: str) -> list[str]:
    """The lines of a text that are not blank."""
    return [line for line in text.splitlines() if line.strip()]


FORMS = {form.name: form for form in (
    Instruction("two words", "Describe {topic} in exactly two words.", lambda text, _: len(words(text)) == 2),
    Instruction("three words", "Describe {topic} in exactly three words.", lambda text, _: len(words(text)) == 3),
    Instruction("five words", "Write a five-word sentence about {topic}.", lambda text, _: len(words(text)) == 5),
    Instruction("at most eight", "Write a sentence about {topic} with at most eight words.",
                lambda text, _: len(words(text)) <= 8),
    Instruction("contain", 'Write a short sentence about {topic} that contains the word "{word}".',
                lambda text, word: word in words(text.lower())),
    Instruction("twice", 'Write a short sentence about {topic} that contains the word "{word}" twice.',
                lambda text, word: words(text.lower()).count(word) == 2),
    Instruction("no b", 'Write a short sentence about {topic} without the letter "b".',
                lambda text, _: "b" not in text.lower()),
    Instruction("no m", 'Write a short sentence about {topic} without the letter "m".',
                lambda text, _: "m" not in text.lower()),
    Instruction("no commas", "Describe {topic} in one sentence. Do not use any commas.",
                lambda text, _: "," not in text),
    Instruction("lower case", "Write a short sentence about {topic} in all lowercase letters.",
                lambda text, _: text.islower()),
    Instruction("upper case", "Write a short sentence about {topic} in ALL CAPITAL LETTERS.",
                lambda text, _: text.isupper()),
    Instruction("starts with a", 'Write a short sentence about {topic} that starts with the letter "A".',
                lambda text, _: text[:1] in "aA"),
    Instruction("starts with word", 'Write a short sentence about {topic} that starts with the word "{word}".',
                lambda text, word: words(text.lower())[0] == word),
    Instruction("exclamation", "Write a short, excited sentence about {topic} that ends with an exclamation mark.",
                lambda text, _: text.endswith("!")),
    Instruction("question", "Ask me a short question about {topic}.", lambda text, _: text.endswith("?")),
    Instruction("quotes", "Write a short slogan about {topic}, wrapped in double quotation marks.",
                lambda text, _: len(text) > 2 and text[0] == text[-1] == '"'),
    Instruction("three items", "Name three things that go with {topic}, as a comma-separated list on one line.",
                lambda text, _: len(text.split(",")) == 3 and len(lines(text)) == 1),
    Instruction("bullets", "Name two things that go with {topic}, as a list of two bullet points.",
                lambda text, _: len(lines(text)) == 2 and all(line.lstrip()[0] in "-*•" for line in lines(text))),
    Instruction("two lines", "Write a poem about {topic} with exactly two short lines.",
                lambda text, _: len(lines(text)) == 2),
)}  # fmt: skip
"""The forms, by name."""

TOPICS = {
    "bread": "warm", "the sea": "blue", "winter": "cold", "a cat": "soft", "coffee": "hot", "music": "loud",
    "the moon": "bright", "rain": "wet", "a garden": "green", "a train": "fast", "school": "learn",
    "a birthday": "cake", "football": "team", "a river": "long", "a mountain": "high", "the sun": "light",
    "a book": "read", "snow": "white", "a dog": "friend", "honey": "sweet", "a library": "quiet", "the desert": "dry",
    "a bicycle": "ride", "a forest": "trees", "cooking": "kitchen", "a farm": "animals", "the wind": "strong",
    "a bridge": "cross", "dancing": "fun", "an island": "beach", "a market": "buy", "a clock": "time",
    "a doctor": "help", "sleep": "night", "a castle": "old", "chocolate": "dark", "painting": "color", "a ship": "sail",
    "a star": "sky", "a horse": "run", "spring": "flowers", "a storm": "thunder", "a letter": "write",
    "a museum": "art", "tea": "cup", "fire": "burn", "a baby": "small", "a teacher": "kind",
}  # fmt: skip
"""The topics, each with a word that goes with it."""

INSTRUCTIONS = Instructions()
