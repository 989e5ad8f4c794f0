"""The curves of T over each signal that the policies of a run read, as it learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from dyntemp.evaluation.report.axes import Axis, drawing, frame, line, padded, path
from dyntemp.language.policy import Policy
from dyntemp.language.signals import ANY_SUPPORT, SIGNALS
from dyntemp.learn.report.rounds import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from dyntemp.learn.results import Round
from dyntemp.show.markup import Markup, element
from dyntemp.show.plots import with_unit
from dyntemp.show.quantity import figure
from dyntemp.statistics.estimate import Values

POINTS = 121
"""Points of a curve."""

KINDS = ("dt-control-line", "dt-other-control", "dt-method-line")
"""The looks of the first, the middle and the final policy."""


class Moments(NamedTuple):
    """The policies of a run as it learned.

    Attributes:
        first: The policy of its first round.
        middle: The one of its middle round.
        final: The one that it learned in the end.
        number: Number of the middle round.
    """

    first: Policy
    middle: Policy
    final: Policy
    number: int

    @classmethod
    def of(cls, rounds: Sequence[Round], final: str) -> Self:
        """The policies of some rounds, and the final one."""
        number = len(rounds) // 2
        return cls(Policy(rounds[0].policy), Policy(rounds[number].policy), Policy(final), number)

    @property
    def policies(self) -> tuple[Policy, Policy, Policy]:
        """The policies in order."""
        return self.first, self.middle, self.final


def note(moments: Moments, round_name: str = "round") -> str:
    """The meaning of the lines in all drawings."""
    told = (
        f"Dashed: {round_name} 0. Grey: {round_name} {moments.number}. Blue: learned in the end. Each signal goes "
        "from its smallest to its largest recorded value, the others are at their medians; marks stand at its nine "
        "quantiles."
    )
    remembers = any(policy.remembers for policy in moments.policies)
    return told + (" Policies that remember are drawn at the first token of a text." if remembers else "")


def drawings(signals: Mapping[str, Sequence[float]], moments: Moments) -> Iterator[Markup]:
    """A drawing for each signal that moves, all on one scale of T.

    Args:
        signals: Quantiles of each signal, ascending, by its text.
        moments: The policies.
    """
    moving = [name for name, at in signals.items() if at[-1] > at[0] and name != "surprisal"]
    found = {name: [along(policy, signals, name) for policy in moments.policies] for name in moving}
    if not found:
        return
    y = Axis(*padded(float(t) for each in found.values() for temperatures in each for t in temperatures), BOTTOM, TOP)
    for name, each in found.items():
        yield _figure(name, signals[name], each, y)


def along(policy: Policy, signals: Mapping[str, Sequence[float]], name: str) -> Values:
    """The temperatures of a policy from the smallest to the largest value of a signal, the others at their medians.

    Args:
        policy: The policy.
        signals: Quantiles of each signal, ascending, by its text.
        name: The signal that moves.

    Returns:
        T, [POINTS].
    """
    values: dict[str, Values] = {}
    for signal in policy.program.signals:
        text = str(signal)
        if text in signals:
            quantiles = signals[text]
            at = _values(quantiles) if text == name else np.full(POINTS, quantiles[len(quantiles) // 2])
            # quantiles are rounded, and may lie a last digit outside the range that a policy checks
            values[text] = np.clip(at, *SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments))
    state = policy.state(POINTS) if policy.remembers else None
    return policy.step({"requested": np.ones(POINTS), **values}, state=state)


def _figure(name: str, quantiles: Sequence[float], found: Sequence[Values], y: Axis) -> Markup:
    x = Axis(quantiles[0], quantiles[-1], LEFT, WIDTH - RIGHT)
    final = found[-1]
    told = f"T over {name}: from {figure(float(final[0]))} to {figure(float(final[-1]))} in the end"
    return element(
        "figure",
        element("figcaption", f"{told}."),
        drawing(
            WIDTH, HEIGHT, told,
            *frame(x, y, with_unit(name), "T"),
            *(line(x.at(at), BOTTOM, x.at(at), BOTTOM - 7, "dt-other-control") for at in quantiles),
            *(
                path([(x.at(at), y.at(t)) for at, t in zip(_values(quantiles).tolist(), one.tolist(), strict=True)],
                     f"dt-line {kind}")
                for one, kind in zip(found, KINDS, strict=True)
            ),
        ),
    )  # fmt: skip


def _values(quantiles: Sequence[float]) -> Values:
    return np.linspace(quantiles[0], quantiles[-1], POINTS)
