"""The frame of a drawing: places of values in pixels, ticks, and marks that many points share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log, log10

from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high` at pixels from `start` to `end`; beyond them lies the edge. `log`: on a log scale."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value."""
        low, high = self.low, self.high
        if high <= low:
            share = 0.5
        elif self.log:
            share = log(max(value, low) / low) / log(high / low)
        else:
            share = (value - low) / (high - low)
        return round(self.start + (self.end - self.start) * min(max(share, 0.0), 1.0), 1)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values inside, at most about `most`."""
        return decades(self.low, self.high, most) if self.log else ticks(self.low, self.high, most)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from `low` to `high`.

    >>> ticks(-0.13, 0.32, 5)
    [-0.1, 0.0, 0.1, 0.2, 0.3]
    """
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    return [round(at * step, 10) for at in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float, most: int = 5) -> list[float]:
    """Powers of ten from `low` to `high`, with 2 and 5 times these where there is room.

    >>> decades(0.05, 3)
    [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    """
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    found = [float(f"{factor}e{power}") for power in powers for factor in (1, 2, 5)]
    inside = [value for value in found if low <= value <= high]
    return inside if len(inside) <= most + 1 else [value for value in inside if value in found[::3]]


def padded(values: Iterable[float], share: float = 0.05) -> tuple[float, float]:
    """The smallest and the largest of some values, with room around."""
    found = list(values)
    low, high = min(found), max(found)
    room = (high - low) * share or 0.5
    return low - room, high + room


def frame(x: Axis, y: Axis, x_title: str, y_title: str, *, x_ticks: Sequence[float] | None = None) -> list[Markup]:
    """Lines of a grid with their numbers, and the titles of both axes."""
    across = x.ticks() if x_ticks is None else x_ticks
    up = y.ticks()
    return [
        *(line(x.start, y.at(value), x.end, y.at(value), "dt-grid") for value in up),
        *(label(figure(value), x.start - 6, y.at(value) + 4, "end") for value in up),
        *(line(x.at(value), y.start, x.at(value), y.start + 4, "dt-axis") for value in across),
        *(label(figure(value), x.at(value), y.start + 17, "middle") for value in across),
        line(x.start, y.start, x.end, y.start, "dt-axis"),
        label(x_title, (x.start + x.end) / 2, y.start + 34, "middle"),
        label(y_title, 2, y.end - 12, "start"),
    ]  # fmt: skip


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return element("line", x1=f"{x1:g}", y1=f"{y1:g}", x2=f"{x2:g}", y2=f"{y2:g}", class_=kind)


def label(text: str, x: float, y: float, anchor: str, kind: str | None = None) -> Markup:
    """A text."""
    return element("text", text, x=f"{x:g}", y=f"{y:g}", class_=kind, style=f"text-anchor:{anchor}")


def dots(places: Iterable[tuple[float, float]], kind: str) -> Markup | None:
    """A dot at each place, equal ones once."""
    path = "".join(f"M{x:g} {y:g}h0" for x, y in dict.fromkeys(places))
    return element("path", d=path, class_=f"dt-dots {kind}") if path else None


def path(places: Sequence[tuple[float, float]], kind: str) -> Markup:
    """A line through places."""
    return element("polyline", points=" ".join(f"{x:g},{y:g}" for x, y in places), class_=kind)


def drawing(width: float, height: float, told: str, *parts: Markup | None) -> Markup:
    """The drawing, with what it shows in words."""
    return element("svg", *parts, class_="dt-drawing", viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=told)
