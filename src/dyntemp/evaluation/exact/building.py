"""The rows of items that list their answers, put together as a model gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.evaluation.exact.endings import Endings, Path
from dyntemp.evaluation.exact.summaries import Summaries, Visits
from dyntemp.evaluation.task import Item

NO_ROW = -1
"""In place of the parent of an item's first row."""


class Building:
    """Rows that are numbered as they come, and the targets of each.

    Args:
        endings: The ways to write the answers of each item.
        items: The items.

    Attributes:
        prompts: The prompt of each text that is to be read.
        texts: The tokens after it: every row lies on the way to the end of one.
    """

    def __init__(self, endings: Sequence[Endings], items: Sequence[Item]) -> None:
        self.endings = endings
        self.keys: dict[tuple[int, str], int] = {}
        for at, item in enumerate(items):
            for key in item.answers.values():
                self.keys.setdefault((at, key), len(self.keys))
        self.children: dict[tuple[int, Path], list[int]] = defaultdict(list)
        self.endings_at: dict[tuple[int, Path], list[tuple[int, set[int]]]] = defaultdict(list)
        self.texts: list[Path] = []
        self.owner: list[int] = []
        for at, (ending, item) in enumerate(zip(endings, items, strict=True)):
            for path in ending.paths[1:]:
                self.children[at, path[:-1]].append(path[-1])
            for (path, answer), tokens in ending.ends.items():
                if tokens:
                    self.endings_at[at, path].append((self.keys[at, item.answers[answer]], tokens))
            leaves = [path for path in ending.paths if not self.children[at, path]]
            self.texts += leaves
            self.owner += [at] * len(leaves)
        self.prompts = [endings[at].prompt for at in self.owner]
        self.number: dict[tuple[int, Path], int] = {}
        self.parts: list[Summaries] = []
        self.targets = 0
        self.edges: dict[tuple[int, Path], int] = {}
        self.end: list[tuple[int, int]] = []
        self.detour: list[tuple[int, int]] = []

    def add(self, texts: Sequence[int], counts: Sequence[int], logits: NDArray[Any]) -> None:
        """Take in the rows that are new."""
        rows, targets = [], []
        for row, (text, count) in enumerate(zip(texts, counts, strict=True)):
            place = self.owner[text], self.texts[text][:count]
            if place not in self.number:
                self.number[place] = len(self.number)
                rows.append(row)
                targets.append(self._targets(*place))
        if rows:
            self.parts.append(Summaries.of(logits[rows], targets))

    def _targets(self, item: int, path: Path) -> list[set[int]]:
        """The targets of a row, which get the next numbers."""
        found: list[set[int]] = []
        for token in self.children[item, path]:
            self.edges[item, (*path, token)] = self.targets + len(found)
            found.append({token})
        for key, tokens in self.endings_at[item, path]:
            self.end.append((self.targets + len(found), key))
            found.append(tokens)
        if tokens := self.endings[item].detours[path]:
            self.detour.append((self.targets + len(found), item))
            found.append(tokens)
        self.targets += len(found)
        return found

    def result(self) -> dict[str, Any]:
        """The fields of `Answers`, by name."""
        places = list(self.number)
        parent = [self.number[item, path[:-1]] if path else NO_ROW for item, path in places]
        edge = [self.edges[place] if place[1] else NO_ROW for place in places]
        row, text, position, follows = np.array(self._visits(), np.int64).T
        whole = Summaries.joined(self.parts, Visits(row, text, position, np.zeros(len(row))))
        surprisal, inner = np.zeros(len(row)), follows != NO_ROW
        surprisal[inner] = -whole.log_prob(1.0)[follows[inner]]
        end, end_key = np.array(self.end, np.int64).reshape(-1, 2).T
        detour, detour_item = np.array(self.detour, np.int64).reshape(-1, 2).T
        return {
            "summaries": replace(whole, visits=Visits(row, text, position, surprisal)),
            "parent": np.array(parent),
            "edge": np.array(edge),
            "depth": np.array([len(path) for _, path in places]),
            "end": end,
            "end_key": end_key,
            "key_item": np.array([item for item, _ in self.keys]),
            "detour": detour,
            "detour_item": detour_item,
        }

    def _visits(self) -> list[tuple[int, int, int, int]]:
        """Row, text, position and the target that follows, along each text."""
        return [
            (self.number[item, path[:at]], text, at, self.edges[item, path[: at + 1]] if at < len(path) else NO_ROW)
            for text, (item, path) in enumerate(zip(self.owner, self.texts, strict=True))
            for at in range(len(path) + 1)
        ]
