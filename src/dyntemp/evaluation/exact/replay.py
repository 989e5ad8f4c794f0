"""Recorded samples under another policy: the metric's expected value from importance weights, and how far to trust it.

A sample that was drawn with probability p and that the other policy draws with probability q has the weight q/p. The
mean of a metric under these weights, which are divided by their sum, is the metric of the other policy. Weights of long
texts differ widely: their effective number (sum w)**2 / sum w**2 (Kong 1992) says how many samples of its own would
tell as much. Nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.exact.prefixes import Values
from dyntemp.evaluation.exact.summaries import NO_FILTERS, Summaries
from dyntemp.language.policy import Policy
from dyntemp.traces.replay import replay
from dyntemp.traces.token import Token

SHARE = 0.1
"""The least share of the samples that has to be effective."""

SAMPLES = 30
"""The least effective number of samples."""


class Replay(NamedTuple):
    """A metric under a policy that did not write the samples.

    Attributes:
        mean: Its expected value.
        error: The standard error of `mean`.
        effective: The effective number of samples.
        samples: How many there are.
    """

    mean: float
    error: float
    effective: float
    samples: int


def replayed(log_weights: ArrayLike, values: ArrayLike, share: float = SHARE, least: float = SAMPLES) -> Replay:
    """The expected value of a metric, from samples of another policy.

    Args:
        log_weights: ln(q/p) of each sample, [samples], as `weights_of_traces` and `weights_of_summaries` give them.
        values: The metric of each sample, such as 1 for correct and 0 for wrong, [samples].
        share: The least share of the samples that has to be effective.
        least: The least effective number of samples.

    Raises:
        ValueError: If fewer are effective; the message has the figures. The policy is too far from the recorded one.
    """
    w, x = np.asarray(log_weights, np.float64), np.asarray(values, np.float64)
    if w.shape != x.shape or w.ndim != 1:
        raise ValueError(f"weights of shape {w.shape} and values of shape {x.shape} were given; pass one per sample")
    top = w.max(initial=-inf)
    weight = np.exp(w - top) if top > -inf else np.zeros(len(w))
    effective = float(weight.sum() ** 2 / (weight @ weight)) if top > -inf else 0.0
    if effective < max(share * len(w), least):
        raise ValueError(
            f"{len(w)} samples are worth {effective:.1f} of the policy's own; {max(share * len(w), least):.0f} are "
            "needed: sample the policy, or one that is nearer to it"
        )
    q = weight / weight.sum()
    mean = float(q @ x)
    return Replay(mean, float(np.sqrt(np.sum((q * (x - mean)) ** 2))), effective, len(w))


def weights_of_traces(
    samples: Sequence[Sequence[Token]],
    policy: Policy,
    *,
    seed: int = 0,
    given: Mapping[str, float] | None = None,
) -> Values:
    """ln(q/p) of recorded texts under another policy and the filters of their run, [samples].

    Tokens that were forced have no weight. Probabilities are as exact as the records' histograms; see
    `dyntemp.traces.replay`.

    Args:
        samples: The tokens of each text, from its first; records with one alternative or more.
        policy: The other policy.
        seed: The seed of the recorded run.
        given: The value of each `given("name", low, high)`, by name.

    Raises:
        PolicyError: For a policy that reads what was not recorded.
        ValueError: For records that do not hold their rows.
    """
    result = []
    for tokens in samples:
        found = zip(replay(tokens, policy, seed=seed, given=given), tokens, strict=True)
        ratios = [
            (log(new.probability) if new.probability > 0 else -inf) + token.surprisal_after
            for new, token in found
            if token.origin != "forced"
        ]
        result.append(sum(ratios, 0.0))
    return np.array(result)


def weights_of_summaries(
    summaries: Summaries,
    log_prob: ArrayLike,
    policy: Policy,
    filters: Filters = NO_FILTERS,
    given: Mapping[str, ArrayLike] | None = None,
) -> Values:
    """ln(q/p) of texts under another policy and other filters, [texts].

    Args:
        summaries: The rows of the drawn tokens, one target each: the token.
        log_prob: ln of the probability that each token was drawn with, [rows].
        policy: The other policy.
        filters: Its filters. What the recorded filters cut off was never drawn: a chain that keeps more of the row
            makes the weights' mean fall short of 1, and the estimate holds for texts within the recorded filters.
        given: As for `Summaries.temperatures`.

    Raises:
        PolicyError, ValueError: As `Summaries.temperatures` and `Summaries.log_prob`.
    """
    if not np.array_equal(summaries.target_row, np.arange(len(summaries))):
        raise ValueError("summaries with other targets were given; each row has one, its drawn token")
    ratios = summaries.log_prob(summaries.temperatures(policy, given), filters) - np.asarray(log_prob, np.float64)
    row, text, _, _ = summaries.visits
    return np.asarray(np.bincount(text, ratios[row]), np.float64)
