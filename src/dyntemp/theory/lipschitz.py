"""How far the temperature can move when the logits do: the Lipschitz constant of a policy."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from math import inf, sqrt
from typing import NamedTuple

from dyntemp.language.bounds import ranges_of
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Call, Node, Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import ANY_SUPPORT, signals_of
from dyntemp.language.slopes import ONE, Part, Slopes
from dyntemp.theory.rays import heats, steepest_step, zipf
from dyntemp.theory.signal_slopes import signal_slope
from dyntemp.theory.verdict import Verdict

TOLERANCE = 5e-3
"""The share by which the bound may be above the slope at the middle of a box, which no split can lower."""

WORK = 1_500
"""Boxes times the nodes of the expression, at most: the bound holds wherever the search ends."""

STEEP, FEW = 1e6, 1_000
"""The quotient of temperatures and logits that counts as a jump, and the entries of the rows that are tried for any."""

NARROW = 2.0**-40
"""A side that is this share of a signal's range is not split further."""

WIDE = 4.0
"""A range whose ends have a larger quotient than this is split at their geometric mean."""

Box = dict[Node, Interval]


class Steepest(NamedTuple):
    """The largest slope of an expression, and the rows that allow it.

    Attributes:
        slope: An upper bound on the move of the value per unit of distance of the logits; infinite if none was found.
        at: The value of each signal that moves, where the slope is the largest found.
        node: The part that has no bound there, or None.
    """

    slope: float
    at: Mapping[Node, float]
    node: Node | None


def lipschitz(policy: Policy, support: int | None = None) -> Verdict:
    """The verdict on |T(z) - T(z')| <= constant * d(z, z'), with d the least max|z - z' - c| over constants c.

    The constant holds at `requested` = 1. Signals count as independent of one another, so that it is at most the sum
    of what each of them can do.

    Args:
        policy: A policy that is no template.
        support: The number of unmasked entries of every row, or None for any of 1 to 2**20.

    Raises:
        PolicyError: For a parameter without a range.

    >>> lipschitz(Policy("0.5 - 0.4*max_prob")).values["constant"]
    0.2
    """
    found = steepest(policy.computed, support)
    rows = "any vocabulary" if support is None else f"a vocabulary of {support:,}"
    values = {"constant": found.slope, "support": support}
    holds = True if found.slope < inf else None
    if found.slope == 0:
        claim, evidence = "the logits do not move T", "it reads nothing that the logits move"
    elif found.slope < inf:
        claim = f"T moves by at most {found.slope:.4g} times as far as the logits, on {rows}"
        evidence = f"the slopes of its signals, by the chain rule; steepest near {_place(found)}"
    else:
        claim, evidence = f"no bound is known on how far T moves with the logits, on {rows}", _reason(found)
        if isinstance(found.node, Call) and found.node.function == "where":
            distance, difference = steepest_step(heats(policy, zipf(support or FEW)))
            if difference > STEEP * distance:
                claim, holds = f"T jumps, on {rows}", False
                evidence = (
                    f"two rows {distance:.1g} apart, at {_place(found)}, have temperatures {difference:.3g} apart"
                )
    return Verdict(claim, holds, evidence, "rows.md#lipschitz", values, ASSUMPTIONS)


ASSUMPTIONS = (
    "both rows mask the same entries",
    "the request asks for temperature 1, and `given` numbers, positions and zones are the same",
    "what is remembered was measured on rows at no larger distance, with the same tokens drawn",
    "T is computed without rounding; float64 adds the error of the backend",
)


def _reason(found: Steepest) -> str:
    """The part of the policy without a bound, and the values of the signals there."""
    match found.node:
        case Call("where"):
            return f"`{found.node}` may jump at {_place(found)}"
        case Call("integral"):
            return f"`{found.node}` adds up the moves of all positions"
        case Signal("temperature_for_entropy"):
            return f"`{found.node}` has no bound where tokens tie"
        case _:
            return f"`{found.node}` has no bound at {_place(found)}"


def _place(found: Steepest) -> str:
    return " and ".join(f"{signal} = {value:.4g}" for signal, value in found.at.items())


def steepest(expression: Node, support: int | None = None) -> Steepest:
    """The largest slope of `expression`, by branch and bound over the ranges of its signals.

    The box with the largest bound is split until the bound is within `TOLERANCE` of the slope in the middle of a box.
    """
    always = ranges_of(expression, support)
    always = {node: ONE if node == Signal("requested") else known for node, known in always.items()}
    size = ANY_SUPPORT if support is None else Interval(float(support), float(support))
    earlier: dict[Node, float] = {}

    def remembered(node: Node) -> float:
        if node not in earlier:
            earlier[node] = steepest(node, support).slope
        return earlier[node]

    slopes = Slopes(lambda signal, values: signal_slope(signal, values, size), remembered, always)

    def part(box: Box) -> Part:
        return slopes.of(expression, {**always, **box})

    whole: Box = {signal: always[signal] for signal in signals_of(expression) if not always[signal].is_point}
    boxes = [(-part(whole).slope.absolute, 0, whole)]
    reached, at = -1.0, whole
    for count in range(WORK // expression.size):
        bound, _, box = boxes[0]
        middle = {signal: _middle(side) for signal, side in box.items()}
        if (slope := part(middle).slope.absolute) > reached:
            reached, at = slope, middle
        widest = _widest(box, whole)
        if widest is None or -bound <= reached * (1 + TOLERANCE):
            break
        heapq.heappop(boxes)
        for number, half in enumerate(_halves(box[widest])):
            smaller = {**box, widest: half}
            bound = -part(smaller).slope.absolute
            heapq.heappush(boxes, (bound, -2 * count - number - 1, smaller))  # of equal ones the last comes first
    bound, _, box = boxes[0]
    slopes.leaves.clear()
    leaves = [leaf for leaf in part(box).gradient if slopes.leaves[leaf].absolute == inf]
    if bound == -inf:
        at = {signal: _middle(side) for signal, side in box.items()}
    moving = {signal: low for signal, (low, _) in at.items() if signal in part(whole).gradient or bound == -inf}
    return Steepest(-bound, moving, None if bound > -inf else leaves[0] if leaves else expression)


def _cut(side: Interval) -> float:
    low, high = side
    return sqrt(low * high) if low > 0 and high > WIDE * low else low + (high - low) / 2


def _halves(side: Interval) -> tuple[Interval, Interval]:
    middle = _cut(side)
    return Interval(side.low, middle), Interval(middle, side.high)


def _middle(side: Interval) -> Interval:
    middle = _cut(side)
    return Interval(middle, middle)


def _widest(box: Box, whole: Box) -> Node | None:
    """The signal with the widest range for the size of its values; None where all are narrow, or infinite."""
    widths = {
        signal: (high - low) / max(-low, high)
        for signal, (low, high) in box.items()
        if NARROW * (whole[signal].high - whole[signal].low) < high - low < inf
    }
    return max(widths, key=widths.__getitem__, default=None)
