"""In which order policies heat rows: monotone in a signal or not, and where two policies disagree about the order."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import PolicyError
from dyntemp.language.direction import directions
from dyntemp.language.interval import Interval
from dyntemp.language.policy import Policy
from dyntemp.sampling import measure
from dyntemp.theory.verdict import Verdict
from dyntemp.traces.replay import missing
from dyntemp.traces.token import Token

Values = NDArray[np.float64]

MOVES = {1: "rises", -1: "falls"}


def monotone(policy: Policy, support: int | None = None) -> Verdict:
    """The verdict on T moving one way with each signal, the other signals held constant.

    Raises:
        PolicyError: For a parameter without a range.

    >>> monotone(Policy("0.3 - 0.2*max_prob + 0.2*entropy")).claim
    'T rises as entropy rises, falls as max_prob rises'
    """
    found = {str(signal): way for signal, way in directions(policy.computed, support).items()}
    moves = [f"{MOVES[way]} as {name} rises" for name, way in found.items() if way]
    open_ = [name for name, way in found.items() if way is None]
    claim = f"T {', '.join(moves)}" if moves else "T moves with no signal"
    if open_:
        claim = f"T may move either way as {' or '.join(open_)} rises"
    return Verdict(
        claim,
        None if open_ else True,
        "the signs of its derivatives, by interval analysis" if found else "it reads no signal",
        "rows.md#order",
        {"directions": found},
        ("the other signals are held constant; on real rows they move together",),
    )


def entropy_range(max_prob: float, support: int) -> Interval:
    """The entropies of the rows of `support` entries whose likeliest has this probability; each one is reached.

    The most has a row whose other entries are equal; the least has as many entries of `max_prob` as fit, and the rest
    of the mass on one.

    Raises:
        PolicyError: For a probability that no likeliest entry of such a row has.

    >>> entropy_range(0.5, 4)
    Interval(low=0.6931..., high=1.2424...)
    """
    if not 1 / support <= max_prob <= 1:
        raise PolicyError(f"max_prob = {max_prob} was given; rows of {support} entries have {1 / support:g} to 1")
    spread = _rest(max_prob, support - 1) if support > 1 else []
    full = min(floor(1 / max_prob * (1 + 1e-12)), support)
    packed = [max_prob] * full + [max(1 - full * max_prob, 0.0)]
    return Interval(_entropy(packed), max(_entropy([max_prob, *spread]), _entropy(packed)))


def _rest(mass: float, count: int) -> list[float]:
    return [(1 - mass) / count] * count


def _entropy(p: Sequence[float]) -> float:
    return -sum(x * log(x) for x in p if x > 0) + 0.0


class Order(NamedTuple):
    """How two lists of temperatures of the same rows order them.

    Attributes:
        opposed: The share of pairs of rows that one list puts in the opposite order of the other.
        tied: The share of pairs that one list, or both, gives the same temperature.
        correlation: Spearman's rank correlation; NaN where a list is constant.
        witness: The two rows that are furthest apart in opposite orders, or None.
    """

    opposed: float
    tied: float
    correlation: float
    witness: tuple[int, int] | None


def compare_order(one: Values, other: Values) -> Order:
    """The order of two lists of values, [rows] each, finite and of the same length.

    >>> compare_order(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])).opposed
    0.333...
    """
    opposed = tied = 0
    best, witness = 0.0, None
    scales = [float(np.ptp(values)) or 1.0 for values in (one, other)]
    for row in range(len(one) - 1):
        gaps = [(values[row] - values[row + 1 :]) / scale for values, scale in zip((one, other), scales, strict=True)]
        against = np.where(gaps[0] * gaps[1] < 0, np.minimum(*np.abs(gaps)), 0.0)
        opposed += int(np.count_nonzero(against))
        tied += int(np.count_nonzero((gaps[0] == 0) | (gaps[1] == 0)))
        furthest = int(np.argmax(against))
        if against[furthest] > best:
            best, witness = float(against[furthest]), (row, row + 1 + furthest)
    pairs = max(len(one) * (len(one) - 1) // 2, 1)
    return Order(opposed / pairs, tied / pairs, _spearman(one, other), witness)


def _spearman(one: Values, other: Values) -> float:
    ranks = np.array([_ranks(one), _ranks(other)])
    if np.any(np.ptp(ranks, axis=1) == 0):
        return nan
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    return float(centred[0] @ centred[1] / np.sqrt((centred[0] @ centred[0]) * (centred[1] @ centred[1])))


def _ranks(values: Values) -> Values:
    """Twice the rank of each value, less a constant; equal values share their mean rank."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")).astype(np.float64)


