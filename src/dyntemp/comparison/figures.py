"""Figures of texts that several policies wrote to the same prompts: means, paired differences, where texts part.

None of them measures quality. They say how long, how varied, how repetitive and how surprising to the model itself the
texts are, and how far the policies' texts agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dyntemp.comparison.measures import MEASURES, Values, Written, mean, parted_at

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
RESAMPLES = 9_999
BINS = 40
SPREAD = ("temperature", "entropy", "entropy_after")
FEW_PROMPTS = 10
"""With fewer prompts than this, bootstrap intervals come out too narrow."""


class Estimate(NamedTuple):
    """One measure of one policy. None stands where there is nothing to compute it from.

    Attributes:
        mean: Mean over prompts.
        difference: Mean over prompts of this policy's value less the leader's; None for the leader.
        low: Where the difference's 95 % interval begins.
        high: Where it ends.
        prompts: How many prompts the difference, for the leader the mean, is over.
    """

    mean: float | None
    difference: float | None
    low: float | None
    high: float | None
    prompts: int


class Parting(NamedTuple):
    """Where one policy's texts part from the leader's.

    Attributes:
        texts: How many pairs of texts.
        never: Share of pairs that are equal to the end.
        kept: Mean number of tokens before they part; all of them where they never do.
        kept_share: Mean share of the leader's text that this is.
        position: Median position at which they part; None if at least half never do.
    """

    texts: int
    never: float
    kept: float
    kept_share: float
    position: float | None


class PolicyFigures(NamedTuple):
    """What is said of one policy.

    Attributes:
        policy: Its text.
        name: Its name, if it has one.
        measures: By the names of `MEASURES`.
        quantiles: Over all tokens, at `QUANTILES`, of the temperature, the model's entropy and the draw's, by their
            names in `Written`.
        finishes: How many texts ended in which way.
        parting: Where its texts part from the leader's; None for the leader.
    """

    policy: str
    name: str | None
    measures: Mapping[str, Estimate]
    quantiles: Mapping[str, list[float]]
    finishes: Mapping[str, int]
    parting: Parting | None


class Distribution(NamedTuple):
    """How a quantity spreads over the tokens of each policy.

    Attributes:
        edges: Ends of the bars, rising; the same for all policies.
        shares: Share of the policy's tokens in each bar, [policies, bars]; infinite values are in none.
    """

    edges: list[float]
    shares: list[list[float]]


class Figures(NamedTuple):
    """What is said of a comparison.

    Attributes:
        prompts: How many prompts.
        seeds: How many texts each policy wrote to each prompt.
        policies: The leader first.
        distributions: Of temperature, the model's entropy and the draw's, by their names in `Written`.
        overlap: Share of tokens that the texts of two policies have in common, [policies, policies].
    """

    prompts: int
    seeds: int
    policies: list[PolicyFigures]
    distributions: Mapping[str, Distribution]
    overlap: list[list[float]]


def figures(texts: Sequence[Sequence[Sequence[Written]]], policies: Sequence[tuple[str, str | None]]) -> Figures:
    """The figures of a comparison.

    Args:
        texts: [policies][prompts][seeds]; the first policy leads.
        policies: Text and name of each.
    """
    leader = texts[0]
    values = [_by_prompt(one) for one in texts]
    return Figures(
        len(leader),
        len(leader[0]),
        [
            PolicyFigures(
                policies[number][0],
                policies[number][1],
                {name: _estimate(values[number][name], values[0][name] if number else None) for name in MEASURES},
                {field: _quantiles(_all(one, field)) for field in SPREAD},
                dict(Counter(text.finish or "unknown" for prompt in one for text in prompt)),
                parting(one, leader) if number else None,
            )
            for number, one in enumerate(texts)
        ],
        {field: distribution([_all(one, field) for one in texts]) for field in SPREAD},
        [[overlap(one, other) for other in texts] for one in texts],
    )


def distribution(values: Sequence[Values]) -> Distribution:
    """How values, [policies][tokens], spread from 0 to the largest finite one.

    >>> distribution([np.array([0.0, 1.0, 1.0, np.inf])]).shares[0][-1]
    0.5
    """
    finite = [one[np.isfinite(one)] for one in values]
    top = max((float(one.max()) for one in finite if len(one)), default=0.0) or 1.0
    edges = np.linspace(0, top, BINS + 1)
    shares = [np.histogram(part, edges)[0] / len(one) for part, one in zip(finite, values, strict=True)]
    return Distribution(edges.tolist(), [share.tolist() for share in shares])


def parting(texts: Sequence[Sequence[Written]], leader: Sequence[Sequence[Written]]) -> Parting:
    """Where texts, [prompts][seeds], part from the leader's."""
    pairs = _pairs(texts, leader)
    positions = [parted_at(text.tokens, other.tokens) for text, other in pairs]
    kept = [len(text.tokens) if at is None else at for at, (text, _) in zip(positions, pairs, strict=True)]
    shares = [at / len(other.tokens) if other.tokens else 1.0 for at, (_, other) in zip(kept, pairs, strict=True)]
    median = float(np.quantile([np.inf if at is None else at for at in positions], 0.5, method="inverted_cdf"))
    return Parting(
        len(pairs),
        sum(at is None for at in positions) / len(pairs),
        float(np.mean(kept)),
        float(np.mean(shares)),
        median if np.isfinite(median) else None,
    )


