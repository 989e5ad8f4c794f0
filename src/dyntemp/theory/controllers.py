"""Controllers: policies that steer surprisal or entropy to a target, and the gains with which they converge.

The loop is linear between the controller's limits: the signal answers the temperatures before it by a slope, at once
and, through the text, later. `linear_response` has the algebra, docs/theory/loop.md the derivation.
"""

from __future__ import annotations

from cmath import phase
from dataclasses import dataclass
from math import inf, log, pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import signals_of
from dyntemp.theory.feedback import MEMORY, sums
from dyntemp.theory.linear_response import ONE, Response, largest_factor, noise_gain, poles, response
from dyntemp.theory.recordings import Recordings
from dyntemp.theory.verdict import Verdict

Values = NDArray[np.float64]

PROOF = "loop.md#controllers"
SURPRISAL, ENTROPY = Signal("surprisal"), Signal("entropy")

SETTLED = 8
"""Tokens of a recorded text before its means are taken: the first rows follow the prompt more than the heat."""

OVERSHOOT = 0.05
"""Share of a disturbance that has to come back with the other sign for a loop to be called one that swings."""

ASSUMPTIONS = (
    "the temperature is between the controller's limits",
    "the signal's mean is linear in the temperature near the point where it settles",
    "other signals that the policy reads do not answer its temperature",
)


@dataclass(frozen=True, slots=True)
class Controller:
    """A policy that is linear in the signal that it steers, between its limits.

    Attributes:
        signal: `surprisal`, or `entropy`.
        response: How the temperature answers it over time.
        target: The value at which its running sum rests, nats; None where it has no sum.
    """

    signal: Signal
    response: Response
    target: float | None


class OperatingPoint(NamedTuple):
    """A temperature at which a controlled text of a model can rest.

    Attributes:
        temperature: The temperature.
        direct: Slope of the signal's mean in the temperature of the step just before, nats.
        settled: Slope of its mean in the temperature of the whole text, nats.
        noise: Standard deviation of the signal at this temperature, nats.
    """

    temperature: float
    direct: float
    settled: float
    noise: float

    @property
    def plant(self) -> Response:
        """How the signal answers earlier temperatures: at once, and through the heat of the last `MEMORY` tokens."""
        decay = 1 - 1 / MEMORY
        later = (self.settled - self.direct) * (1 - decay)
        return Response(np.array([self.direct + later, -self.direct * decay]), np.array([1.0, -decay]))


def controller_of(policy: Policy) -> Controller | None:
    """The controller in `policy`; None if it is none, or not linear in its signal.

    It is one if it reads `surprisal`, or if it sums `entropy`, and reads only one of the two.

    >>> controller_of(Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)")).target
    2.5
    """
    integrals = sums(policy)
    read = [signal for signal in (SURPRISAL, ENTROPY) if signal in signals_of(policy.computed)]
    if len(read) != 1 or (read == [ENTROPY] and not integrals):
        return None
    answer = response(policy.computed, read[0])
    if answer is None or not answer.numerator.any():
        return None
    target = None
    for node in integrals:
        inside = response(node.arguments[0], read[0])
        if inside is not None and inside.gain and inside.constant is not None:
            target = -inside.constant / inside.gain
    return Controller(read[0], answer, target)


def operating_point(controller: Controller, recordings: Recordings) -> OperatingPoint | None:
    """Where texts of the recorded model rest: the signal's mean at the static temperature T gives back T.

    None where no temperature between the recorded ones does that.
    """
    static, means, deviations = recordings.static, [], []
    values = recordings.surprisal if controller.signal == SURPRISAL else recordings.signals["entropy"]
    for heat in static:
        here = values[(recordings.heats == heat) & (recordings.positions >= SETTLED)]
        means.append(float(here.mean()))
        deviations.append(float(here.std()))
    if controller.target is not None:
        excess = np.array(means) - controller.target
    elif controller.response.constant is not None:
        excess = controller.response.constant + controller.response.gain * np.array(means) - static
    else:
        return None
    crossings = np.flatnonzero(excess[:-1] * excess[1:] <= 0)
    if not len(crossings):
        return None
    left = int(crossings[0])
    share = float(excess[left] / (excess[left] - excess[left + 1]))
    temperature = float(static[left] + share * (static[left + 1] - static[left]))
    direct = 0.0
    if controller.signal == SURPRISAL:
        direct = (1 - share) * direct_slope(recordings, static[left], temperature) + share * direct_slope(
            recordings, static[left + 1], temperature
        )
    return OperatingPoint(
        temperature=temperature,
        direct=direct,
        settled=float((means[left + 1] - means[left]) / (static[left + 1] - static[left])),
        noise=float((1 - share) * deviations[left] + share * deviations[left + 1]),
    )


