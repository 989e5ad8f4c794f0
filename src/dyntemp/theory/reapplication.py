"""The rows that come of one row when a policy is applied to its own output again and again: z, z/T(z), and so on.

All rows that can follow z lie on its ray s*z, s > 0. There the map is s -> s/T(s*z), a map of the line.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.language.direction import directions
from dyntemp.language.functions import Direction
from dyntemp.language.nodes import Const, Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS
from dyntemp.sampling import measure, scale, temperatures
from dyntemp.theory.rays import heats, zipf
from dyntemp.theory.verdict import Verdict

ALONG_RAY = {"entropy": -1, "normalized_entropy": -1, "perplexity": -1, "max_prob": 1, "collision": 1, "top_mass": 1,
             "margin": 1, "support": 0}  # fmt: skip
"""The direction in which signals move as a row gets sharper, s*z with rising s. The others may move either way."""

STEP, JUMP = 1e-4, 0.05
"""The step in ln s of a derivative, and a change of T over it at which T jumps instead of passing 1."""

ROUNDS, STILL = 200, 1e-9
"""How often a policy is applied to its own output, and how near to 1 its temperature then is where the row stays."""


class FixedPoint(NamedTuple):
    """A row of a ray that has T = 1 and so stays.

    Attributes:
        scale: s, the factor on the row.
        entropy: Its entropy, nats.
        multiplier: The derivative of s -> s/T(s*z), which is 1 - dT/d(ln s). Rows nearby come closer where it is
            between -1 and 1, and go away where it is beyond.
    """

    scale: float
    entropy: float
    multiplier: float

    @property
    def attracts(self) -> bool:
        """True if rows nearby come closer."""
        return abs(self.multiplier) < 1


class Ray(NamedTuple):
    """A policy on the ray of one row.

    Attributes:
        fixed: The fixed points found, from the flattest row to the sharpest.
        flat: T of the flattest row: rows near it become uniform if it is above 1.
        sharp: T of the sharpest row: rows near it become certain if it is below 1.
    """

    fixed: tuple[FixedPoint, ...]
    flat: float
    sharp: float

    @property
    def ends(self) -> list[str]:
        """The rows that rows nearby come to when the policy is applied again and again."""
        settled = [f"{point.entropy:.3g} nats" for point in self.fixed if point.attracts]
        return [*(["uniform"] if self.flat > 1 else []), *settled, *(["certain"] if self.sharp < 1 else [])]


def ray(policy: Policy, logits: ArrayLike) -> Ray:
    """The fixed points of `policy` on the ray of one row, and its temperatures at both ends.

    A fixed point is found where T passes 1 between two of 241 scales, not where T touches 1 or jumps over it.

    Args:
        policy: A policy without free parameters. It is evaluated at the first token of a request of temperature 1,
            with what a caller gives at the middle of its range.
        logits: One row, [n], of which two unmasked entries differ.

    >>> [round(point.multiplier, 2) for point in ray(Policy("0.5 + max_prob"), [0.0, 1.0, 2.0]).fixed]
    [0.83]
    """
    row = np.asarray(logits, np.float64)
    found = heats(policy, row)
    fixed = []
    for at in np.flatnonzero((found.values[:-1] - 1) * (found.values[1:] - 1) < 0):
        root = _root(found.at, found.scales[at], found.scales[at + 1], rising=bool(found.values[at] < 1))
        before, after = found.at(root - STEP), found.at(root + STEP)
        if abs(after - before) < JUMP:
            entropy = float(measure(exp(root) * row, "entropy")["entropy"])
            fixed.append(FixedPoint(exp(root), entropy, 1 - (after - before) / (2 * STEP)))
    return Ray(tuple(fixed), float(found.values[0]), float(found.values[-1]))


def _root(heat: Callable[[float], float], low: float, high: float, *, rising: bool) -> float:
    """The point between two scales where T passes 1, by halving."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if (heat(middle) > 1) == rising else (middle, high)
    return (low + high) / 2