def same_order(policy: Policy, other: Policy, support: int = 8) -> Verdict:
    """The verdict on two policies heating rows in the same order.

    They do if whichever of two rows is hotter under one policy is no colder under the other.

    Args:
        policy: A policy of the row alone.
        other: Another one.
        support: The number of entries of the rows that are tried, at least 3.

    Raises:
        PolicyError: For a policy that reads what a row alone does not determine, or has free parameters.

    >>> same_order(Policy("1 - max_prob"), Policy("entropy")).holds
    False
    """
    if support < 3:
        raise PolicyError(f"a support of {support} was given; 3 or more are allowed")
    ways = [directions(one.computed, support) for one in (policy, other)]
    signals = {signal for way in ways for signal in way}
    if len(signals) == 1 and all(len(set(way.values())) == 1 and None not in way.values() for way in ways):
        signs = [next(iter(way.values())) for way in ways]
        if signs[0] == signs[1]:
            (signal,) = signals
            return Verdict(
                f"both policies {'heat' if signs[0] == 1 else 'cool'} rows in the order of `{signal}`", True,
                "each is monotone in the one signal that it reads", "rows.md#order",
            )  # fmt: skip
    rows = tried(support)
    temperatures = [one.step(measure(np.log(rows), *one.signals)) for one in (policy, other)]
    found = compare_order(*(np.minimum(values, 1e6) for values in temperatures))
    if found.witness is None:
        return Verdict(
            "the policies heat rows in the same order", None,
            f"no two of {len(rows)} rows of {support} entries are in opposite orders", "rows.md#order",
        )  # fmt: skip
    first, second = found.witness
    heats = [[float(values[row]) for row in (first, second)] for values in temperatures]
    return Verdict(
        "the policies heat rows in the same order",
        False,
        f"two rows have T = {heats[0][0]:.3g} and {heats[0][1]:.3g} under one, {heats[1][0]:.3g} and "
        f"{heats[1][1]:.3g} under the other",
        "rows.md#order",
        {"rows": [rows[first].tolist(), rows[second].tolist()], "temperatures": heats, "opposed": found.opposed},
    )


def tried(support: int, steps: int = 24) -> Values:
    """Probabilities [rows, support]: the likeliest, the second, and the rest packed on few entries or spread over all.

    The rows with the least and the most entropy for a likeliest probability are among them.
    """
    rows = []
    for first in np.linspace(1 / support, 1 - 1e-6, steps):
        least, most = (1 - first) / (support - 1), min(first, 1 - first)
        for second in np.linspace(least, most, 6):
            left = 1 - first - second
            packed = np.minimum(np.maximum(left - second * np.arange(support - 2), 0), second)
            spread = np.full(support - 2, left / (support - 2))
            rows += [[first, second, *packed], [first, second, *spread]]
    found = np.maximum(np.array(rows), 1e-12)
    total: Values = found.sum(axis=1, keepdims=True)
    return found / total


def recorded_order(tokens: Sequence[Token], policy: Policy, other: Policy) -> Verdict:
    """The verdict of `same_order` on recorded rows.

    Args:
        tokens: The records of a trace; they hold the signals that the policies read.
        policy: A policy of the row alone.
        other: Another one.

    Raises:
        PolicyError: If the records lack a signal.
    """
    for one in (policy, other):
        if lacks := missing(tokens, one):
            raise PolicyError(
                f"`{one}` reads {', '.join(lacks)}, which these records do not hold: record with "
                f"signals=[{', '.join(map(repr, lacks))}], or --record on the command line"
            )
    heats = [
        one.step({str(s): np.array([token.signals[str(s)] for token in tokens]) for s in one.program.signals})
        for one in (policy, other)
    ]
    found = compare_order(*(np.minimum(values, 1e6) for values in heats))
    return Verdict(
        f"the policies heat {len(tokens):,} recorded rows in the same order",
        found.opposed == 0,
        f"{found.opposed:.1%} of the pairs of rows are in opposite orders; the rank correlation is "
        f"{found.correlation:.3f}",
        "rows.md#order",
        {"rows": len(tokens), "opposed": found.opposed, "tied": found.tied, "correlation": found.correlation},
    )
