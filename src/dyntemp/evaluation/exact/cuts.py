"""How many of a row's likeliest entries a chain of filters keeps, from the row's sorted list.

`dyntemp.distribution.truncation` has the formulas. Counts are exact where a filter cuts among the entries that stand
one by one. Within a block, entries count as spread evenly about its mean; top-h keeps whole blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import numpy as np

from dyntemp.distribution.filters import Filters, Step
from dyntemp.distribution.truncation import SLACK
from dyntemp.evaluation.exact.prefixes import CHUNK, Counts, Prefixes, Values


@dataclass(eq=False)
class Likeliest:
    """The entries of some rows that a filter reads.

    Attributes:
        rows: The rows.
        kept: How many entries the filters before it kept, [rows].
        inverse: 1/T of the probabilities that it reads, finite, [rows].
    """

    rows: Prefixes
    kept: Counts
    inverse: Values

    @cached_property
    def entries(self) -> Values:
        """How many entries of each part are left, [rows, parts]."""
        return self.rows.entries(self.kept)

    @cached_property
    def weight(self) -> Values:
        """The weight of an entry of each part, 1 for the largest, [rows, parts]."""
        return self.rows.weights(self.inverse)

    @cached_property
    def mass(self) -> Values:
        """The weight of each part, [rows, parts]."""
        return self.entries * self.weight

    @cached_property
    def total(self) -> Values:
        """The weight of each row, [rows]."""
        return np.asarray(self.mass.sum(axis=1))

    @cached_property
    def surprise(self) -> Values:
        """Minus the sum of w*ln w over each part, [rows, parts]."""
        b = self.inverse[:, None]
        found = -self.mass * (b * self.rows.depth)
        blocks = slice(self.rows.single, None)
        found[:, blocks] -= self.mass[:, blocks] * b * b * self.rows.variance
        return np.asarray(found)

    @property
    def entropy(self) -> Values:
        """The entropy of each row, nats, [rows]."""
        return np.maximum(np.log(self.total) + self.surprise.sum(axis=1) / self.total, 0.0)

    def from_share(self, share: Values | float) -> Counts:
        """How many entries have at least this share of the largest weight, and all of the largest."""
        with np.errstate(divide="ignore", invalid="ignore"):
            limit = np.log(np.minimum(np.broadcast_to(share, len(self.rows)), 1.0)) / self.inverse
        return self.above(np.where(self.inverse > 0, limit, -inf))

    def above(self, depth: Values) -> Counts:
        """How many entries lie at most this far below the largest, [rows]; `depth` is not above 0."""
        single = self.rows.single
        inside = self.rows.depth >= depth[:, None] * (1 + 1e-7)  # depths are float32
        share = inside.astype(np.float64)
        half = np.sqrt(3 * self.rows.variance)
        share[:, single:] = np.where(
            half > 0,
            np.clip((self.rows.depth[:, single:] + half - depth[:, None]) / np.where(half > 0, 2 * half, 1), 0, 1),
            share[:, single:],
        )
        share[:, single:] *= inside[:, single - 1 : single]
        return np.rint((self.entries * share).sum(axis=1)).astype(np.int64)

    def until(self, reached: Values, target: Values) -> Counts:
        """How many entries bring a rising sum over parts to `target`, with the one that does, [rows]."""
        before = np.count_nonzero(reached < target[:, None], axis=1)
        part = np.minimum(before, reached.shape[1] - 1)
        at = np.arange(len(part))
        start = np.where(part > 0, reached[at, part - 1], 0.0)
        gain = (reached[at, part] - start) / np.maximum(self.entries[at, part], 1)
        more = np.ceil((target - start) / np.where(gain > 0, gain, 1.0) * (1 - SLACK))
        return np.asarray(self.rows.starts[part] + np.clip(more, 1, self.entries[at, part]).astype(np.int64))


def kept_by(rows: Prefixes, filters: Filters, inverse: Values) -> Counts:
    """How many of the likeliest entries of each row a chain keeps, [rows].

    Args:
        rows: The rows.
        filters: The chain.
        inverse: 1/T of each row, [rows], infinite where it is greedy; for filters after the temperature.

    Raises:
        ValueError: For a filter that does not keep the likeliest entries, or whose place the lists cannot find.
    """
    check(filters)
    kept = rows.support
    if not filters.active:
        return kept
    parts = [
        _kept(rows[begin : begin + CHUNK], filters, inverse[begin : begin + CHUNK])
        for begin in range(0, len(rows), CHUNK)
    ]
    return np.concatenate([kept[:0], *parts])


def check(filters: Filters) -> None:
    """Raise for a chain that sorted lists cannot apply.

    Raises:
        ValueError: As `kept_by`.
    """
    for step in filters.steps:
        if step.name not in KEEP:
            raise ValueError(
                f"`{step}` does not keep the likeliest entries, or draws a coin: expected scores know "
                f"{', '.join(KEEP)}; sample this chain instead"
            )
        if step.name == "tfs" and step.after:
            raise ValueError(
                f"`{filters}` was given; expected scores know tfs before the temperature alone: sample this chain "
                "instead"
            )


def _kept(rows: Prefixes, filters: Filters, inverse: Values) -> Counts:
    kept, greedy = rows.support, np.isinf(inverse)
    finite = np.where(greedy, 1.0, inverse)
    for step in filters.steps:
        left = Likeliest(rows, kept, finite if step.after else np.ones(len(rows)))
        found = np.clip(KEEP[step.name](left, step), 1, kept)
        kept = np.where(greedy & step.after, 1, found)
    return kept


def _top_h(left: Likeliest, step: Step) -> Counts:
    mass = np.cumsum(left.mass, axis=1)
    spread = np.log(mass) + np.cumsum(left.surprise, axis=1) / mass
    within = np.where(left.weight > 0, spread, inf) <= step.arguments[0] * spread[:, -1:] * (1 + SLACK)
    within &= left.entries > 0
    return np.asarray((left.entries * within).sum(axis=1), np.int64)


def _tfs(left: Likeliest, step: Step) -> Counts:
    rows, (share,) = left.rows, step.arguments
    bends = np.hstack([np.abs(np.diff(left.mass[:, : rows.single], 2, axis=1)), rows.bends])
    bends[rows.starts[:-1] + 2 >= left.kept[:, None]] = 0.0
    flat = bends.sum(axis=1) <= SLACK  # p falls on a straight line: every difference counts alike
    alike = np.diff(np.minimum(rows.starts, np.maximum(left.kept - 2, 0)[:, None]))
    reached = np.cumsum(np.where(flat[:, None], alike, bends), axis=1)
    target = share * reached[:, -1] * (1 + SLACK)
    part = np.minimum(np.count_nonzero(reached <= target[:, None], axis=1), reached.shape[1] - 1)
    at = np.arange(len(part))
    start = np.where(part > 0, reached[at, part - 1], 0.0)
    gain = reached[at, part] - start
    among = np.floor(np.diff(rows.starts)[part] * (target - start) / np.where(gain > 0, gain, inf))
    return np.where(left.kept <= 2, left.kept, 1 + rows.starts[part] + among.astype(np.int64))


def _top_n_sigma(left: Likeliest, step: Step) -> Counts:
    depth, entries, single = left.rows.depth, left.entries, left.rows.single
    mean = (entries * depth).sum(axis=1) / left.kept
    off = entries * (depth - mean[:, None]) ** 2
    off[:, single:] += entries[:, single:] * left.rows.variance
    return left.above(-step.arguments[0] * np.sqrt(off.sum(axis=1) / left.kept) * (1 + SLACK))


def _p_less(left: Likeliest, _: Step) -> Counts:
    squares = (left.entries * left.rows.weights(2 * left.inverse)).sum(axis=1)
    return left.from_share(squares / left.total * (1 - SLACK))


def _eta(left: Likeliest, step: Step) -> Counts:
    epsilon = step.arguments[0]
    least = np.minimum(epsilon, sqrt(epsilon) * np.exp(-left.entropy))
    return left.from_share(least * left.total * (1 - SLACK))


KEEP: dict[str, Callable[[Likeliest, Step], Counts]] = {
    "top_k": lambda left, step: np.minimum(left.kept, int(step.arguments[0])),
    "top_p": lambda left, step: left.until(np.cumsum(left.mass, axis=1), step.arguments[0] * left.total * (1 - SLACK)),
    "min_p": lambda left, step: left.from_share(step.arguments[0]),
    "top_n_sigma": _top_n_sigma,
    "eta": _eta,
    "epsilon": lambda left, step: left.from_share(step.arguments[0] * left.total * (1 - SLACK)),
    "top_a": lambda left, step: left.from_share(step.arguments[0] / left.total * (1 - SLACK)),
    "tfs": _tfs,
    "p_less": _p_less,
    "top_h": _top_h,
}
"""Every filter that keeps the likeliest entries: how many of those that are left it keeps, [rows]."""
