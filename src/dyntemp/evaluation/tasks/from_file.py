r"""A task from a file of JSON lines: prompts, each with the answers that are correct.

    {"prompt": "Question: What is the capital of France?\nAnswer:", "answers": ["Paris", "Paris."]}
    {"messages": [{"role": "user", "content": "Name a hue."}], "answers": {"Red": "red", "red": "red"}, "split": "val"}

- `prompt` is continued as it is; `messages` go into the chat template of the model.
- `answers` are texts, or texts with the answer that each gives; texts are compared to the letter. After a `prompt` each
  answer counts with a space in front, too.
- `id` is by default the number of the line, and `cluster` the id.
- `split` is by default decided by the prompt's content: one half `test`, a quarter each `tune` and `val`.
- `max_tokens` is by default 32, and `stop` a newline after a `prompt`, nothing after `messages`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dyntemp.evaluation.task import SPLITS, Item, Score, Split, listed_score
from dyntemp.evaluation.tasks.splits import first_items, split_of
from dyntemp.language.signals import suggestion
from dyntemp.textfile import read_text

FIELDS = ("prompt", "messages", "answers", "id", "cluster", "split", "max_tokens", "stop")
MAX_TOKENS = 32


class FromFile:
    """A task from a file of JSON lines; see `Task`.

    Its group is `dialogue` if every line has messages, else `text`. Its metric is `distinct@8` if a line has several
    answers to give, else `pass@8`.

    Args:
        path: The file. Its name without the ending is the name of the task.

    Raises:
        ValueError: If the file cannot be read, or for a line that is no item; the message names the line.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = Path(path).stem
        self.about = f"The prompts of {Path(path).name}."
        self._items: dict[Split, list[Item]] = {split: [] for split in SPLITS}
        seen: dict[str, int] = {}
        try:
            lines = read_text(path).split("\n")
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                split, item = _item(line, number)
                if item.id in seen:
                    raise ValueError(f"the id {item.id!r} is that of line {seen[item.id]}: give each line its own")
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
            seen[item.id] = number
            self._items[split].append(item)
        if not seen:
            raise ValueError(f"{path} has no line: write one JSON object a line, with {', '.join(FIELDS[:3])}")
        items = [item for split in SPLITS for item in self._items[split]]
        several = any(len(set(item.answers.values())) > 1 for item in items)
        self.group = "text" if any(isinstance(item.prompt, str) for item in items) else "dialogue"
        self.metric: str | None = "distinct@8" if several else "pass@8"

    def items(self, split: Split, count: int, seed: int = 0) -> list[Item]:
        """The first `count` items of a split, in an order that the seed decides; see `Task.items`.

        Raises:
            ValueError: If the split has fewer items.
        """
        return first_items(self.name, split, self._items[split], count, seed)

    def score(self, item: Item, text: str) -> Score:
        """The score of a text: correct if it is one of the answers of its line, to the letter."""
        return listed_score(item, text)


def _item(line: str, number: int) -> tuple[Split, Item]:
    """The split and the item of a line."""
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ValueError(f"a JSON object is needed, and this is {line:.40}")  # noqa: TRY004  # of a file, not of a call
    for name in data:
        if name not in FIELDS:
            raise ValueError(f"unknown field {name!r}{suggestion(name, FIELDS)}; allowed are {', '.join(FIELDS)}")
    if ("prompt" in data) == ("messages" in data):
        raise ValueError("a line has either `prompt` or `messages`")
    plain = "prompt" in data
    prompt = _checked(data, "prompt", _is_text, "text") if plain else _checked(data, "messages", _is_chat, CHAT)
    split = split_of(json.dumps(prompt))
    name = _checked(data, "id", _is_text, "text", str(number))
    return _checked(data, "split", SPLITS.__contains__, " or ".join(SPLITS), split), Item(
        id=name,
        cluster=_checked(data, "cluster", _is_text, "text", name),
        prompt=prompt,
        max_tokens=_checked(data, "max_tokens", _is_count, "a whole number from 1", MAX_TOKENS),
        stop=tuple(_checked(data, "stop", _are_texts, "a list of texts", ["\n"] if plain else [])),
        answers=_answers(_checked(data, "answers", _are_answers, ANSWERS), plain),
    )


ANSWERS = 'a list of texts, or an object such as {"Red": "red"}, with at least one'
CHAT = 'a list of objects such as {"role": "user", "content": "..."}'


def _checked(data: Mapping[str, Any], name: str, fits: Any, allowed: str, default: Any = None) -> Any:
    """The value of a field, if it fits."""
    value = data.get(name, default)
    if not fits(value):
        given = f"{value!r:.60}" if name in data else "nothing"
        raise ValueError(f"`{name}` is {allowed}, and {given} was given")
    return value


def _answers(given: list[str] | dict[str, str], plain: bool) -> dict[str, str]:
    """Each text -> the answer that it gives."""
    keys = given if isinstance(given, dict) else {text: text.strip() for text in given}
    return {**{f" {text}": key for text, key in keys.items() if plain}, **keys}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_answers(value: object) -> bool:
    texts = [*value, *value.values()] if isinstance(value, dict) else value
    return _are_texts(texts) and texts != []


def _is_chat(value: object) -> bool:
    return (
        isinstance(value, list)
        and value != []
        and all(
            isinstance(one, dict) and one.keys() == {"role", "content"} and all(map(_is_text, one.values()))
            for one in value
        )
    )
