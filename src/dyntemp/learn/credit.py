"""The credit of each text of an item: how much the metric of all its texts owes to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import StudyError
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.sample import Sample


def credits_of(samples: Sequence[Sample], metric: str) -> NDArray[np.float64]:
    """M(S) - M(S without i) for each text i, [texts], with M the metric of the texts S of one item.

    The metric of n texts is the mean over all choices of k among them. The sum over texts of credit times the gradient
    of ln of the text's probability is an unbiased estimate of the gradient of the metric's expected value: M(S without
    i) does not depend on text i, and so is a baseline that leaves it out. For `distinct@k`, a text whose answer no
    other one has earns most, and a wrong text costs. The credits are not divided by their spread, which would give
    most weight to prompts where nearly all texts are right or wrong (Liu et al. 2025, arXiv:2503.20783).

    Args:
        samples: The texts of one item: at least one more than k.
        metric: Name of a metric such as `distinct@8`.

    Raises:
        StudyError: For too few texts, or if the metric is not defined for some of them.
    """
    of = metric_of(metric).of
    least = int(metric.partition("@")[2] or 1) + 1
    if len(samples) < least:
        raise StudyError(
            f"{len(samples)} texts of an item were given; credit by {metric} needs {least} or more, since "
            "each is left out once"
        )
    whole = of(samples)
    known: dict[object, float | None] = {}
    found = []
    for at, one in enumerate(samples):
        key = (one.score, one.text) if one.score.valid and not one.score.correct else one.score
        if key not in known:  # texts of equal scores can stand for each other
            known[key] = of([*samples[:at], *samples[at + 1 :]])
        found.append(known[key])
    if whole is None or None in found:
        raise StudyError(
            f"the metric {metric} is not defined for the texts of the item {samples[0].item!r}: take another one"
        )
    return whole - np.array(found, np.float64)
