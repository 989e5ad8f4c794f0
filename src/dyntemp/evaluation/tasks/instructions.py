"""Instructions in a chat: a sentence about a topic in a form that can be checked, such as five words or no commas.

Each instruction is asked about each topic, and a topic with all its instructions belongs to one split. Prompts in tune,
val and test: 288, 176, 304. Samples of one prompt often repeat an answer, so different correct answers are counted.
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


SHOWN = {"topic": "a lake", "word": "clear"}
"""The topic of the solved instruction; it is none of `TOPICS`."""


class Instruction(NamedTuple):
    """A form of the answer.

    Attributes:
        name: Its name, the cluster of its items.
        asked: The request, with `{topic}` and perhaps `{word}`, the topic's word.
        shown: A right answer about `SHOWN`, which stands in front of each prompt.
        holds: Whether a text has the form, given the topic's word.
    """

    name: str
    asked: str
    shown: str
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
        """The score of a text: valid if it has a word, correct if it has the form and does not copy the solved answer.

        Nothing checks whether it is about the topic.
        The key has the words of the text in lower case, so that spaces, case and punctuation make no new answer.
        """
        key = " ".join(words(text.lower()))
        if not key:
            return WRONG
        form = FORMS[item.data["form"]]
        copied = key == " ".join(words(form.shown.lower()))
        correct = not copied and form.holds(text.strip(), item.data["word"])
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
        prompt=[
            {"role": "user", "content": form.asked.format_map(SHOWN)},
            {"role": "assistant", "content": form.shown},
            {"role": "user", "content": form.asked.format(topic=topic, word=word)},
        ],
        max_tokens=24,
        data={"form": form.name, "word": word},
    )


def words(text: str) -> list[str]:
    """The words of a text."""
    return WORD.findall(text)


def lines(text: str) -> list[str]:
    """The lines of a text that are not blank."""
    return [line for line in text.splitlines() if line.strip()]


def is_sentence(text: str) -> bool:
    """True if a text ends as a sentence does. Random tokens, which lack a letter or a comma by chance, rarely do."""
    return text.endswith((".", "!", "?"))


FORMS = {form.name: form for form in (
    Instruction("three words", "Describe {topic} in three words.", "Deep and clear",
                lambda text, _: len(words(text)) == 3),
    Instruction("five words", "Write five words about {topic}.", "The lake is very deep.",
                lambda text, _: len(words(text)) == 5),
    Instruction("at most eight", "Write a sentence about {topic} with at most eight words.", "The lake lay still.",
                lambda text, _: len(words(text)) <= 8),
    Instruction("contain", 'Write a short sentence about {topic} with the word "{word}".', "Clear is the lake.",
                lambda text, word: word in words(text.lower())),
    Instruction("twice", 'Write a short sentence about {topic} with the word "{word}" twice.',
                "Clear is the lake, clear as glass.", lambda text, word: words(text.lower()).count(word) == 2),
    Instruction("no b", 'Write a short sentence about {topic} without the letter "b".', "The lake is deep.",
                lambda text, _: "b" not in text.lower() and is_sentence(text)),
    Instruction("no m", 'Write a short sentence about {topic} without the letter "m".', "The lake is deep.",
                lambda text, _: "m" not in text.lower() and is_sentence(text)),
    Instruction("no commas", "Describe {topic} in one long sentence without commas.",
                "A lake is a wide body of still water with land on all sides.",
                lambda text, _: "," not in text and is_sentence(text)),
    Instruction("lower case", "Write a short sentence about {topic} in small letters only.", "the lake is deep.",
                lambda text, _: text.islower()),
    Instruction("upper case", "Write a short sentence about {topic} in capital letters.", "THE LAKE IS DEEP.",
                lambda text, _: text.isupper()),
    Instruction("starts with a", 'Write a short sentence about {topic} that starts with the letter "A".',
                "All day we sat at the lake.", lambda text, _: text[:1] in "aA"),
    Instruction("starts with word", 'Write a short sentence about {topic} that starts with the word "{word}".',
                "Clear is the lake.", lambda text, word: words(text.lower())[0] == word),
    Instruction("exclamation", "Write a short sentence about {topic} that ends with an exclamation mark.",
                "How deep the lake is!", lambda text, _: text.endswith("!")),
    Instruction("question", "Ask a short question about {topic}.", "How deep is the lake?",
                lambda text, _: text.endswith("?")),
    Instruction("three items", "Name three things that go with {topic}, separated by commas.", "boat, fish, reeds",
                lambda text, _: len(text.split(",")) == 3 and len(lines(text)) == 1),
    Instruction("bullets", "Name two things that go with {topic}, as bullet points.", "- a boat\n- a fish",
                lambda text, _: len(lines(text)) == 2 and all(line.lstrip()[0] in "-*•" for line in lines(text))),
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
