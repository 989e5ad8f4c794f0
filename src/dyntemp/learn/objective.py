"""The objective of learning, and its gradient by ln T of each token."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.draw_curve import DrawCurves, Draws

Values = NDArray[np.float64]


class Valued(NamedTuple):
    """A value, and its gradient.

    Attributes:
        value: The sum over tokens.
        by_log_t: Its derivative by ln T of each token, [tokens].
    """

    value: float
    by_log_t: Values


def clipped(draws: Draws, before: Values, credit: Values, clip: float) -> Valued:
    """The sum of credit times probability ratio, clipped (Schulman et al. 2017, arXiv:1707.06347, equation 7).

    The ratio is that of the token's probability now to the one that it was drawn with. A token that is already `clip`
    more or less likely, in the direction of its credit, has no gradient. Where nothing has changed yet, the gradient is
    credit * (surprisal - entropy): REINFORCE, exact, with T a plain function and the draw the exploration.

    Args:
        draws: The probabilities now, [tokens].
        before: ln of the probability that each token was drawn with, [tokens].
        credit: The credit of each token's text, [tokens].
        clip: The largest change of the ratio that counts.
    """
    ratio = np.exp(np.minimum(draws.log_prob - before, 20.0))
    held = np.clip(ratio, 1 - clip, 1 + clip)
    free = ratio * credit <= held * credit
    return Valued(
        float(np.minimum(ratio * credit, held * credit).sum()), np.where(free, credit * ratio * draws.slope, 0.0)
    )


def divergence(draws: Draws, curves: DrawCurves, log_t: Values, anchor: float) -> Valued:
    """The divergence KL(draw at T || draw at the anchor), nats, summed over tokens: the price of leaving it.

    With L the logarithm of the sum and m = E[z] in units of the anchor's temperature S, KL = E[z/T] (1 - T/S) - L(T) +
    L(S); its derivative by ln T is (T/S - 1) times the varentropy.

    Args:
        draws: The draws at T, [tokens].
        curves: The curves of the tokens.
        log_t: ln T, [tokens].
        anchor: The static temperature S.
    """
    share = np.exp(log_t) / anchor
    static = curves.at(np.full(len(log_t), np.log(anchor)))
    kl = -draws.total_slope * (1 - share) - draws.total + static.total
    return Valued(float(np.maximum(kl, 0.0).sum()), (share - 1) * draws.varentropy)


def entropy(draws: Draws) -> Valued:
    """The entropy of the draws, nats, summed over tokens; its derivative by ln T is the varentropy."""
    return Valued(float(draws.entropy.sum()), draws.varentropy)
