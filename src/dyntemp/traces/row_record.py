"""The record of a token from the row of logits that it was drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, log
from typing import Any, NamedTuple

from numpy.typing import NDArray

from dyntemp.distribution.draw_distribution import DrawDistribution
from dyntemp.language.signals import SIGNALS, make_signal
from dyntemp.signals import entropy, max_prob, support
from dyntemp.traces.token import Alternative, Token

MEASURED = (max_prob, entropy, support)
"""Signals that every record needs."""

RECORDED = tuple(
    make_signal(record.name)
    for record in SIGNALS.values()
    if record.source in ("moments", "order") and not record.arguments
)
"""Signals that records hold by default beside those of the policy, so that most other policies can be replayed."""


class Figures(NamedTuple):
    """The figures of a row and of its drawn token.

    Attributes:
        value: The logit of the token.
        highest: The largest logit of the row.
        entropy_after: Entropy of the draw, nats.
        surprisal_after: -ln of the token's probability in the draw.
    """

    value: float
    highest: float
    entropy_after: float
    surprisal_after: float


def row_record(token: int, figures: Figures, signals: Mapping[str, float], **others: Any) -> Token:
    """The record of a token.

    Args:
        token: Its number in the vocabulary.
        figures: Those of its row.
        signals: The signals of its row, `max_prob` among them.
        others: The other fields of `Token`.
    """
    most = log(signals["max_prob"])
    below = figures.highest - figures.value
    return Token(
        token=token,
        signals=signals,
        probability=exp(most - below),
        probability_after=exp(-figures.surprisal_after),
        surprisal=max(below - most, 0.0),
        entropy_after=figures.entropy_after,
        surprisal_after=figures.surprisal_after,
        **others,
    )


def alternatives_of(
    z: NDArray[Any], after: DrawDistribution, likeliest: Sequence[int], most: float, name: Callable[[int], str],
    tokens: Sequence[int] | NDArray[Any] | None = None,
) -> tuple[Alternative, ...]:  # fmt: skip
    """The likeliest tokens of a row.

    Args:
        z: The row, [n].
        after: The distribution that its token is drawn from.
        likeliest: Entries of the row.
        most: ln of the largest probability at temperature 1.
        name: Returns the text of a token.
        tokens: The token of each entry, [n]; None where entries have the numbers of tokens.
    """
    highest = float(z.max())
    found = []
    for entry in likeliest:
        token = entry if tokens is None else int(tokens[entry])
        probability = exp(float(z[entry]) - highest + most)
        found.append(Alternative(token, name(token), probability, exp(-after.surprisal(entry))))
    return tuple(found)
