"""The curves of T over each signal that the kept run's policies read, as it learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dyntemp.evaluation.report.axes import Axis, drawing, frame, line, padded, path
from dyntemp.language.policy import Policy
from dyntemp.language.signals import ANY_SUPPORT, SIGNALS
from dyntemp.learn.report.rounds import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from dyntemp.learn.results import LearnResults
from dyntemp.show.markup import Markup, element
from dyntemp.show.plots import with_unit
from dyntemp.show.quantity import figure
from dyntemp.statistics.estimate import Values

POINTS = 121
"""Points of a curve."""

KINDS = ("dt-control-line", "dt-other-control", "dt-method-line")
"""The looks of the first, the middle and the final policy."""


def note(results: LearnResults) -> str:
    """The meaning of the lines in all drawings."""
    run = results.runs[results.kept]
    told = (
        f"Policies of seed {run.seed}. Dashed: round 0. Grey: round {_middle(results)}. Blue: learned in the end. Each "
        "signal goes from its smallest to its largest value over the tokens of the first round, the others are at "
        "their medians; marks stand at its nine quantiles."
    )
    if any(Policy(text).remembers for text in _policies(results)):
        told += " Policies that remember are drawn at the first token of a text."
    return told + (" The outcome of this run is the static temperature." if run.static else "")


def drawings(results: LearnResults) -> Iterator[Markup]:
    """A drawing for each signal that moves, all on one scale of T."""
    moving = [name for name, at in results.signals.items() if at[-1] > at[0] and name != "surprisal"]
    policies = [Policy(text) for text in _policies(results)]
    found = {name: [along(policy, results.signals, name) for policy in policies] for name in moving}
    if not found:
        return
    y = Axis(*padded(float(t) for each in found.values() for temperatures in each for t in temperatures), BOTTOM, TOP)
    for name, each in found.items():
        yield _figure(name, results.signals[name], each, y)


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


def _middle(results: LearnResults) -> int:
    return len(results.runs[results.kept].rounds) // 2


def _policies(results: LearnResults) -> tuple[str, str, str]:
    """The policies of the kept run's first and middle round, and the learned one."""
    run = results.runs[results.kept]
    return run.rounds[0].policy, run.rounds[_middle(results)].policy, run.learned
