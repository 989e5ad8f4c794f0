"""The expected score of a policy on items that list their answers, without sampling: from rows that were read once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.distribution.filters import Filters, check_fixed
from dyntemp.evaluation.exact.building import Building
from dyntemp.evaluation.exact.endings import Endings, Pieces
from dyntemp.evaluation.exact.prefixes import Counts, Values
from dyntemp.evaluation.exact.reading import read
from dyntemp.evaluation.exact.summaries import NO_FILTERS, Summaries
from dyntemp.evaluation.task import Item
from dyntemp.language.policy import Policy
from dyntemp.models import Model

BATCH = 64
"""Texts that are read at a time."""

FORMAT = 1
"""Version of the file."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The rows on the way to the answers of some items, and what ends an answer there.

    The probability of an answer is that of all the tokens that write it, as far as `Endings` counts them: it is a lower
    bound, and `missed` bounds what it lacks.

    Attributes:
        items: The ids of the items.
        summaries: The rows, each after its parent and one token.
        parent: The row before each, -1 for the first of an item, [rows].
        edge: The target of the parent that leads to each row, likewise, [rows].
        depth: Number of tokens before each row, [rows].
        end: The target that ends an answer, [ends].
        end_key: The answer key that it gives, [ends].
        key_item: The item of each answer key, [keys].
        detour: The target of the first tokens of a detour, [detours].
        detour_item: Its item, [detours].
    """

    items: tuple[str, ...]
    summaries: Summaries
    parent: Counts
    edge: Counts
    depth: Counts
    end: Counts
    end_key: Counts
    key_item: Counts
    detour: Counts
    detour_item: Counts

    @classmethod
    def read(
        cls,
        model: Model,
        items: Sequence[Item],
        progress: Callable[[int, int], object] | None = None,
        batch: int = BATCH,
    ) -> Self:
        """Read the rows of items that list their answers. Later calls need no model.

        Args:
            model: The model.
            items: The items.
            progress: Called with the number of texts read and of all texts.
            batch: Most texts that are read at a time.

        Raises:
            ValueError: For an item that lists no answer, or an answer that the model has no tokens for.
            ModelError: If a prompt does not fit into the model's context.
        """
        for item in items:
            if not item.answers:
                raise ValueError(f"the item {item.id!r} lists no answers: sample it instead")
        pieces = Pieces(model)
        building = Building([Endings.of(model, pieces, item) for item in items], items)
        for found in read(model, building.prompts, building.texts, batch):
            building.add(found.texts, found.counts, found.logits)
            if progress is not None:
                progress(max(found.texts) + 1, len(building.texts))
        return cls(tuple(item.id for item in items), **building.result())

    def values(
        self,
        policy: Policy,
        metric: str = "accuracy",
        filters: Filters = NO_FILTERS,
        given: Mapping[str, ArrayLike] | None = None,
    ) -> Values:
        """The expected value of a metric for each item, [items].

        Args:
            policy: Without free parameters.
            metric: `accuracy`, or `validity`, which is the same here: the chance that a text is an answer; `pass@k`:
                that one of k is; `distinct@k`: the expected number of different answers among k.
            filters: A chain of filters that keep the likeliest entries.
            given: As for `Summaries.temperatures`.

        Raises:
            PolicyError: As `Summaries.temperatures`.
            ValueError: For another metric, or filters whose draw is not known without sampling.
        """
        return self.table(policy, (metric,), filters, given)[metric]

    def table(
        self,
        policy: Policy,
        metrics: Sequence[str],
        filters: Filters = NO_FILTERS,
        given: Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, Values]:
        """The expected values of several metrics by their names, from one pass over the rows; see `values`."""
        known = {name: metric_of(name) for name in metrics}
        chances = self._chances(self.summaries.log_prob(self.summaries.temperatures(policy, given), filters))
        return {name: of(chances, self.key_item, len(self.items), k)[0] for name, (of, k) in known.items()}

    def missed(self, policy: Policy, filters: Filters = NO_FILTERS) -> Values:
        """The most that can be added to each item's accuracy by answers in other tokens, [items].

        Raises:
            PolicyError, ValueError: As `values`.
        """
        log_p = self.summaries.log_prob(self.summaries.temperatures(policy), filters)
        reach = self._reach(log_p)[self.summaries.target_row[self.detour]]
        chance = np.exp(reach + log_p[self.detour])
        return _summed(self.detour_item, chance, len(self.items))

    def gradient(
        self, temperatures: ArrayLike, metric: str = "accuracy", filters: Filters = NO_FILTERS
    ) -> tuple[float, Values]:
        """The mean of a metric over the items, and its derivative by ln T of each row, [rows].

        Args:
            temperatures: One for each row, [rows], such as `summaries.temperatures(policy)`.
            metric: As for `values`.
            filters: A chain before the temperature.

        Raises:
            ValueError: As `values`, and for filters after the temperature.
        """
        of, k = metric_of(metric)
        check_fixed(filters, "a gradient")
        log_p, slopes = self.summaries.draws(temperatures, filters)
        chance = np.exp(self._reach(log_p)[self.summaries.target_row[self.end]] + log_p[self.end])
        values, by_key = of(self._keys(chance), self.key_item, len(self.items), k)
        by_end = by_key[self.end_key] * chance / len(self.items)
        row, rows = self.summaries.target_row, len(self.summaries)
        by_target = _summed(self.end, by_end, len(row))
        by_row = _summed(row[self.end], by_end, rows)
        for level in range(int(self.depth.max(initial=0)), 0, -1):
            at = np.flatnonzero(self.depth == level)
            np.add.at(by_target, self.edge[at], by_row[at])
            np.add.at(by_row, self.parent[at], by_row[at])
        return float(values.mean()), _summed(row, by_target * slopes, rows)

    def _reach(self, log_p: Values) -> Values:
        """ln of the probability that a text reaches each row, [rows]."""
        reach = np.zeros(len(self.parent))
        for level in range(1, int(self.depth.max(initial=0)) + 1):
            at = np.flatnonzero(self.depth == level)
            reach[at] = reach[self.parent[at]] + log_p[self.edge[at]]
        return reach

    def _chances(self, log_p: Values) -> Values:
        """The probability of each answer key, [keys]."""
        return self._keys(np.exp(self._reach(log_p)[self.summaries.target_row[self.end]] + log_p[self.end]))

    def _keys(self, chance: Values) -> Values:
        return _summed(self.end_key, chance, len(self.key_item))

    def save(self, file: str | File | BinaryIO) -> None:
        """Write a compressed NumPy archive."""
        own = {name: getattr(self, name) for name in OWN}
        about = json.dumps({"format": FORMAT, "items": self.items})
        np.savez_compressed(file, about=np.array(about), **own, **self.summaries.arrays())  # type: ignore[arg-type]

    @classmethod
    def load(cls, file: str | File | BinaryIO) -> Self:
        """The answers that `save` wrote.

        Raises:
            ValueError: For another file, or one of another version.
        """
        with np.load(file, allow_pickle=False) as data:
            about = json.loads(str(data["about"])) if "about" in data else {}
            if about.get("format") != FORMAT:
                raise ValueError(f"{file} holds no answers of this version: delete it, and read the model again")
            arrays: dict[str, NDArray[Any]] = {name: data[name] for name in data.files}
        return cls(tuple(about["items"]), Summaries.from_arrays(arrays), *(arrays[name] for name in OWN))


OWN = ("parent", "edge", "depth", "end", "end_key", "key_item", "detour", "detour_item")
"""The arrays of `Answers` itself."""


def _summed(at: Counts, values: Values, count: int) -> Values:
    """The sum of the values of each number from 0 to `count` - 1."""
    return np.asarray(np.bincount(at, values, count), np.float64)


Metric = Callable[[Values, Counts, int, int], tuple[Values, Values]]
"""Chance of each key, its item, number of items, k -> the value of each item, and its derivative by each chance."""


def metric_of(name: str) -> tuple[Metric, int]:
    """A metric by its name, and its k.

    Raises:
        ValueError: For a name that has no expected value here.
    """
    kind, _, number = name.partition("@")
    if name in ("accuracy", "validity"):
        return _passed, 1
    if kind in KINDS and number.isdigit() and int(number) >= 1:
        return KINDS[kind], int(number)
    raise ValueError(
        f"the metric {name!r} was given; expected values are known of accuracy, validity, pass@k and distinct@k with k "
        "of at least 1: sample for others"
    )


def _passed(chance: Values, item: Counts, items: int, k: int) -> tuple[Values, Values]:
    miss = np.clip(1 - _summed(item, chance, items), 0.0, 1.0)
    return 1 - miss**k, (k * miss ** (k - 1))[item]


def _distinct(chance: Values, item: Counts, items: int, k: int) -> tuple[Values, Values]:
    miss = np.clip(1 - chance, 0.0, 1.0)
    return _summed(item, 1 - miss**k, items), k * miss ** (k - 1)


KINDS: dict[str, Metric] = {"pass": _passed, "distinct": _distinct}
