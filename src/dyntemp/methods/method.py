"""The record of one published recipe, and what can be derived from its policy."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from dyntemp.errors import PolicyError
from dyntemp.functions import max, param  # noqa: A004 (the language's own)
from dyntemp.language.direction import directions
from dyntemp.language.nodes import Expression, Parameter
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS, suggestion

Direction = Literal["heats", "cools", "both", "neither"]
"""The effect on a row of which the model is unsure: hotter, colder, one or the other, or no effect of its sureness."""

Number = float | Expression
"""An argument of a recipe: a number, or a parameter in its place."""

UNSURE = {
    "entropy": 1, "normalized_entropy": 1, "perplexity": 1, "surprisal": 1, "median_prob": 1,
    "max_prob": -1, "margin": -1, "collision": -1, "top_mass": -1,
}  # fmt: skip
"""The way in which a signal moves as the model becomes less sure."""

UNDECIDED = ("varentropy", "quantile", "temperature_for_entropy")
"""Signals that may move either way as the model becomes less sure."""

COSTS = {
    "moments": "one pass over the row",
    "order": "a selection in the row",
    "solve": "an equation for the row",
}
"""The work of a measured signal, by `SignalRecord.source`."""


class Range(NamedTuple):
    """The values that an argument of a recipe may have, both ends included, and what it means."""

    low: float
    high: float
    meaning: str


class MethodParameter(NamedTuple):
    """A parameter of a method: its default, its range for tuning and learning, and its meaning."""

    name: str
    default: float
    low: float
    high: float
    meaning: str


@dataclass(frozen=True, slots=True)
class Method:
    """A published recipe.

    Attributes:
        name: The name that `--policy` and `--method` take.
        make: Returns the policy. Its defaults are the values of the source.
        idea: The effect, in one sentence.
        source: The publication.
        fails: The cases where it is known to fail or to mislead.
        ranges: The range of each argument of `make`. The policy is safe in all of them at once.
        stated: The direction, where it cannot be derived from the policy.
    """

    name: str
    make: Callable[..., Policy]
    idea: str
    source: str
    fails: str
    ranges: Mapping[str, Range] = field(default_factory=dict)
    stated: Direction | None = None

    @property
    def parameters(self) -> dict[str, MethodParameter]:
        """The parameters by name, in the order of `make`."""
        defaults = inspect.signature(self.make).parameters
        return {
            name: MethodParameter(name, float(argument.default), *self.ranges[name])
            for name, argument in defaults.items()
        }

    @property
    def formula(self) -> str:
        """The policy's text with the names of its parameters."""
        return str(self.make(**{name: Parameter(name) for name in self.ranges}))

    @property
    def direction(self) -> Direction:
        """The effect on a row of which the model is unsure, at the default values."""
        return self.stated or derived_direction(self.make()) or "both"

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that the policy reads, as it spells them."""
        return tuple(map(str, self.make().signals))

    @property
    def remembers(self) -> bool:
        """True if the temperature depends on earlier tokens of the same text."""
        return self.make().remembers

    @property
    def needs(self) -> tuple[str, ...]:
        """The numbers that neither the row nor the text gives: those of `given`, by name, and `divergence`."""
        return tuple(
            str(signal.arguments[0] if signal.name == "given" else signal)
            for signal in self.make().signals
            if signal.name in ("given", "divergence")
        )

    @property
    def cost(self) -> str:
        """The work for each row, from the signals that the policy reads."""
        read = {SIGNALS[signal.name].source for signal in self.make().signals}
        parts = [text for source, text in COSTS.items() if source in read]
        parts += ["a row of a second prompt"] if "divergence" in self.needs else []
        return ", ".join(parts) or "no look at the row"

    def template(self) -> Policy:
        """The policy with a parameter for each argument, in its range.

        That it can be made proves that no values of the parameters give a negative or undefined temperature.
        """
        return self.make(**{name: param(name, found.low, found.high) for name, found in self.ranges.items()})

    def policy(self, **values: float) -> Policy:
        """The policy with these values of its parameters, and the defaults of the others.

        Raises:
            PolicyError: For an unknown parameter, or a value outside its range.
        """
        for name, value in values.items():
            if name not in self.ranges:
                known = f"its parameters are {', '.join(self.ranges)}" if self.ranges else "it has none"
                raise PolicyError(f"`{self.name}` has no parameter `{name}`; {known}{suggestion(name, self.ranges)}")
            low, high, _ = self.ranges[name]
            if not low <= value <= high:
                raise PolicyError(
                    f"`{name}` = {value:g} was given, outside its range of {low:g} to {high:g} in `{self.name}`. "
                    f"For other values, write the formula itself: {self.formula}"
                )
        return self.make(**values)


def derived_direction(policy: Policy) -> Direction | None:
    """The direction of a policy if its signals decide it, else None."""
    signs = set()
    for signal, moves in directions(policy.expression).items():
        if signal.name in UNDECIDED or (signal.name in UNSURE and moves is None):
            return None
        if signal.name in UNSURE and moves:
            signs.add(UNSURE[signal.name] * moves)
    if len(signs) > 1:
        return None
    return "neither" if not signs else "heats" if signs == {1} else "cools"


def never_negative(expression: Expression, name: str) -> Policy:
    """A policy, with a floor of 0 written into it only where it may fall below."""
    try:
        return Policy(expression, name=name)
    except PolicyError:
        return Policy(max(expression, 0), name=name)