def overlap(texts: Sequence[Sequence[Written]], others: Sequence[Sequence[Written]]) -> float:
    """Mean over pairs of texts of 2|A & B| / (|A| + |B|), tokens counted as often as they occur.

    This is ROUGE-1's F measure (Lin 2004, aclanthology.org/W04-1013) in the model's tokens.
    """
    return float(np.mean([_shared(text.tokens, other.tokens) for text, other in _pairs(texts, others)]))


def interval(differences: Values, share: float = 0.95) -> tuple[float, float] | None:
    """The percentile bootstrap's interval of the mean (Efron 1979), resampling with one fixed seed.

    Args:
        differences: One of each prompt, [prompts].
        share: How often it is meant to hold the true mean.

    Returns:
        Its ends; None for fewer than two prompts.
    """
    count = len(differences)
    if count < 2:
        return None
    generator, means = np.random.default_rng(0), np.empty(RESAMPLES)
    size = max(1, 1_000_000 // count)
    for first in range(0, RESAMPLES, size):
        part = means[first : first + size]
        part[:] = differences[generator.integers(0, count, (len(part), count))].mean(axis=1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def _by_prompt(texts: Sequence[Sequence[Written]]) -> dict[str, list[float | None]]:
    """Each measure of one policy, for each prompt."""
    return {name: [measure.of(prompt) for prompt in texts] for name, measure in MEASURES.items()}


def _estimate(values: Sequence[float | None], leader: Sequence[float | None] | None) -> Estimate:
    known = [value for value in values if value is not None]
    average = mean(known)
    if leader is None:
        return Estimate(average, None, None, None, len(known))
    both = [(a, b) for a, b in zip(values, leader, strict=True) if a is not None and b is not None]
    if not both or not np.all(np.isfinite(both)):
        return Estimate(average, None, None, None, len(both))
    differences = np.array([a - b for a, b in both])
    low, high = interval(differences) or (None, None)
    return Estimate(average, float(differences.mean()), low, high, len(both))


def _all(texts: Sequence[Sequence[Written]], field: str) -> Values:
    """Over all draws of a policy."""
    values: Values = np.concatenate([getattr(text, field) for prompt in texts for text in prompt])
    return values


def _quantiles(values: Values) -> list[float]:
    """Each a value that occurs, so that infinities stay what they are."""
    return [float(value) for value in np.quantile(values, QUANTILES, method="inverted_cdf")]


def _pairs(
    texts: Sequence[Sequence[Written]], others: Sequence[Sequence[Written]]
) -> list[tuple[Written, Written]]:  # fmt: skip
    return [
        pair for prompt, other in zip(texts, others, strict=True) for pair in zip(prompt, other, strict=True)
    ]  # fmt: skip


def _shared(a: Sequence[int], b: Sequence[int]) -> float:
    return 2 * (Counter(a) & Counter(b)).total() / (len(a) + len(b)) if len(a) + len(b) else 1.0
