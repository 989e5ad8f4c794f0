"""The answer of a tuning: whether a policy was worth its parameters, beside static on the same budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.pairs import LEVEL, compare
from dyntemp.language.policy import Policy
from dyntemp.tune.first_trials import EXACT
from dyntemp.tune.results import Answer, Difference, Measured, Objective, Tested
from dyntemp.tune.values import per_item

MATTERS = 0.05
"""The share of the static temperature's value below which a gain is not worth a parameter."""


def difference(objective: Objective, winner: Measured, static: Measured, clusters: Sequence[str]) -> Difference:
    """The winner less the static temperature in one objective, paired by item."""
    found = compare(per_item(objective, winner.items), per_item(objective, static.items), clusters)
    known = bool(np.isfinite(found.low))
    return Difference(
        objective=objective.name,
        mean=found.mean,
        other=found.other,
        difference=found.difference,
        low=found.low if known else None,
        high=found.high if known else None,
        p=found.p,
        items=found.items,
    )


def is_static(winner: Tested) -> bool:
    """True if the winner of a policy's search is one temperature without a filter but min-p, as its rival is."""
    low, high = Policy(winner.policy).bounds()
    filters = Filters.read(winner.filters)
    return high - low < EXACT and filters == Filters(min_p=filters.min_p)


def answer_of(differences: Sequence[Difference], winner: Tested) -> Answer:
    """The answer, from the differences on test and the winner of the policy's search.

    A policy was worth its parameters if it is better in an objective, by its interval and by its p-value, and worse in
    none. It was not if no interval reaches a gain that matters, or if its best configuration is static. Otherwise the
    items of test are too few to tell.
    """
    if is_static(winner):
        return "not worth"
    if any(one.low is None or one.high is None for one in differences):
        return "open"
    lows = [one.low or 0.0 for one in differences]
    highs = [one.high or 0.0 for one in differences]
    better = [low > 0 and one.p < LEVEL / len(differences) for low, one in zip(lows, differences, strict=True)]
    if any(better) and min(highs) >= 0:
        return "worth"
    if all(high < MATTERS * one.other for high, one in zip(highs, differences, strict=True)):
        return "not worth"
    return "open"


def sentence(
    answer: Answer, differences: Sequence[Difference], winner: Tested, static: Tested, tasks: Sequence[str], trials: int
) -> str:
    """The answer in one sentence."""
    count = len(winner.parameters)
    its = f"its {count} parameters" if count != 1 else "its parameter"
    words = {
        "worth": f"The policy was worth {its}",
        "not worth": f"The policy was not worth {its}",
        "open": f"It cannot be told if the policy was worth {its}",
    }
    found = "its best configuration is static too; " if is_static(winner) else ""
    figures = "; ".join(_figures(one) for one in differences)
    beside = f"T = {static.policy}" + (f" with {static.filters}" if static.filters else "")
    return (
        f"{words[answer]} on {', '.join(tasks)}: {found}{figures}. Its rival is the static temperature {beside}, tuned "
        f"with the same {trials} trials."
    )


def _figures(one: Difference) -> str:
    ends = "" if one.low is None else f" [{one.low:+.3f}, {one.high:+.3f}]"
    return f"{one.objective} is {one.mean:.3f} on test, {one.difference:+.3f}{ends} beside {one.other:.3f}"
