"""Axes of a drawing: round marks, and where values lie in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import ceil, floor, log10
from typing import NamedTuple, Self

from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure

LEFT, RIGHT, TOP, BOTTOM = 44, 12, 26, 34
"""Margins of a drawing, in pixels."""


class Axis(NamedTuple):
    """A range of values with round ends, and the distance of its marks."""

    low: float
    high: float
    step: float

    @classmethod
    def of(cls, values: Iterable[float], marks: int = 5, *, zero: bool = False) -> Self:
        """An axis that holds these values, with about `marks` marks."""
        found = [*values, *([0.0] if zero else [])] or [0.0, 1.0]
        low, high = min(found), max(found)
        if low == high:
            low, high = (low - 0.5, high + 0.5) if low else (0.0, 1.0)
        rough = (high - low) / marks
        unit = 10.0 ** floor(log10(rough))
        step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough * 0.999)
        return cls(floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step, step)

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1; values outside lie at the ends."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def marks(self) -> list[float]:
        """The values with a mark."""
        count = round((self.high - self.low) / self.step)
        return [self.low + self.step * at for at in range(count + 1)]


class Axes(NamedTuple):
    """Two axes in a drawing of a size in pixels."""

    x: Axis
    y: Axis
    width: int = 360
    height: int = 240
    right: int = RIGHT

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, in pixels."""
        return (
            round(LEFT + (self.width - LEFT - self.right) * self.x.share(x), 1),
            round(TOP + (self.height - TOP - BOTTOM) * (1 - self.y.share(y)), 1),
        )

    def drawing(
        self, told: str, x: str, y: str, *parts: Markup, named: Callable[[float], str] | None = None
    ) -> Markup:  # fmt: skip
        """A drawing with these parts over its grid.

        Args:
            told: What the drawing shows, for whoever cannot see it.
            x: The title of the horizontal axis.
            y: The title of the vertical axis.
            parts: Elements of SVG.
            named: The text at a mark of the horizontal axis; by default its value.
        """
        left, right = self.at(self.x.low, 0)[0], self.at(self.x.high, 0)[0]
        floor_ = self.at(0, self.y.low)[1]
        grid = [_line(left, (at := self.at(0, mark)[1]), right, at) for mark in self.y.marks()]
        return element(
            "svg", *grid,
            *(label(_short(mark), left - 6, self.at(0, mark)[1] + 4, "end") for mark in self.y.marks()),
            *(label((named or _short)(mark), self.at(mark, 0)[0], floor_ + 14, "middle") for mark in self.x.marks()),
            label(x, (left + right) / 2, self.height - 4, "middle"), label(y, left, 14),
            *parts, class_="dt-drawing dt-plot", viewBox=f"0 0 {self.width} {self.height}", role="img",
            aria_label=f"{told} Horizontal: {x}; vertical: {y}.",
        )  # fmt: skip


def label(text: str, x: float, y: float, anchor: str = "start") -> Markup:
    """A text in a drawing."""
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", style=f"text-anchor:{anchor}")


def spread(heights: list[float], least: float) -> list[float]:
    """Heights of labels, moved apart so that neighbours are `least` pixels apart."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    found = list(heights)
    for before, at in pairwise(order):
        found[at] = max(found[at], found[before] + least)
    return found


def _line(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="dt-axis")


def _short(value: float) -> str:
    return figure(round(value, 10)) if value else "0"
