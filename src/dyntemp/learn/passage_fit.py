"""The parameters with which a template is least surprised by given texts, and the price of leaving one temperature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.draw_curve import DrawCurves, Draws
from dyntemp.errors import StudyError
from dyntemp.learn.learnable import Learnable
from dyntemp.learn.objective import divergence
from dyntemp.learn.steps import ranges
from dyntemp.learn.tokens import Temperatures, Tokens, Values, temperatures

PULLS = (0.0, 0.01, 0.1, 1.0, inf)
"""Prices of a nat of divergence from the static temperature, in nats of surprise; infinite for static temperature."""

FOLDS = 3
"""Parts of the passages; the price that is best on each part, learned from the others, is chosen."""

ITERATIONS = 100
"""Most steps of a fit."""

HALVINGS = 50
"""Halvings of a bracket of ln T."""


class Loss(NamedTuple):
    """The surprise of tokens at temperatures.

    Attributes:
        each: -ln of the probability of each token that the filters left, nats, [kept].
        mean: Their mean.
        by_log_t: The derivative of the mean by ln T of each token, [tokens]; 0 where the filters dropped the token.
    """

    each: Values
    mean: float
    by_log_t: Values


def kept_tokens(tokens: Tokens) -> NDArray[np.bool_]:
    """True for the tokens that the filters left, [tokens]."""
    return np.isfinite(tokens.curves.value)


def loss_of(draws: Draws, kept: NDArray[np.bool_]) -> Loss:
    """The surprise of the tokens that the filters left."""
    each = -draws.log_prob[kept]
    return Loss(each, float(each.mean()), np.where(kept, -draws.slope, 0.0) / max(len(each), 1))


def best_log_t(curves: DrawCurves, groups: NDArray[np.int64], bounds: tuple[float, float]) -> Values:
    """The ln T with the least surprise in each group of tokens, [groups], between those of two temperatures.

    The surprise is convex in 1/T, so that its slope has one zero, which is found by halving.

    Args:
        curves: The curves of the tokens, which the filters left.
        groups: The number of the group of each token, from 0, without gaps.
        bounds: The lowest and the highest temperature.
    """
    size = int(groups.max()) + 1
    ends = np.log(bounds)

    def rises(log_t: Values) -> NDArray[np.bool_]:
        """True where the surprise falls as T rises."""
        return np.bincount(groups, curves.at(log_t[groups]).slope, size) > 0

    low, high = np.full(size, ends[0]), np.full(size, ends[1])
    coldest, hottest = ~rises(low), rises(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        up = rises(middle)
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return np.where(hottest, ends[1], np.where(coldest, ends[0], (low + high) / 2))


def best_static(tokens: Tokens, bounds: tuple[float, float]) -> float:
    """The one temperature with the least surprise, between bounds.

    Raises:
        StudyError: If the filters dropped all tokens.
    """
    kept = kept_tokens(tokens)
    if not kept.any():
        raise StudyError("the filters drop every token of these texts: take weaker filters, or none")
    curves = DrawCurves(tokens.curves.value[kept], tokens.curves.totals[kept])
    return float(np.exp(best_log_t(curves, np.zeros(curves.count, np.int64), bounds)[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Parameters that were fitted.

    Attributes:
        values: The value of each parameter.
        pull: The price of a nat of divergence.
        visited: The values after each step, the first and the last among them.
    """

    values: Mapping[str, float]
    pull: float
    visited: Sequence[Mapping[str, float]]


class Objective:
    """Mean surprise plus `pull` times the mean divergence from the static temperature, nats a token, and its gradient.

    The parameters are given as shares of their ranges.

    Args:
        found: The template.
        tokens: The tokens to fit.
        static: The static temperature.
        pull: The price of a nat of divergence, finite.
    """

    def __init__(self, found: Learnable, tokens: Tokens, static: float, pull: float) -> None:
        self.template, self.tokens, self.static, self.pull = found.template, tokens, static, pull
        self.low, self.high = ranges(found.template)
        self.names = list(found.template.parameters)
        self.kept = kept_tokens(tokens)

    def values(self, shares: Values) -> dict[str, float]:
        """The parameters at these shares."""
        at = np.clip(self.low + shares * (self.high - self.low), self.low, self.high)
        return dict(zip(self.names, at.tolist(), strict=True))

    def shares(self, values: Mapping[str, float]) -> Values:
        """The shares of these parameters."""
        return (np.array([values[name] for name in self.names]) - self.low) / (self.high - self.low)

    def __call__(self, shares: Values) -> tuple[float, Values]:
        """The value at these shares, and its gradient by them."""
        now = temperatures(self.template, self.values(shares), self.tokens)
        loss = loss_of(now.draws, self.kept)
        value, by_log_t = loss.mean, loss.by_log_t
        if self.pull:
            price = divergence(now.draws, self.tokens.curves, now.log_t, self.static)
            value += self.pull * price.value / len(now.log_t)
            by_log_t = by_log_t + self.pull * price.by_log_t / len(now.log_t)
        return value, (now.jacobian.T @ by_log_t) * (self.high - self.low)


def fit(found: Learnable, tokens: Tokens, static: float, pull: float) -> Fit:
    """The parameters of least surprise, from those that the template begins with, by L-BFGS-B (Byrd et al. 1995).

    Args:
        found: The template.
        tokens: The tokens to fit.
        static: The static temperature that the divergence is measured from.
        pull: The price of a nat of divergence; an infinite one leaves the parameters as they are.

    Raises:
        StudyError: If SciPy is not installed.
    """
    begin = {name: found.start[name] for name in found.template.parameters}
    if pull == inf:
        return Fit(values=begin, pull=pull, visited=[begin])
    objective = Objective(found, tokens, static, pull)
    visited = [begin]
    result = minimize()(
        objective, objective.shares(begin), jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(begin),
        callback=lambda shares: visited.append(objective.values(shares)), options={"maxiter": ITERATIONS},
    )  # fmt: skip
    return Fit(values=objective.values(result.x), pull=pull, visited=visited)


def chosen_pull(
    make: Callable[[float], Learnable], tokens: Tokens, folds: NDArray[np.int64], bounds: tuple[float, float]
) -> dict[float, float]:
    """The mean surprise at each price of `PULLS` of tokens that were not learned from, nats; the least is to be chosen.

    Args:
        make: Makes the template at a static temperature.
        tokens: The tokens to fit.
        folds: The fold of each text, [texts].
        bounds: The lowest and the highest static temperature.
    """
    sums = dict.fromkeys(PULLS, 0.0)
    count = 0
    for fold in np.unique(folds):
        others, own = tokens.part(folds != fold), tokens.part(folds == fold)
        static = best_static(others, bounds)
        found, kept = make(static), kept_tokens(own)
        count += int(kept.sum())
        for pull in PULLS:
            if pull == inf:
                draws = own.curves.at(np.log(static))
            else:
                draws = told(found, fit(found, others, static, pull).values, own).draws
            sums[pull] += float(loss_of(draws, kept).each.sum())
    return {pull: total / max(count, 1) for pull, total in sums.items()}


def told(found: Learnable, values: Mapping[str, float], tokens: Tokens) -> Temperatures:
    """The temperatures of the policy that these values are written as, with few digits."""
    return temperatures(found.template, found.short(values), tokens)


def minimize() -> Any:
    """`scipy.optimize.minimize`.

    Raises:
        StudyError: If SciPy is not installed.
    """
    try:
        from scipy.optimize import minimize as found
    except ImportError as error:
        raise StudyError("SciPy is not installed: run `pip install 'dyntemp[evaluate]'`") from error
    return found
