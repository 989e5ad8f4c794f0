"""A policy that can be learned: a template, and the values of its parameters from which learning begins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple, get_args

import numpy as np

from dyntemp.distribution.draw_curve import HIGHEST, LOWEST, ROUNDED, STEP, TEMPERATURES
from dyntemp.engines.request_fields import MOST_CHARACTERS
from dyntemp.errors import PolicyError, StudyError
from dyntemp.language.nodes import MAX_DEPTH, MAX_SIZE
from dyntemp.language.policy import Policy
from dyntemp.learn.shapes import KNOTS, UNITS, curve, network
from dyntemp.tune.first_trials import Static, as_static
from dyntemp.tune.space import family_of

Kind = Literal["template", "curve", "network"]

KINDS: tuple[Kind, ...] = get_args(Kind)

SIGNALS: dict[Kind, tuple[str, ...]] = {
    "template": (),
    "curve": ("entropy",),
    "network": ("entropy", "max_prob", "varentropy", "margin", "where(position < 1, 1, 0)", "min(position, 4)"),
}
"""The signals that a shape reads by default."""

DIGITS = 4
"""Significant digits of a learned number in the policy's text."""


NEAR = 0.02
"""The share of the range of ln T, at each end, that counts as its bound."""


class Learnable(NamedTuple):
    """A template and the values of its parameters.

    Attributes:
        template: A policy whose parameters have ranges.
        start: The value of each parameter at which learning begins.
        static: True if the template is one temperature for all rows at `start`.
    """

    template: Policy
    start: Mapping[str, float]
    static: bool

    def policy(self, values: Mapping[str, float]) -> Policy:
        """The policy with these values, which have `DIGITS` digits."""
        return self.template.bind(**self.short(values))

    def short(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values with `DIGITS` digits, inside their ranges."""
        spans = {name: (found.low or 0.0, found.high or 0.0) for name, found in self.template.parameters.items()}
        return {name: min(max(float(f"{values[name]:.{DIGITS}g}"), low), high) for name, (low, high) in spans.items()}


class Shape(NamedTuple):
    """The shape of a policy, as a user asks for it.

    Attributes:
        kind: `template`, `curve` or `network`.
        template: A policy with parameters in ranges, or the name of a method, for `template`; else empty.
        signals: The signals that it reads, as expressions: one for `curve`, one or more for `network`.
        size: Points of a curve, or units of a network.
    """

    kind: Kind
    template: str = ""
    signals: tuple[str, ...] = ()
    size: int = 0

    @classmethod
    def read(cls, text: str) -> Shape:
        """The shape of a text: `curve`, `curve(margin, 8)`, `network`, `network(entropy; margin, 12)`, or a template.

        The number is that of a curve's points or of a network's units.

        Raises:
            ValueError: For a text that is none of these.

        >>> Shape.read("curve(margin, 8)")
        Shape(kind='curve', template='', signals=('margin',), size=8)
        """
        found = re.fullmatch(r"\s*(curve|network)\s*(?:\((.*)\))?\s*", text)
        if found is None:
            family_of(text)
            return cls("template", text)
        kind: Kind = "curve" if found[1] == "curve" else "network"
        size = KNOTS if kind == "curve" else UNITS
        signals = SIGNALS[kind]
        if found[2] is not None:
            inside, comma, last = found[2].rpartition(",")
            number = re.fullmatch(r"\s*(\d+)\s*", last)
            given = inside if comma and number else found[2] if number is None else ""
            size = int(number[1]) if number else size
            signals = tuple(part.strip() for part in given.split(";") if part.strip()) or signals
        shape = cls(kind, "", signals, size)
        shape.check()
        return shape

    def check(self) -> None:
        """Refuse a size or signals that the kind cannot have.

        Raises:
            ValueError: The message says what is allowed.
        """
        least, most = (2, 32) if self.kind == "curve" else (1, 32)
        if not least <= self.size <= most:
            raise StudyError(
                f"{self.kind} of size {self.size} was given; whole numbers from {least} to {most} are allowed"
            )
        if self.kind == "curve" and len(self.signals) != 1:
            raise StudyError(
                f"a curve of {'; '.join(self.signals)} was given; a curve reads one signal: take `network`"
            )
        for signal in self.signals:
            Policy(f"clip({signal}, 0, 1)")  # raises for what is no expression of signals
        if not _fits(self):
            fewer = next((size for size in range(self.size, least - 1, -1) if _fits(self._replace(size=size))), None)
            raise StudyError(
                f"`{self}` was given; a policy has at most {MAX_SIZE:,} parts, a depth of {MAX_DEPTH}, and in a host "
                f"{MOST_CHARACTERS:,} characters: take "
                + ("fewer or shorter signals" if fewer is None else f"a {self.kind} of size {fewer} or less")
            )

    def __str__(self) -> str:
        if self.kind == "template":
            return self.template
        return f"{self.kind}({'; '.join(self.signals)}, {self.size})"


@cache
def _fits(shape: Shape) -> bool:
    """True if the learned policy can be written and sent, however long its numbers are."""
    quantiles = dict.fromkeys(shape.signals, np.linspace(0.123, 9.87, 2 * shape.size).tolist())
    try:
        found = learnable(shape, (0.1, 3.0), 1.0, quantiles, 0)
        return len(str(found.policy(dict.fromkeys(found.start, -1.234e-05)))) <= MOST_CHARACTERS
    except PolicyError:
        return False


def learnable(
    shape: Shape, bounds: tuple[float, float], anchor: float, quantiles: Mapping[str, Sequence[float]], seed: int
) -> Learnable:
    """The template of a shape, and its parameters at a static temperature.

    Args:
        shape: The shape.
        bounds: The lowest and the highest temperature; a template of the user's own has its own bounds.
        anchor: The static temperature at which learning begins.
        quantiles: Quantiles of each signal's values, ascending, by its text; they place the points of a curve and scale
            the inputs of a network.
        seed: The seed of a network's first weights.

    Raises:
        ValueError: For an anchor outside the bounds, or a template whose temperatures learning cannot follow.
    """
    low, high = check_bounds(bounds)
    if shape.kind == "template":
        return _of_template(shape.template, anchor)
    if not low < anchor < high:
        raise StudyError(
            f"the static temperature {anchor:g} was given to begin with; one between {low:g} and {high:g} is allowed"
        )
    if shape.kind == "curve":
        (signal,) = shape.signals
        template, start = curve(signal, quantiles[signal], (low, high), anchor, shape.size)
    else:
        template, start = network({one: quantiles[one] for one in shape.signals}, (low, high), anchor, shape.size, seed)
    return Learnable(template, start, static=True)


def reach(shape: Shape, bounds: tuple[float, float]) -> tuple[float, float]:
    """The lowest and the highest temperature that a shape reaches, as far as curves of draws go."""
    if shape.kind != "template":
        return bounds
    low, high = family_of(shape.template).policy.bounds()
    return max(low, LOWEST), min(high, HIGHEST)


def inside(temperature: float, bounds: tuple[float, float]) -> float:
    """A temperature to begin from: itself, or the nearest one that leaves a shape room to move inside its bounds."""
    low, high = np.log(bounds)
    room = NEAR * (high - low)
    nearest = float(np.exp(np.clip(np.log(temperature), low + room, high - room)))
    return temperature if abs(nearest - temperature) < 1e-9 else nearest


def check_bounds(bounds: tuple[float, float]) -> tuple[float, float]:
    """The bounds of learned temperatures, checked; rounding may leave what is allowed.

    Raises:
        StudyError: If they lie outside the temperatures of a draw's curve, or are no range.
    """
    low, high = bounds
    least, most, slack = float(TEMPERATURES[0]), float(TEMPERATURES[-1]), ROUNDED * STEP
    if not least * (1 - slack) <= low < high <= most * (1 + slack):
        raise StudyError(
            f"the bounds {low:g} and {high:g} were given for learned temperatures; two numbers from {least:g} to "
            f"{most:g} are allowed, the smaller one first"
        )
    return max(low, least), min(high, most)


def _of_template(text: str, anchor: float) -> Learnable:
    """A template of the user's own: at the static temperature if it has one, else in the middle of its ranges."""
    family = family_of(text)
    low, high = family.policy.bounds()
    check_bounds((low, high))
    values = as_static(family, Static("anchor", anchor))
    if values is not None:
        return Learnable(family.policy, values, static=True)
    spans = {name: (found.low or 0.0, found.high or 0.0) for name, found in family.policy.parameters.items()}
    middle = {name: (least + most) / 2 for name, (least, most) in spans.items()}
    return Learnable(family.policy, {**middle, **family.default}, static=False)