def along_ray(policy: Policy, support: int | None = None) -> Direction:
    """The direction in which T moves as a row gets sharper: +1, -1, 0, or None where it may move either way."""
    ways = {_times(way, _sharpening(signal)) for signal, way in directions(policy.computed, support).items()} - {0}
    return 0 if not ways else ways.pop() if len(ways) == 1 else None


def _sharpening(signal: Signal) -> Direction:
    match signal:
        case Signal("temperature_for_entropy", (Const(),)):
            return 1  # it is proportional to s
        case Signal(name):
            still = SIGNALS[name].source == "context" or name in ("entries", "inside")
            return 0 if still else ALONG_RAY.get(name)


def _times(way: Direction, other: Direction) -> Direction:
    if 0 in (way, other):
        return 0
    return None if way is None or other is None else way * other


def reapplication(policy: Policy, rows: ArrayLike) -> Verdict:
    """The verdict on rows coming to an end when the policy is applied to its own output, 200 times.

    Args:
        policy: A policy without free parameters and without memory.
        rows: [rows, n].

    Raises:
        PolicyError, StateError: If the policy reads what a row alone does not determine.

    >>> reapplication(Policy("0.1 + 0.8*entropy"), [[0.0, 1.0, 5.0], [0.0, 0.1, 0.2]]).values["fates"]
    {'certain': 2}
    """
    now = np.asarray(rows, np.float64)
    before = now
    for _ in range(ROUNDS):
        before, now = now, np.asarray(scale(now, policy))
    last, other = (np.asarray(temperatures(z, policy)) for z in (now, before))
    entropy, support = measure(now, "entropy", "support").values()
    ties = np.count_nonzero(np.asarray(rows) == np.max(rows, axis=1, keepdims=True), axis=1)
    fates = np.select(
        [np.abs(last - 1) < STILL, last <= GREEDY_AT, entropy < np.log(ties) + STILL, entropy > np.log(support) - STILL,
         np.abs(last * other - 1) < STILL],
        ["settled", "certain", "certain", "uniform", "alternates"], "moves",
    )  # fmt: skip
    shares = {str(fate): int(np.count_nonzero(fates == fate)) for fate in np.unique(fates)}
    holds = False if "alternates" in shares else None if "moves" in shares else True
    told = ", ".join(f"{count} of {len(now)} {fate}" for fate, count in shares.items())
    return Verdict(
        "rows come to an end when the policy is applied to its own output",
        holds,
        f"after {ROUNDS} rounds: {told}",
        "rows.md#reapplication",
        {"rows": len(now), "rounds": ROUNDS, "fates": shares},
    )


def on_zipf(policy: Policy, vocabulary: int) -> Verdict:
    """The verdict on the ray of rows whose probabilities follow Zipf's law, and its powers.

    It holds where T never rises as rows get sharper: then each row goes one way. Where T rises, it may turn back.

    Args:
        policy: A policy without free parameters and without memory.
        vocabulary: The number of entries, at least 2.
    """
    found = ray(policy, zipf(vocabulary))
    way = along_ray(policy, vocabulary)
    points = [f"{point.entropy:.3g} nats ({'attracts' if point.attracts else 'repels'})" for point in found.fixed]
    values = {
        "fixed": [point._asdict() for point in found.fixed], "flat": found.flat, "sharp": found.sharp,
        "ends": found.ends, "along_ray": way,
    }  # fmt: skip
    if found.ends:
        claim = f"applied to its own output, it takes rows to: {', '.join(found.ends)}"
    elif found.flat == found.sharp == 1:
        claim = "applied to its own output, it changes no row further"
    else:
        claim = "applied to its own output, it takes rows to no one row"
    fixed = f"T = 1 at {', '.join(points)}" if points else "no row has T = 1"
    holds = True if way in (-1, 0) else None
    return Verdict(claim, holds, f"{RULES[way]}; on Zipf-shaped rows {fixed}", "rows.md#reapplication", values)


RULES = {
    -1: "T falls as rows get sharper, so that no row turns back",
    0: "T stays as rows get sharper",
    1: "T rises as rows get sharper, so that T passes 1 once at most",
    None: "T may move either way as rows get sharper",
}
