"""How much temperature can do at all for the likelihood of a given text: static, policy, best by one signal, oracle.

The loss of a token at temperature T is -ln softmax(z/T)[token] = A(1/T) - (1/T)*ln p[token], with p the row at T = 1 and
A(b) = ln sum p**b. It is convex in b = 1/T, so every best temperature here is the root of a slope that rises. The
oracle sees the token that it is about to score: no policy reaches it. See `docs/theory/loop.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.theory.row_summary import RowSummary, inverse

Values = NDArray[np.float64]

MOST = 1e6
"""The inverse temperature from which on a row counts as greedy."""

HALVINGS = 60
"""Halvings of the bracket of an inverse temperature, in its logarithm."""

BINS = 8
"""Values of a signal that are told apart when its best function is looked for."""

FOLDS = 5
"""Parts of the texts; a function that is fitted to the others is scored on each."""


class Scored(NamedTuple):
    """A token of a text: the row that it was drawn from, or that a reference text meets, and its log-probability.

    Attributes:
        row: The row.
        log_p: ln of the token's probability at temperature 1.
        text: Number of its text; texts are the independent units.
    """

    row: RowSummary
    log_p: float
    text: int


class Oracle(NamedTuple):
    """Mean losses per token, in nats, of ways to choose the temperature; lower is better.

    Attributes:
        static: The best temperature for all tokens.
        static_loss: Its loss.
        policy_loss: The loss of the policy's temperatures; None where none were given.
        signal_loss: The loss of the best function of a signal, a step function of `BINS` values that is fitted to
            other texts; None where no signal was given.
        oracle_loss: The loss of the best temperature of each token.
        tokens: How many tokens.
        texts: How many texts.
    """

    static: float
    static_loss: float
    policy_loss: float | None
    signal_loss: float | None
    oracle_loss: float
    tokens: int
    texts: int

    @property
    def share(self) -> float | None:
        """The part of the way from static to oracle that the policy goes; below 0 where it is worse than static."""
        gap = self.static_loss - self.oracle_loss
        return None if self.policy_loss is None or gap <= 0 else (self.static_loss - self.policy_loss) / gap


def oracle(tokens: Sequence[Scored], temperatures: ArrayLike | None = None, signal: ArrayLike | None = None) -> Oracle:
    """Place a policy between the best static temperature and the best temperature of each token.

    Args:
        tokens: The tokens of reference texts, each with its row.
        temperatures: The policy's temperature at each token, [tokens].
        signal: The value of a signal at each token, [tokens].

    Raises:
        ValueError: For no tokens, or another number of temperatures or values than tokens.
    """
    if not tokens:
        raise ValueError("no tokens were given; at least one is needed")
    for name, values in (("temperatures", temperatures), ("values of the signal", signal)):
        if values is not None and len(np.atleast_1d(values)) != len(tokens):
            raise ValueError(f"{len(np.atleast_1d(values))} {name} were given for {len(tokens)} tokens; give one each")
    everywhere = best_inverse(tokens)
    return Oracle(
        static=1 / everywhere if everywhere else float("inf"),
        static_loss=_loss(tokens, np.full(len(tokens), everywhere)),
        policy_loss=None if temperatures is None else _loss(tokens, inverse(temperatures)),
        signal_loss=None if signal is None else _loss(tokens, _by_signal(tokens, np.asarray(signal, np.float64))),
        oracle_loss=_loss(tokens, np.array([best_inverse([token]) for token in tokens])),
        tokens=len(tokens),
        texts=len({token.text for token in tokens}),
    )


def best_inverse(tokens: Sequence[Scored]) -> float:
    """The inverse temperature, one for all, with the least loss: where the mean ln p of the draws meets the tokens'.

    Infinity (T = 0) where each token is its row's likeliest; 0 (T infinite) where they are less likely than the
    rows' entries on average.
    """

    def slope(b: float) -> float:
        return sum(float(token.row.at(b).log_p[0]) - token.log_p for token in tokens)

    if slope(0.0) >= 0:
        return 0.0
    if slope(np.inf) <= 0:
        return np.inf
    return _root(slope)


def _root(slope: Callable[[float], float]) -> float:
    """The zero of a slope that rises with b, between 1/MOST and MOST."""
    low, high = -np.log(MOST), np.log(MOST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(float(np.exp(middle))) < 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def losses(tokens: Sequence[Scored], inverses: Values) -> Values:
    """The loss of each token at its inverse temperature, nats."""
    found = np.empty(len(tokens))
    for at, (token, b) in enumerate(zip(tokens, inverses, strict=True)):
        likeliest = token.log_p >= token.row.log_p[0]
        if np.isinf(b):
            found[at] = token.row.at(b).entropy[0] if likeliest else np.inf
        else:
            found[at] = token.row.at(b).log_partition[0] - b * token.log_p
    return found


def _loss(tokens: Sequence[Scored], inverses: Values) -> float:
    return float(losses(tokens, inverses).mean())


def _by_signal(tokens: Sequence[Scored], signal: Values) -> Values:
    """The inverse temperature of each token by a step function of the signal that was fitted to other texts."""
    texts = np.array([token.text for token in tokens])
    numbers = np.unique(texts)
    if len(numbers) < 2:
        raise ValueError("the best function of a signal is scored on texts that it was not fitted to: give two or more")
    edges = np.quantile(signal, np.linspace(0, 1, BINS + 1)[1:-1])
    bins = np.searchsorted(edges, signal)
    fold = np.searchsorted(numbers, texts) % min(FOLDS, len(numbers))
    found = np.empty(len(tokens))
    for part in np.unique(fold):
        others = np.flatnonzero(fold != part)
        everywhere = best_inverse([tokens[at] for at in others])
        for one in np.unique(bins[fold == part]):
            fitted = [tokens[at] for at in others[bins[others] == one]]
            here = best_inverse(fitted) if fitted else everywhere
            found[(fold == part) & (bins == one)] = here if np.isfinite(here) else MOST
    return found


class Constrained(NamedTuple):
    """The best temperatures under a limit on the mean entropy of the draws.

    Attributes:
        temperatures: One of each token.
        loss: Their mean loss, nats.
        entropy: The mean entropy of the draws, nats.
        price: How much the loss falls per nat of mean entropy that is allowed more.
    """

    temperatures: Values
    loss: float
    entropy: float
    price: float


def constrained_oracle(tokens: Sequence[Scored], entropy: float, grid: ArrayLike | None = None) -> Constrained:
    """The best temperature of each token, among those of a grid, where the draws have at most this mean entropy.

    For a price of entropy, each token's best is the least of loss + price*entropy on the grid; the price is the least
    that meets the limit (Everett 1963). No choice of grid temperatures with as much mean entropy has a lower loss.

    Args:
        tokens: The tokens of reference texts.
        entropy: The largest mean entropy, nats.
        grid: Temperatures above 0; 97 from 0.05 to 20 by default, in equal ratios.

    Raises:
        ValueError: If even the lowest temperature of the grid has a higher mean entropy.
    """
    t = np.asarray(np.geomspace(0.05, 20, 97) if grid is None else grid, np.float64)
    b = inverse(t)
    sums = [token.row.at(b) for token in tokens]
    heat = np.array([one.entropy for one in sums])  # [tokens, grid]
    loss = np.array([one.log_partition - b * token.log_p for one, token in zip(sums, tokens, strict=True)])
    if heat.min(axis=1).mean() > entropy:
        raise ValueError(
            f"a mean entropy of {entropy} nats was asked for; the lowest that these rows have on the grid is "
            f"{heat.min(axis=1).mean():.4g}: ask for more, or give lower temperatures"
        )

    def chosen(price: float) -> NDArray[np.intp]:
        return np.argmin(loss + price * heat, axis=1)

    every = np.arange(len(tokens))
    low, high = 0.0, 0.0
    if heat[every, chosen(0.0)].mean() > entropy:
        low, high = 0.0, MOST
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if heat[every, chosen(middle)].mean() > entropy else (low, middle)
    best = chosen(high)
    return Constrained(t[best], float(loss[every, best].mean()), float(heat[every, best].mean()), high)
