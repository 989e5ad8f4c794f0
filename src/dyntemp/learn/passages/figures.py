"""The figures of temperatures on the tokens of given texts: surprise, calibration, gain, and what there was to win."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dyntemp.distribution.draw_curve import DrawCurves, Draws
from dyntemp.evaluation.pairs import compare
from dyntemp.learn.learnable import NEAR, Learnable
from dyntemp.learn.objective import divergence
from dyntemp.learn.passages.calibration import calibration, confidence
from dyntemp.learn.passages.fit import Fit, best_log_t, kept_tokens, loss_of, told
from dyntemp.learn.passages.results import Gain, HeldOut
from dyntemp.learn.passages.rows import PassageRows
from dyntemp.learn.results import Round
from dyntemp.learn.run import QUANTILES
from dyntemp.learn.tokens import Tokens, Values, values_along


class Half(NamedTuple):
    """One half of the passages.

    Attributes:
        rows: The rows of its tokens.
        clusters: The cluster of each token.
    """

    rows: PassageRows
    clusters: Sequence[str]

    @property
    def tokens(self) -> Tokens:
        """Its tokens."""
        return self.rows.tokens


class Choice(NamedTuple):
    """A choice of temperature at some tokens.

    Attributes:
        name: Its name.
        policy: Its policy.
        log_t: ln T of each token, [tokens].
        draws: The draws at these temperatures.
    """

    name: str
    policy: str
    log_t: Values
    draws: Draws

    @classmethod
    def static(cls, name: str, policy: str, tokens: Tokens) -> Choice:
        """One temperature for all tokens."""
        log_t = np.full(len(tokens.text), np.log(float(policy)))
        return cls(name, policy, log_t, tokens.curves.at(log_t))


def figures(choice: Choice, half: Half) -> HeldOut:
    """The figures of a choice of temperature."""
    t = np.exp(choice.log_t)
    return HeldOut(
        name=choice.name,
        policy=choice.policy,
        loss=loss_of(choice.draws, kept_tokens(half.tokens)).mean,
        temperature=float(t.mean()),
        spread=float(t.std()),
        calibration=calibration(confidence(choice.draws), half.rows.likeliest, half.clusters),
    )


def gain(other: Choice, learned: Choice, half: Half) -> Gain:
    """The surprise of another choice less that of the learned one, by token; clusters are resampled whole."""
    kept = kept_tokens(half.tokens)
    own = [name for name, left in zip(half.clusters, kept, strict=True) if left]
    pair = compare(loss_of(other.draws, kept).each.tolist(), loss_of(learned.draws, kept).each.tolist(), own)
    known = bool(np.isfinite(pair.low))
    return Gain(
        other=other.name, difference=pair.difference, low=pair.low if known else None,
        high=pair.high if known else None, p=pair.p,
    )  # fmt: skip


def oracle_loss(tokens: Tokens, bounds: tuple[float, float]) -> float:
    """The mean surprise with the best temperature of each token between bounds, which knows the token."""
    kept = kept_tokens(tokens)
    curves = DrawCurves(tokens.curves.value[kept], tokens.curves.totals[kept])
    best = best_log_t(curves, np.arange(curves.count), bounds)
    return float(-curves.at(best).log_prob.mean())


def at_bound(log_t: Values, bounds: tuple[float, float]) -> float:
    """The share of tokens whose T lies at a bound."""
    low, high = np.log(bounds)
    return float((np.minimum(log_t - low, high - log_t) <= NEAR * (high - low)).mean())


def rounds_of(found: Learnable, fitted: Fit, tokens: Tokens, static: float, bounds: tuple[float, float]) -> list[Round]:
    """The steps of a fit, on the tokens that it learned from."""
    kept = kept_tokens(tokens)
    rounds = []
    for number, values in enumerate(fitted.visited):
        now = told(found, values, tokens)
        t = np.exp(now.log_t)
        rounds.append(
            Round(
                round=number,
                policy=str(found.policy(values)),
                score=loss_of(now.draws, kept).mean,
                texts=tokens.texts,
                tokens=len(t),
                temperature=float(t.mean()),
                spread=float(t.std()),
                at_bound=at_bound(now.log_t, bounds),
                divergence=divergence(now.draws, tokens.curves, now.log_t, static).value / len(t),
            )
        )
    return rounds


def quantiles(expression: str, tokens: Tokens) -> list[float]:
    """Quantiles of an expression of signals over some tokens."""
    return np.quantile(values_along(expression, tokens), QUANTILES).tolist()
