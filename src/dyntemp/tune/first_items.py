"""The first items of a cell: what a trial is pruned by, before all its texts are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dyntemp.evaluation.folder import Cell
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.sample import Sample

Enough = Callable[[Sequence[float | None]], bool]
"""Called with the values of the first items, after each; True if these are enough."""


class EnoughError(Exception):
    """The first items of a cell are enough."""


class FirstItems:
    """The first items of a cell that are complete, without a gap, so that their order does not depend on speed."""

    def __init__(self, cell: Cell, metric: str, enough: Enough) -> None:
        self._cell, self._metric, self._enough = cell, metric_of(metric), enough
        self.samples: list[list[Sample]] = []
        self._values: list[float | None] = []

    def are_enough(self, known: Mapping[tuple[str, int], Sample]) -> bool:
        """True if these samples have items enough; more than those are not looked at."""
        for item in self._cell.items[len(self.samples) :]:
            found = [known.get((item.id, number)) for number in range(self._cell.samples)]
            whole = [one for one in found if one is not None]
            if len(whole) < len(found):
                return False
            self.samples.append(whole)
            self._values.append(self._metric.of(whole))
            if self._enough(self._values):
                return True
        return False
