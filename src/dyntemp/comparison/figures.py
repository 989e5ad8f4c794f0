"""Figures of texts that several policies wrote to the same prompts: estimates of each measure, and where texts part.

None of them measures quality. They say how long, how varied, how repetitive and how surprising to the model itself the
texts are, and how far the texts of the policies agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dyntemp.comparison.measures import MEASURES, Written, parted_at
from dyntemp.statistics.estimate import Estimate, Values, estimate
from dyntemp.statistics.spread import Distribution, distribution, quantiles

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles that are told of each quantity in `SPREAD`."""

SPREAD = ("temperature", "entropy", "entropy_after")
"""Quantities whose spread over tokens is told, by their names in `Written`."""


class Parting(NamedTuple):
    """The positions at which the texts of one policy part from the leader's.

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
    """The figures of one policy.

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


class Figures(NamedTuple):
    """The figures of a comparison.

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
                {name: estimate(values[number][name], values[0][name] if number else None) for name in MEASURES},
                {field: quantiles(_all(one, field), QUANTILES) for field in SPREAD},
                dict(Counter(text.finish or "unknown" for prompt in one for text in prompt)),
                parting(one, leader) if number else None,
            )
            for number, one in enumerate(texts)
        ],
        {field: distribution([_all(one, field) for one in texts]) for field in SPREAD},
        [[overlap(one, other) for other in texts] for one in texts],
    )


def parting(texts: Sequence[Sequence[Written]], leader: Sequence[Sequence[Written]]) -> Parting:
    """Where texts, [prompts][seeds], part from the leader's."""
    pairs = _pairs(texts, leader)
    positions = [parted_at(text.tokens, other.tokens) for text, other in pairs]
    kept = [len(text.tokens) if at is None else at for at, (text, _) in zip(positions, pairs, strict=True)]
    shares = [at / len(other.tokens) if other.tokens else 1.0 for at, (_, other) in zip(kept, pairs, strict=True)]
    (median,) = quantiles(np.array([np.inf if at is None else at for at in positions]), [0.5])
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


def _by_prompt(texts: Sequence[Sequence[Written]]) -> dict[str, list[float | None]]:
    """Each measure of one policy, for each prompt."""
    return {name: [measure.of(prompt) for prompt in texts] for name, measure in MEASURES.items()}


def _all(texts: Sequence[Sequence[Written]], field: str) -> Values:
    """Over all draws of a policy."""
    values: Values = np.concatenate([getattr(text, field) for prompt in texts for text in prompt])
    return values


def _pairs(
    texts: Sequence[Sequence[Written]], others: Sequence[Sequence[Written]]
) -> list[tuple[Written, Written]]:  # fmt: skip
    return [
        pair for prompt, other in zip(texts, others, strict=True) for pair in zip(prompt, other, strict=True)
    ]  # fmt: skip


def _shared(a: Sequence[int], b: Sequence[int]) -> float:
    return 2 * (Counter(a) & Counter(b)).total() / (len(a) + len(b)) if len(a) + len(b) else 1.0
