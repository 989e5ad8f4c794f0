"""Small static drawings: a quantity along a text, and the curve of a policy."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from dyntemp.show.colour import Scale
from dyntemp.show.curve import Curve
from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure

TRACK_HEIGHT = 32
WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 28
"""Margins around the curve, for the numbers at its axes."""


def track(title: str, values: Sequence[float], scale: Scale) -> Markup:
    """The values along a text as a line with one step per token; y goes from `low` to `high` of the scale."""
    heights = [TRACK_HEIGHT * (1 - scale.share(value)) for value in values]
    steps = " ".join(f"{'M' if at == 0 else 'L'}{at} {y:.1f}H{at + 1}" for at, y in enumerate(heights))
    finite = [value for value in values if isfinite(value)]
    mean = f", mean {figure(sum(finite) / len(finite))}" if finite else ""
    told = f"{title}: from {figure(min(values))} to {figure(max(values))}{mean}"
    drawing = element(
        "svg", element("path", d=steps), class_="dt-track", role="img", aria_label=told,
        viewBox=f"0 -1 {len(values)} {TRACK_HEIGHT + 2}", preserveAspectRatio="none",
    )  # fmt: skip
    return element("figure", element("figcaption", told), drawing, class_="dt-tracks")


def curve(drawn: Curve, low: float, high: float) -> Markup:
    """The curve of a policy, with dashed lines at its bounds. Values beyond the drawing lie at its edge.

    Args:
        drawn: Entropy and temperature of each row.
        low: The lowest temperature that the policy can return.
        high: The highest one.
    """
    finite = [value for value in drawn.temperature.tolist() if isfinite(value)]
    most = max([*finite, high] if isfinite(high) else finite, default=1.0)
    top = 1.0 if most <= 0 else most
    last = float(drawn.entropy[-1])

    def x(entropy: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * entropy / last

    def y(temperature: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(temperature / top, 1.0))

    points = " ".join(f"{x(at):.1f},{y(t):.1f}" for at, t in zip(*map(list, drawn), strict=True))
    ends = sorted({0.0, low, min(high, top)})
    labelled = [end for at, end in enumerate(ends) if at == 0 or y(ends[at - 1]) - y(end) > 11]
    told = f"Temperature over entropy: {figure(finite[0])} where certain" if finite else "Temperature over entropy"
    return element(
        "svg",
        *(_line(x(0), y(end), x(last), y(end), "dt-bound") for end in {low, min(high, top)}),
        _line(x(0), y(0), x(last), y(0), "dt-axis"),
        _line(x(0), y(0), x(0), y(top), "dt-axis"),
        element("polyline", points=points, class_="dt-curve"),
        *(_label(figure(end), LEFT - 6, y(end) + 4, "end") for end in labelled),
        _label("0", x(0), HEIGHT - 12, "middle"),
        _label(f"{figure(last)} nats of entropy", x(last), HEIGHT - 12, "end"),
        class_="dt-drawing", role="img", aria_label=told, viewBox=f"0 0 {WIDTH} {HEIGHT}",
    )  # fmt: skip


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=kind)


def _label(text: str, x: float, y: float, anchor: str) -> Markup:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", style=f"text-anchor:{anchor}")
