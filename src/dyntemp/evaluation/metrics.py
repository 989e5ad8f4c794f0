"""Metrics: a number for the samples of one item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import comb
from typing import NamedTuple

import numpy as np

from dyntemp.errors import StudyError
from dyntemp.evaluation.sample import Sample
from dyntemp.language.signals import suggestion

HOTTEST = 20.0
"""The temperature that infinite ones count as."""

Samples = Sequence[Sample]


class Metric(NamedTuple):
    """A metric.

    Attributes:
        name: Its name; `@k` stands behind it where it counts over k samples.
        title: The same for a report.
        better: `high`, `low`, or empty where neither is better.
        of: The samples of an item -> its value, None where it is not defined.
    """

    name: str
    title: str
    better: str
    of: Callable[[Samples], float | None]


def pass_at(samples: Samples, k: int) -> float:
    """The chance that one of k samples is correct, unbiased: 1 - C(n - c, k)/C(n, k) (Chen et al. 2021)."""
    return 1 - _absent(len(samples), sum(one.score.correct for one in samples), k)


def distinct_at(samples: Samples, k: int) -> float:
    """The expected number of different correct answers among k samples, unbiased: `pass@k` summed over answers."""
    counts = Counter(one.score.key for one in samples if one.score.correct)
    return sum(1 - _absent(len(samples), count, k) for count in counts.values())


def _absent(n: int, count: int, k: int) -> float:
    """The chance that k of n samples, drawn without replacement, have none of `count`."""
    return comb(n - count, k) / comb(n, k)


def self_repetition(samples: Samples, n: int = 4) -> float | None:
    """The share of n-grams of words that came before in the same text; None for texts without any."""
    texts = [one.text.split() for one in samples]
    grams = [[tuple(words[at : at + n]) for at in range(len(words) - n + 1)] for words in texts]
    total = sum(map(len, grams))
    return 1 - sum(len(set(one)) for one in grams) / total if total else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(np.minimum(values, HOTTEST))) if len(values) else None


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(np.minimum(values, HOTTEST))) if len(values) else None


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "correct texts", "high", lambda s: sum(one.score.correct for one in s) / len(s)),
        Metric("validity", "valid texts", "high", lambda s: sum(one.score.valid for one in s) / len(s)),
        Metric("self_repetition", "repeated 4-grams", "low", self_repetition),
        Metric("length", "tokens of a text", "", lambda s: sum(one.tokens for one in s) / len(s)),
        Metric("truncated", "texts cut off", "low", lambda s: sum(one.finish == "length" for one in s) / len(s)),
        Metric("temperature", "mean temperature", "", lambda s: _mean([t for one in s for t in one.temperature])),
        Metric("temperature_spread", "its spread", "", lambda s: _spread([t for one in s for t in one.temperature])),
        Metric("entropy", "mean entropy", "", lambda s: _mean([h for one in s for h in one.entropy])),
    )
}
"""The metrics by name."""

COUNTED = {"pass": ("chance that one of k is correct", pass_at), "distinct": ("different answers among k", distinct_at)}
"""The metrics over k samples: title, and value for samples and k."""


def metric_of(name: str) -> Metric:
    """The metric of a name such as `accuracy` or `pass@8`.

    Raises:
        ValueError: For an unknown name. The metric itself raises one for fewer samples than k.
    """
    if name in METRICS:
        return METRICS[name]
    kind, at, number = name.partition("@")
    if not (at and kind in COUNTED and number.isdigit() and int(number)):
        known = [*METRICS, *(f"{counted}@k" for counted in COUNTED)]
        raise StudyError(f"the metric {name!r} was given; there are {', '.join(known)}{suggestion(name, known)}")
    title, value = COUNTED[kind]
    k = int(number)

    def of(samples: Samples) -> float:
        if len(samples) < k:
            raise StudyError(f"{name} was asked for of {len(samples)} samples: it needs at least {k} for each item")
        return value(samples, k)

    return Metric(name, title.replace(" k", f" {k}"), "high", of)