def direct_slope(recordings: Recordings, heat: float, temperature: float) -> float:
    """d(mean surprisal of a draw)/dT at `temperature`, on the rows of texts that were drawn at `heat`, nats."""
    rows = (recordings.heats == heat) & (recordings.positions >= SETTLED)
    step = 0.1 * temperature
    high, low = (recordings.mean_surprisal(temperature + side)[rows].mean() for side in (step, -step))
    return float((high - low) / (2 * step))


def convergence(policy: Policy, recordings: Recordings | None = None) -> Verdict | None:
    """The verdict on a controller: the range of gains with which it converges; None if `policy` is none.

    Without recordings, the range is one of slopes: how much the signal may rise, at once, per unit of temperature.
    """
    controller = controller_of(policy)
    if controller is None:
        return None
    name = controller.signal.name
    if recordings is None:
        most = largest_factor(controller.response, Response(ONE, ONE))
        claim = f"steers {name}, and converges while it rises by less than {most:.4g} nats per unit of T at once"
        if most == 0:
            claim = f"feeds {name} back onto itself, and does not converge with any slope"
        elif most == inf:
            claim = f"steers {name}, and converges with any slope"
        return Verdict(
            claim=claim, holds=most > 0, evidence="the poles of the linear loop", proof=PROOF,
            values={"largest_slope": most, "target": controller.target}, assumptions=ASSUMPTIONS,
        )  # fmt: skip
    point = operating_point(controller, recordings)
    low, high = policy.bounds()
    evidence = (
        f"slopes from {recordings.count} recorded texts at {len(recordings.static)} static temperatures, and the poles "
        "of the linear loop"
    )
    if point is None or not low <= point.temperature <= high:
        return Verdict(
            claim=f"does not rest between its limits on {recordings.model}: no T from {low:.3g} to {high:.3g} has "
            f"the {name} that it steers to",
            holds=False, evidence=evidence, proof=PROOF, values={"target": controller.target},
            assumptions=ASSUMPTIONS,
        )  # fmt: skip
    return _at(point, controller, recordings.model, evidence)


def _at(point: OperatingPoint, controller: Controller, model: str, evidence: str) -> Verdict:
    factor = largest_factor(controller.response, point.plant)
    first = complex(poles(controller.response, point.plant)[0])
    size = abs(first)
    values = {
        "target": controller.target, "temperature": point.temperature, "direct_slope": point.direct,
        "settled_slope": point.settled, "largest_factor": factor, "pole": [first.real, first.imag],
    }  # fmt: skip
    if size >= 1:
        why = f"its gain is {1 / factor:.3g} times the largest that does" if factor else "no gain does"
        claim = f"does not converge on {model}: {why}"
        return Verdict(claim, holds=False, evidence=evidence, proof=PROOF, values=values, assumptions=ASSUMPTIONS)
    deviation = point.noise * float(np.sqrt(noise_gain(controller.response, point.plant)))
    tokens = -1 / log(size) if size else 0.0
    angle = abs(phase(first))
    swings = " in swings" if angle and size ** (pi / angle) > OVERSHOOT else ""
    claim = (
        f"converges on {model} to T = {point.temperature:.3g}{swings}, by a factor e in {tokens:.2g} tokens; "
        f"gains up to {factor:.3g} times this one do; noise moves T by about {deviation:.2g}"
    )
    values |= {"tokens": tokens, "deviation": deviation}
    return Verdict(claim, holds=True, evidence=evidence, proof=PROOF, values=values, assumptions=ASSUMPTIONS)
