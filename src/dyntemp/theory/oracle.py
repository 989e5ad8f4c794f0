"""How much temperature can do at all for the likelihood of a given text: static, policy, best by one signal, oracle.

The loss of a token at temperature T is -ln softmax(z/T)[token] = A(1/T) - (1/T)*ln p[token], with p the row at T = 1
and A(b) = ln sum p**b. It is convex in b = 1/T, so a best temperature is the root of a slope that rises with b. The
oracle sees the token that it is about to score: no policy reaches it. See `docs/theory/loop.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

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
    table = _Table.of(tokens)
    everywhere = table.best(np.zeros(len(tokens), np.int64))
    by_signal = None if signal is None else _by_signal(table, np.asarray(signal, np.float64))
    return Oracle(
        static=1 / float(everywhere[0]) if everywhere[0] else inf,
        static_loss=float(table.losses(everywhere).mean()),
        policy_loss=None if temperatures is None else float(table.losses(inverse(temperatures)).mean()),
        signal_loss=None if by_signal is None else float(table.losses(by_signal).mean()),
        oracle_loss=float(table.losses(table.best(np.arange(len(tokens)))).mean()),
        tokens=len(tokens),
        texts=len(np.unique(table.texts)),
    )


class _Table(NamedTuple):
    """The rows of some tokens side by side, the likeliest entry of each at 0.

    Attributes:
        below: ln p less that of the likeliest entry, [tokens, parts].
        entries: How many entries each part stands for; 0 where a row has fewer parts, [tokens, parts].
        token: The same of the tokens, [tokens].
        texts: Number of the text, [tokens].
    """

    below: Values
    entries: Values
    token: Values
    texts: NDArray[np.int64]

    @classmethod
    def of(cls, tokens: Sequence[Scored]) -> _Table:
        parts = max(len(one.row.log_p) for one in tokens)
        below, entries = np.zeros((2, len(tokens), parts))
        for at, one in enumerate(tokens):
            size = len(one.row.log_p)
            below[at, :size] = one.row.log_p - one.row.log_p[0]
            entries[at, :size] = one.row.entries
        token = np.array([min(one.log_p - float(one.row.log_p[0]), 0.0) for one in tokens])
        return cls(below, entries, token, np.array([one.text for one in tokens]))

    def weights(self, b: Values) -> Values:
        """The weight of each part at the inverse temperature of its row, [tokens, parts]."""
        with np.errstate(invalid="ignore"):
            scaled = np.where(self.below == 0, 0.0, b[:, None] * self.below)
        return np.asarray(self.entries * np.exp(scaled))

    def slopes(self, b: Values) -> Values:
        """The derivative of each token's loss in its inverse temperature, [tokens]."""
        weights = self.weights(b)
        return np.asarray((weights * self.below).sum(axis=1) / weights.sum(axis=1) - self.token)

    def losses(self, b: Values) -> Values:
        """The loss of each token at its inverse temperature, nats, [tokens]."""
        with np.errstate(invalid="ignore"):
            own = np.where(self.token == 0, 0.0, b * self.token)
        return np.asarray(np.log(self.weights(b).sum(axis=1)) - own)

    def best(self, groups: NDArray[np.int64]) -> Values:
        """The inverse temperature with the least loss in each group of tokens, [tokens].

        It is where the mean ln p of the draws meets that of the tokens: infinity (T = 0) where each token is its row's
        likeliest, 0 (T infinite) where they are less likely than the rows' entries on average.
        """

        def slope(b: Values) -> Values:
            return np.bincount(groups, self.slopes(b[groups])).astype(np.float64)

        size = int(groups.max()) + 1
        low, high = np.full((2, size), np.log(MOST)) * np.array([[-1.0], [1.0]])
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            falls = slope(np.exp(middle)) < 0
            low, high = np.where(falls, middle, low), np.where(falls, high, middle)
        found = np.exp((low + high) / 2)
        found[slope(np.zeros(size)) >= 0] = 0.0
        found[slope(np.full(size, inf)) <= 0] = inf
        return np.asarray(found[groups])

    def part(self, chosen: NDArray[Any]) -> _Table:
        """The table of some of the tokens."""
        return _Table(self.below[chosen], self.entries[chosen], self.token[chosen], self.texts[chosen])


def _by_signal(table: _Table, signal: Values) -> Values:
    """The inverse temperature of each token by a step function of the signal that was fitted to other texts."""
    numbers, text = np.unique(table.texts, return_inverse=True)
    if len(numbers) < 2:
        raise ValueError("the best function of a signal is scored on texts that it was not fitted to: give two or more")
    bins = np.searchsorted(np.quantile(signal, np.linspace(0, 1, BINS + 1)[1:-1]), signal)
    fold = text % min(FOLDS, len(numbers))
    found = np.empty(len(signal))
    for held_out in np.unique(fold):
        fitted, own = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
        others = table.part(fitted)
        steps = np.full(BINS, others.best(np.zeros(len(fitted), np.int64))[0])
        steps[bins[fitted]] = others.best(bins[fitted])
        found[own] = np.minimum(steps[bins[own]], MOST)
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
