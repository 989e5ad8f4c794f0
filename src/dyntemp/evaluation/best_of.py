"""Best of N: the score that a budget of N configurations buys, on items that did not choose among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dyntemp.evaluation.results import ArmResult, Curve, TaskResult

DRAWS = 400
"""Random halves of the items, each with random configurations."""


def curve(task: TaskResult, family: str, results: Sequence[ArmResult]) -> Curve:
    """The curve of a family, from the values of its configurations on tune.

    In each draw N configurations are compared on one half of the clusters, and the best is scored on the other half
    (Schaeffer et al. 2025, arXiv 2506.13681, cross-fitted).
    """
    assert task.metric is not None
    values = np.array([[np.nan if v is None else v for v in one.values[task.metric]] for one in results])
    _, owner = np.unique(np.array(task.clusters["tune"]), return_inverse=True)
    numbers = [n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n < len(results)] + [len(results)]
    generator = np.random.default_rng(0)
    scores = np.zeros((DRAWS, len(numbers)))
    for draw in range(DRAWS):
        chosen = (generator.permutation(owner.max() + 1) < (owner.max() + 1) // 2)[owner]
        order = generator.permutation(len(results))
        first, second = np.nanmean(values[:, chosen], axis=1), np.nanmean(values[:, ~chosen], axis=1)
        for at, n in enumerate(numbers):
            some = order[:n]
            scores[draw, at] = second[some[np.argmax(first[some])]]
    tokens = float(np.mean([one.tokens for one in results]))
    return Curve(task=task.name, family=family, configurations=numbers, scores=scores.mean(axis=0).tolist(),
                 tokens=[n * tokens for n in numbers])  # fmt: skip
