"""Rows of logits as short sorted lists, from which sums at any temperature follow, over any prefix of a row.

The likeliest `SINGLE` entries of a row stand one by one, and the others in blocks of neighbouring ranks. A block keeps
the mean and the variance of its logits, and a sum over it is the expansion to second order:

    sum exp(b*d) = entries * exp(b*mean) * (1 + b**2*variance/2),    b = 1/T.

ln of a row's partition is then off by less than 1e-6, at temperatures from 0.02 to 50. A filter that keeps the
likeliest entries keeps a prefix of the sorted row, so that one list serves all of these filters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

SINGLE = 256
"""How many of the likeliest entries are kept one by one."""

GROWTH = 0.04
"""A block holds at most this share of the entries before it."""

SHRINKAGE = 0.1
"""A block holds at most this share of the entries that are left, so that the lowest logits stand alone."""

CHUNK = 256
"""Rows of one pass, so that its numbers stay in the processor's cache."""


class Sums(NamedTuple):
    """Sums over the kept entries of some rows, [rows].

    Attributes:
        log_partition: ln sum exp(d/T), d a logit less the row's largest.
        mean: The mean of d in the draw.
    """

    log_partition: Values
    mean: Values


@dataclass(frozen=True, slots=True, eq=False)
class Prefixes:
    """Rows of logits, sorted.

    Attributes:
        starts: Rank of the first entry of each part, and the number of all entries, [parts + 1].
        depth: Mean over each part of a logit less the row's largest, float32 [rows, parts].
        variance: Variance of the logits of each block, float32 [rows, blocks].
        support: How many entries of each row are not masked, [rows].
        bends: Sum over each part, the last two single entries and the blocks, of |second differences| of the sorted
            weights exp(depth), float32 [rows, 2 + blocks]; for tail-free sampling.
    """

    starts: Counts
    depth: NDArray[np.float32]
    variance: NDArray[np.float32]
    support: Counts
    bends: NDArray[np.float32]

    @classmethod
    def of(cls, falling: NDArray[Any]) -> Self:
        """The lists of full rows of logits, [rows, vocabulary], each in falling order; -inf where masked."""
        starts = parts_of(falling.shape[1])
        lists = [_listed(row[row > -np.inf], starts) for row in falling]  # row by row, in the processor's cache
        return cls(starts, *(np.stack(values) for values in zip(*lists, strict=True)))

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """The rows of several lists of one vocabulary, one after another."""
        return cls(
            parts[0].starts,
            np.concatenate([part.depth for part in parts]),
            np.concatenate([part.variance for part in parts]),
            np.concatenate([part.support for part in parts]),
            np.concatenate([part.bends for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.depth)

    def __getitem__(self, rows: slice | NDArray[Any]) -> Prefixes:
        """Some of the rows."""
        return Prefixes(self.starts, self.depth[rows], self.variance[rows], self.support[rows], self.bends[rows])

    @property
    def single(self) -> int:
        """How many entries of each row are kept one by one."""
        return self.depth.shape[1] - self.variance.shape[1]

    def entries(self, kept: Counts) -> Values:
        """How many entries of each part are among the first `kept`, [rows, parts]."""
        return np.diff(np.minimum(self.starts, kept[:, None])).astype(np.float64)

    def weights(self, inverse: Values) -> Values:
        """The mean of exp(d/T) over the entries of each part, [rows, parts], at inverse temperatures [rows]."""
        b = inverse[:, None]
        result: Values = np.exp(b * self.depth)
        result[:, self.single :] *= 1 + b * b * self.variance / 2
        return result

    def sums(self, inverse: Values, kept: Counts) -> Sums:
        """Sums over the first `kept` entries of each row at finite inverse temperatures, [rows]."""
        log_partition, mean = np.empty(len(self)), np.empty(len(self))
        for begin in range(0, len(self), CHUNK):
            at = slice(begin, begin + CHUNK)
            log_partition[at], mean[at] = _sums(self[at], inverse[at], kept[at])
        return Sums(log_partition, mean)


def _listed(falling: NDArray[Any], starts: Counts) -> tuple[Any, ...]:
    """Depth, variance, support and bends of one row, without its masked entries."""
    count, vocabulary = len(falling), int(starts[-1])
    single = min(SINGLE, vocabulary)
    tail = max(single - 2, 0)
    depth, bends = np.zeros(vocabulary), np.zeros(vocabulary - tail)
    depth[:count] = falling.astype(np.float64) - falling[0]
    weight = np.exp(depth[tail:count])
    bends[: max(count - tail - 2, 0)] = np.abs(weight[2:] - 2 * weight[1:-1] + weight[:-2])
    sizes = np.diff(np.minimum(starts[single:], count))
    mean = variance = np.zeros(0)
    if len(sizes):
        blocks = starts[single:-1] - single
        entries = np.maximum(sizes, 1)
        mean = np.add.reduceat(depth[single:], blocks) / entries
        off = depth[single:] - np.repeat(mean, np.diff(starts[single:]))
        off[max(count - single, 0) :] = 0.0
        variance = np.add.reduceat(off * off, blocks) / entries
    return (
        np.concatenate([depth[:single], mean]).astype(np.float32),
        variance.astype(np.float32),
        np.int64(count),
        np.add.reduceat(bends, starts[tail:-1] - tail).astype(np.float32),
    )


def _sums(rows: Prefixes, inverse: Values, kept: Counts) -> Sums:
    used = int(np.searchsorted(rows.starts, kept.max(initial=1)))
    depth, variance = rows.depth[:, :used], rows.variance[:, : max(used - rows.single, 0)]
    few = replace(rows, starts=rows.starts[: used + 1], depth=depth, variance=variance)
    entries, b = few.entries(kept), inverse[:, None]
    single = np.exp(b * depth) * entries
    weight = single.copy()
    weight[:, few.single :] *= 1 + b * b * variance / 2
    total = weight.sum(axis=1)
    first = np.einsum("rp,rp->r", weight, depth) + (single[:, few.single :] * (b * variance)).sum(axis=1)
    return Sums(np.log(total), first / total)


def parts_of(vocabulary: int) -> Counts:
    """The rank of the first entry of each part, and the number of all entries, [parts + 1]."""
    starts = list(range(min(SINGLE, vocabulary)))
    at = len(starts)
    while at < vocabulary:
        starts.append(at)
        at += max(int(min(at * GROWTH, (vocabulary - at) * SHRINKAGE)), 1)
    return np.array([*starts, vocabulary], np.int64)
