"""The cuts found by sums over a row, or in its falling order; `dyntemp.distribution.truncation` has the formulas.

Sums are float64 whatever the row is, since most filters compare a probability with a bound that depends on them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dyntemp.distribution.truncation import SLACK
from dyntemp.kernels.cpu.compare import between, count_above, count_equal
from dyntemp.kernels.cpu.nucleus import ALL, Likeliest, mass_of
from dyntemp.kernels.cpu.select import order_statistics
from dyntemp.kernels.cpu.vectors import LOWEST64, exponential, plain, vector, wide_vectors

HEAD = 2_048
"""So many of the likeliest are sorted at first, where the rest may not matter."""


class Sums(NamedTuple):
    """Sums over entries, with the weights w = exp(a*(x - top)), float64.

    Attributes:
        total: The sum of w.
        squares: The sum of w**2.
        mean: The sum of w*ln w.
    """

    total: Any
    squares: Any
    mean: Any


@vector
def sums_above(values, bound, top, a):
    """`Sums` over the entries above `bound`."""
    wide_vectors()
    total = squares = mean = 0.0
    for i in range(len(values)):
        x = np.float64(values[i])
        d = x - top
        d = (d if d > -1.7976931348623157e308 else -1.7976931348623157e308) * a
        d = d if d > LOWEST64 else LOWEST64
        e = exponential(d, 0.0)
        e = e if x > bound else 0.0
        total += e
        squares += e * e
        mean += e * d
    return total, squares, mean


@plain
def sums_of(values, masked_at, likeliest, top, a):
    """`Sums` over `likeliest`."""
    low, ties = likeliest
    if low == -np.inf:
        total, squares, mean = sums_above(values, np.float64(masked_at), np.float64(top), a)
        return Sums(total, squares, mean)
    total, squares, mean = sums_above(values, np.float64(low), np.float64(top), a)
    equal = min(ties, count_equal(values, low))
    e = mass_of(low, top, a)
    logarithm = max(a * max(np.float64(low) - np.float64(top), -1.7976931348623157e308), LOWEST64)
    return Sums(total + equal * e, squares + equal * e * e, mean + equal * e * logarithm)


@vector
def moments_above(values, bound, top):
    """The sums of x - top and of its square over the entries above `bound`."""
    wide_vectors()
    first = second = 0.0
    for i in range(len(values)):
        x = np.float64(values[i])
        d = x - top if x > bound else 0.0
        first += d
        second += d * d
    return first, second


@plain
def deviation(values, masked_at, likeliest, top):
    """The standard deviation of the logits of `likeliest`; infinite where it is beyond float64."""
    low, ties = likeliest
    bound = masked_at if low == -np.inf else low
    first, second = moments_above(values, np.float64(bound), np.float64(top))
    count = np.float64(count_above(values, bound))
    if low > -np.inf:
        equal, d = min(ties, count_equal(values, low)), np.float64(low) - np.float64(top)
        first, second, count = first + equal * d, second + equal * d * d, count + equal
    mean = first / count
    variance = second / count - mean * mean
    return math.sqrt(max(variance, 0.0)) if variance < np.inf else np.inf


@plain
def falling(values, masked_at, likeliest, top, room):
    """The entries of `likeliest`, the largest first."""
    low, ties = likeliest
    length, _ = between(values, max(low, np.nextafter(masked_at, top)), top, room[0])
    ordered = np.sort(room[0][:length])[::-1]
    return ordered if ties == ALL else ordered[: length - max(count_equal(ordered, low) - ties, 0)]


@plain
def first_of(ordered, count, likeliest):
    """The first `count` of some entries in falling order, which are those of `likeliest`, as `Likeliest`."""
    found = ordered[count - 1]
    same = 1
    while same < count and ordered[count - 1 - same] == found:
        same += 1
    if found == likeliest.low and likeliest.ties != ALL:
        return found, min(same, likeliest.ties)
    return found, ALL if count == len(ordered) or ordered[count] != found else same


@plain
def top_h(values, masked_at, likeliest, top, a, alpha, room):
    """The likeliest that have together at most `alpha` times the entropy of `likeliest`, as (low, ties)."""
    sums = sums_of(values, masked_at, likeliest, top, a)
    most = alpha * (math.log(sums.total) - sums.mean / sums.total) * (1.0 + SLACK)
    head = likeliest
    if len(values) > 2 * HEAD:
        low, _, _, _ = order_statistics(values, len(values) - HEAD, room)
        if low > masked_at and low > likeliest.low:
            head = Likeliest(low, ALL)
    ordered = falling(values, masked_at, head, top, room)
    count = within_entropy(ordered, top, a, most)
    if count == len(ordered) and head.low > likeliest.low:
        ordered = falling(values, masked_at, likeliest, top, room)
        count = within_entropy(ordered, top, a, most)
    return first_of(ordered, count, likeliest)


@plain
def within_entropy(ordered, top, a, most):
    """How many of the first entries have together at most the entropy `most`; 1 at least."""
    total = mean = 0.0
    for i in range(len(ordered)):
        d = a * max(np.float64(ordered[i]) - np.float64(top), -1.7976931348623157e308)
        e = math.exp(d)
        total += e
        mean += e * d if d > LOWEST64 else 0.0
        if i > 0 and (d <= LOWEST64 or math.log(total) - mean / total > most):
            return i
    return len(ordered)


@plain
def before_tail(values, masked_at, likeliest, top, a, share, room):
    """The likeliest before the tail of tail-free sampling, as (low, ties)."""
    ordered = falling(values, masked_at, likeliest, top, room)
    if len(ordered) <= 2:
        return likeliest.low, likeliest.ties
    w = np.empty(len(ordered))
    for i in range(len(ordered)):
        w[i] = mass_of(ordered[i], top, a)
    total = 0.0
    for i in range(len(ordered) - 2):
        total += abs((w[i + 2] - w[i + 1]) - (w[i + 1] - w[i]))
    straight = total <= SLACK
    limit = share * (len(ordered) - 2.0 if straight else total) * (1.0 + SLACK)
    reached, count = 0.0, 1
    for i in range(len(ordered) - 2):
        reached += 1.0 if straight else abs((w[i + 2] - w[i + 1]) - (w[i + 1] - w[i]))
        if reached > limit:
            break
        count += 1
    return first_of(ordered, count, likeliest)
