"""The gradient of a text's log-probability in the temperature, from what each record holds: surprisal less entropy.

With pi = softmax(z/T): d ln pi(token)/d ln T = surprisal_after - entropy_after. A policy's temperature is a function of
the prefix, and the draw of the token explores, so no noise has to be added to T. See `docs/theory/loop.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.language.policy import Policy
from dyntemp.theory.row_summary import RowSummary, inverse
from dyntemp.traces.replay import replay
from dyntemp.traces.token import Token

STEP = 1e-5
"""Half the step of the central difference in a parameter, as a share of its range."""


def temperature_score(token: Token) -> float:
    """d ln(probability of the token)/d ln T, of a recorded token that was drawn from the whole support."""
    return token.surprisal_after - token.entropy_after


def score_variance(row: RowSummary, temperatures: ArrayLike) -> NDArray[np.float64]:
    """The variance of that score over the draw, [temperatures]: the varentropy of the tempered row, nats^2.

    The score's mean is 0 at each temperature, so this is also the Fisher information on ln T.
    """
    b = np.atleast_1d(inverse(temperatures))
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(b), 0.0, b**2 * row.at(b).variance)


def parameter_scores(
    tokens: Sequence[Token], policy: Policy, parameters: Mapping[str, float], *, seed: int = 0
) -> dict[str, float]:
    """d ln(probability of a recorded text)/d(parameter), for each free parameter, at the values it was drawn with.

    It is the sum over tokens of the score times d ln T/d(parameter), with the text held as it is.

    Args:
        tokens: All of one text, in order, drawn with these parameters and without filters.
        policy: The policy with its free parameters.
        parameters: Their values.
        seed: The seed of the recorded run.
    """
    score = np.array([temperature_score(token) for token in tokens])

    def log_temperature(name: str, value: float) -> NDArray[np.float64]:
        found = replay(tokens, policy, seed=seed, parameters={**parameters, name: value})
        return np.log([one.temperature for one in found])

    slopes = {}
    for name, parameter in policy.parameters.items():
        low, high = parameter.low or 0.0, parameter.high or 0.0
        step = STEP * (high - low)
        left, right = max(parameters[name] - step, low), min(parameters[name] + step, high)
        change = (log_temperature(name, right) - log_temperature(name, left)) / (right - left)
        slopes[name] = float(score @ change)
    return slopes


class GradientEstimate(NamedTuple):
    """The estimated derivative of the mean reward in one parameter.

    Attributes:
        value: The estimate, without bias.
        error: Its standard error.
        texts: How many texts it is over.
    """

    value: float
    error: float
    texts: int


def reward_gradient(scores: ArrayLike, rewards: ArrayLike) -> GradientEstimate:
    """The gradient of the mean reward from the scores of texts (Williams 1992), against the mean of the other rewards.

    A baseline that does not depend on the text itself leaves the mean of the estimate alone, as the score's mean is 0.

    Args:
        scores: d ln(probability of the text)/d(parameter), [texts].
        rewards: Reward of each text, [texts].

    Raises:
        ValueError: For fewer than two texts.
    """
    g, r = np.asarray(scores, np.float64), np.asarray(rewards, np.float64)
    if len(g) != len(r) or len(g) < 2:
        raise ValueError(f"{len(g)} scores and {len(r)} rewards were given; as many of each are needed, two or more")
    others = (r.sum() - r) / (len(r) - 1)
    each = g * (r - others)
    return GradientEstimate(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))), len(each))
